"""The ConfigMap by which Tilt, ctlptl, Skaffold and others find a cluster's registry (KEP-1755).

One for the cluster, at a place that the standard fixes. Under its one key lies YAML of four texts:
`host` (where tools push to from outside), `hostFromContainerRuntime` (what image fields of pods
name), `hostFromClusterNetwork` (where pods push to) and `help` (a page to be shown where a push
fails), each with its port where that is not the scheme's own, and without a scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry

from .meta import labels

NAMESPACE = "kube-public"
NAME = "local-registry-hosting"
KEY = "localRegistryHosting.v1"


def asked(registry: LocalRegistry) -> bool:
    """Whether its user wants it to be the one that tools find."""
    return registry.annotations.get(names.HOSTING_ANNOTATION) == "true"


def build(registry: LocalRegistry, *, help_page: str = "") -> dict[str, Any]:
    """The ConfigMap that names this LocalRegistry, and in an annotation its UID: by that alone, and
    by no label, it is ours. No owner may stand in it, being of another namespace."""
    host = str(registry.spec.host)
    found = {
        "host": host,
        "hostFromContainerRuntime": host,
        "hostFromClusterNetwork": names.endpoint(registry.namespace, registry.name),
        "help": help_page,
    }
    text = yaml.safe_dump({key: value for key, value in found.items() if value}, sort_keys=False)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": labels(NAME, NAME, NAME),
            "annotations": {names.OWNER_UID_ANNOTATION: registry.uid},
        },
        "data": {KEY: text},
    }


def is_it(body: Mapping[str, Any]) -> bool:
    """Whether this object, one that we watch, is at the place of that ConfigMap."""
    meta = body["metadata"]
    return (meta.get("namespace"), meta["name"]) == (NAMESPACE, NAME)


def owner(body: Mapping[str, Any]) -> str | None:
    """The UID of the LocalRegistry that a ConfigMap of this name was written for; None: it is
    somebody else's."""
    uid = (body["metadata"].get("annotations") or {}).get(names.OWNER_UID_ANNOTATION)
    return str(uid) if uid else None


def same(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that we would write is there already."""
    meta, wanted_meta = live["metadata"], wanted["metadata"]
    return (live.get("data") or {}).items() >= wanted["data"].items() and all(
        (meta.get(part) or {}).items() >= wanted_meta[part].items()
        for part in ("labels", "annotations")
    )
