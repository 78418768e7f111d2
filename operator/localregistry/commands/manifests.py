"""How large an image is, by its manifest: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.commands.problems import Unavailable

TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Parts:
    """`own` bytes of manifests, bytes of each blob by digest, and digests of an index's children.

    A blob that several platforms share counts once, as it does on the volume.
    """

    own: int
    blobs: Mapping[str, int]
    children: tuple[str, ...] = ()

    def with_child(self, child: Parts) -> Parts:
        return Parts(self.own + child.own, {**self.blobs, **child.blobs}, self.children)


def parts(content: bytes) -> Parts:
    """Raises Unavailable where it is no manifest."""
    try:
        body = json.loads(content)
        blobs = [one for one in (body.get("config"), *(body.get("layers") or ())) if one]
        sizes = {str(blob["digest"]): int(blob.get("size") or 0) for blob in blobs}
        children: list[Any] = body.get("manifests") or []
        digests = tuple(str(child["digest"]) for child in children)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable("The registry has a manifest that cannot be read.", "") from error
    return Parts(len(content), sizes, digests)
