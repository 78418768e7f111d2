"""What reconcile would change of one LocalRegistry's children: by the operator's own functions, and
by the API server's dry run of the same apply. Nothing is stored.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from localregistry.commands import paths
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.problems import Problem, Unavailable
from localregistry.render import dump
from localregistry.resources import ingress, rollout
from localregistry.resources.children import CHILDREN, Child
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import OWNER_UID_ANNOTATION, child_name
from localregistry.spec.quantity import parse_quantity
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

CLAIM, DEPLOYMENT, INGRESS = "PersistentVolumeClaim", "Deployment", "Ingress"
# With these nothing may run on what is there under the claim's name.
_NO_VOLUME = (
    Reason.DATA_LOST,
    Reason.NAME_CONFLICT,
    Reason.CLAIM_UNSUITABLE,
    Reason.CLAIM_IN_USE,
)
_NO_NAME = (Reason.HOST_CONFLICT, Reason.HOST_NOT_ALLOWED)
# The API server's own, which each write changes.
_OWN = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Change:
    """Of one child: unified diff lines, or a `note` why it is left as it is."""

    kind: str
    name: str
    lines: tuple[str, ...] = ()
    note: str = ""


def changes(cluster: Cluster, registry: LocalRegistry, config: OperatorConfig) -> Iterator[Change]:
    """In the order in which they are applied; a child that stays as it is yields nothing."""
    page = True
    for child in CHILDREN:
        name = child_name(registry.name)
        wanted = child.build(registry, config)
        live = cluster.get(paths.of(child.kind, registry.namespace, name))
        if child.kind == DEPLOYMENT and wanted is not None and live is not None:
            page = rollout.has_page(rollout.undisturbed(wanted, live))
        if child.kind == INGRESS:
            wanted = ingress.build(registry, config, page=page)
        if note := _kept(registry, child, live):
            if wanted is not None or live is not None:
                yield Change(child.kind, name, note=note)
            continue
        found = _change(cluster, child, name, wanted, live)
        if found:
            yield found


def _kept(registry: LocalRegistry, child: Child, live: Body | None) -> str:
    """Why the operator does not touch it, as its status says or as the object itself shows."""
    reasons = {c.get("type"): c.get("reason") for c in registry.status.get("conditions") or ()}
    stored = reasons.get("StorageReady")
    if stored in _NO_VOLUME and child.kind != INGRESS:
        return f"not touched while StorageReady says {stored}"
    if child.kind == INGRESS and reasons.get("Exposed") in _NO_NAME:
        return f"not touched while Exposed says {reasons['Exposed']}"
    if live is not None and child.kind != CLAIM and registry.uid not in _owners(live):
        return "not this LocalRegistry's, so it is not touched (NameConflict)"
    if live is not None and child.kind == CLAIM and not _annotation(live, OWNER_UID_ANNOTATION):
        return "not made by the operator, so it is not touched (NameConflict)"
    return ""


def _change(
    cluster: Cluster, child: Child, name: str, wanted: Body | None, live: Body | None
) -> Change | None:
    if wanted is None:
        # A claim outlives its LocalRegistry, and is never deleted by a change of it.
        gone = live is not None and child.kind != CLAIM
        return Change(child.kind, name, _unified(name, live, None)) if gone else None
    wanted = _adapted(child, wanted, live)
    path = paths.of(child.kind, wanted["metadata"]["namespace"], name)
    try:
        after = cluster.dry_apply(path, wanted)
    except Unavailable:
        raise
    except Problem as problem:
        if child.kind != CLAIM or live is None or _size(wanted) == _size(live):
            raise
        # As the operator finds it: the rest stays as it is, and the status says so.
        return Change(child.kind, name, note=f"does not grow (ResizeRefused): {problem.sentence}")
    if live is None and child.kind == "Service":
        # An address that the dry run took, and gave back.
        for field in ("clusterIP", "clusterIPs"):
            after["spec"].pop(field, None)
    lines = _unified(name, live, after)
    return Change(child.kind, name, lines) if lines else None


def _adapted(child: Child, wanted: Body, live: Body | None) -> Body:
    """As the operator fits it to what is there: a claim never shrinks, and a new release alone
    restarts no registry."""
    if live is None:
        return wanted
    if child.kind == DEPLOYMENT:
        return rollout.undisturbed(wanted, live)
    return _fitted(wanted, live) if child.kind == CLAIM else wanted


def _fitted(wanted: Body, live: Body) -> Body:
    """A claim takes a larger size only while it is bound, and its class never changes. That the
    class of the live one is named here changes nothing but who named it."""
    wanted = copy.deepcopy(wanted)
    spec, there, status = wanted["spec"], live["spec"], live.get("status") or {}
    if there.get("storageClassName"):
        spec.setdefault("storageClassName", there["storageClassName"])
    size = _size(live)
    capacity = (status.get("capacity") or {}).get("storage") or "0"
    enough = max(parse_quantity(size), parse_quantity(capacity))
    asked = parse_quantity(_size(wanted))
    if status.get("phase") != "Bound" or asked <= enough:
        spec["resources"]["requests"]["storage"] = size
    return wanted


def _size(claim: Body) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _unified(name: str, before: Body | None, after: Body | None) -> tuple[str, ...]:
    old, new = (dump(_comparable(one)).splitlines() if one else [] for one in (before, after))
    titles = (name if before else "/dev/null", name if after else "/dev/null")
    return tuple(difflib.unified_diff(old, new, *titles, lineterm=""))


def _comparable(body: Body) -> Body:
    kept = {key: value for key, value in body.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _OWN}
    return kept


def _owners(body: Body) -> set[str]:
    return {str(one.get("uid")) for one in body["metadata"].get("ownerReferences") or ()}


def _annotation(body: Body, name: str) -> str:
    return str((body["metadata"].get("annotations") or {}).get(name) or "")
