"""The LocalRegistries that a command speaks of."""

from __future__ import annotations

import difflib

from localregistry.commands import paths
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.problems import Problem
from localregistry.spec.names import KIND

NO_CRD = Problem(
    "This cluster knows no LocalRegistries: their CRD is not installed.",
    "Install the operator (docs/how-to/install.md), or name another cluster by --context.",
)


def one(cluster: Cluster, namespace: str, name: str) -> Body:
    """Raises Problem where there is none, with what there is instead."""
    body = cluster.get(paths.of(KIND, namespace, name))
    if body is not None:
        return body
    known = [item["metadata"]["name"] for item in several(cluster, namespace)]
    near = difflib.get_close_matches(name, known, n=1)
    step = "`localregistry status -A` lists those of all namespaces."
    if near:
        step = f"Did you mean {near[0]}?"
    elif known:
        step = f"There is {', '.join(known[:5])}{', …' if len(known) > 5 else ''}."
    raise Problem(f"There is no LocalRegistry {name} in namespace {namespace}.", step)


def several(cluster: Cluster, namespace: str | None) -> list[Body]:
    """Those of a namespace, or (None) of all; by namespace and name."""
    items = cluster.items(paths.of(KIND, namespace))
    if items is None:
        raise NO_CRD
    return sorted(items, key=lambda item: (item["metadata"]["namespace"], item["metadata"]["name"]))
