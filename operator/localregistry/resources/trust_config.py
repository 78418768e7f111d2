"""The ConfigMap `node-trust`: the trust document that every node agent mounts."""

from __future__ import annotations

from typing import Any

from localregistry.trust import DOCUMENT_KEY, MAX_DOCUMENT_BYTES, TrustDocument

from .config import OperatorConfig
from .meta import labels

NAME = "node-trust"
COMPONENT = "node-trust"


class DocumentTooLarge(ValueError):
    """The document would not fit into a ConfigMap; the message says by how much."""


def build(document: TrustDocument, config: OperatorConfig) -> dict[str, Any]:
    """Owned by no LocalRegistry, since it is computed from all of them.

    Raises DocumentTooLarge, and so writes nothing, before etcd would refuse it.
    """
    text = document.to_json()
    size = len(text.encode())
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(
            f"The trust document of {len(document.registries)} registries has {size} bytes,"
            f" more than {MAX_DOCUMENT_BYTES}: delete LocalRegistries, or set the"
            " nodes.management of some to Unmanaged"
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": config.namespace,
            "labels": labels(NAME, NAME, COMPONENT),
        },
        "data": {DOCUMENT_KEY: text},
    }
