"""What a claim is good for, which size may be asked of it, and what it says: pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.names import FIELD_MANAGER
from localregistry.spec.quantity import parse_quantity
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import AccessMode, StorageKind

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

Body = Mapping[str, Any]

WRITABLE = frozenset(mode.value for mode in AccessMode)
# status.conditions of a claim, the one that wants something first. The API server's words for
# these: a controller's failure, a kubelet's, a pod that must start anew, work under way.
RESIZING = ("ControllerResizeError", "NodeResizeError", "FileSystemResizePending", "Resizing")


def storage(registry: LocalRegistry, claim: Body | None, *, refused: str = "") -> Condition:
    """StorageReady from the claim, made by us or named by the user; None where there is none.

    `refused`: in which words the API server refused to let it grow.
    """
    kind = registry.spec.storage.kind
    if kind is StorageKind.EPHEMERAL:
        return _storage(TRUE, Reason.EPHEMERAL, "Images are kept in the pod and are lost with it")
    if claim is None:
        return _storage(
            FALSE,
            Reason.CLAIM_NOT_FOUND,
            f"PersistentVolumeClaim {registry.spec.storage.existing_claim} does not exist: create "
            "it in this namespace, or name another one in a new LocalRegistry",
        )
    meta = claim["metadata"]
    phase = (claim.get("status") or {}).get("phase")
    name = f"PersistentVolumeClaim {meta['name']}"
    if meta.get("deletionTimestamp"):
        message = (
            f"{name} is being deleted, and is gone when no pod uses it any more: copy the images "
            "elsewhere while the registry runs, if they are needed"
        )
        return _storage(FALSE, Reason.CLAIM_TERMINATING, message)
    if unfit := unsuitable(registry, claim):
        return _storage(FALSE, Reason.CLAIM_UNSUITABLE, unfit)
    if phase == "Bound":
        return _bound(registry, claim, refused)
    if phase == "Lost":
        return _storage(FALSE, Reason.CLAIM_LOST, f"{name} has lost its volume: restore the volume")
    return pending(registry, claim)


def pending(
    registry: LocalRegistry, claim: Body, *, words: str = "", failed: bool = False
) -> Condition:
    """StorageReady of a claim without a volume; `words`: why, by who should have given it one."""
    name, size = claim["metadata"]["name"], registry.spec.storage.size
    describe = f"kubectl describe pvc {name} -n {registry.namespace}"
    message = f"PersistentVolumeClaim {name} waits for a volume: "
    message += words or f"if this lasts, see {describe}"
    if size is not None and _quantity(size) > _quantity(_size(claim)):
        message += f". It asks for {_size(claim)}, and for {size} as soon as it is bound"
    if failed:
        return _storage(FALSE, Reason.PROVISIONING_FAILED, message)
    return _storage(UNKNOWN, Reason.CLAIM_PENDING, message)


def unsuitable(registry: LocalRegistry, claim: Body) -> str:
    """Why the registry cannot use this claim, kept or named by the user; "" where it can.

    What is compared cannot be changed in a claim.
    """
    wanted, spec = registry.spec.storage, claim.get("spec") or {}
    name = f"PersistentVolumeClaim {claim['metadata']['name']}"
    modes = list(spec.get("accessModes") or ())
    if spec.get("volumeMode") == "Block":
        return f"{name} is a block device (volumeMode Block): the registry needs a file system"
    if wanted.kind is StorageKind.EXISTING:
        if not WRITABLE.intersection(modes):
            return f"{name} can only be read (accessModes {_list(modes)}): name one to write to"
        shared = AccessMode.READ_WRITE_MANY.value
        if shared in wanted.access_modes and shared not in modes:
            return (
                f"{name} has accessModes {_list(modes)}, and spec.storage.accessModes says "
                f"{shared}: make the LocalRegistry anew without it"
            )
        return ""
    if set(modes) != set(wanted.access_modes):
        return _kept(name, "accessModes", _list(modes), _list(wanted.access_modes))
    live = spec.get("storageClassName")
    if wanted.storage_class_name is not None and live != wanted.storage_class_name:
        return _kept(name, "storageClassName", str(live), wanted.storage_class_name)
    return ""


def fitted(wanted: Body, live: Body | None) -> dict[str, Any]:
    """`wanted` as the API server may be asked for it, with such a size.

    A claim that is not bound takes no change of size. One that others made larger stays so, and so
    does one that got a volume which is large enough.
    """
    if live is None:
        return dict(wanted)
    if _class_is_ours(live):
        # Applied once, by a LocalRegistry that has left the claim behind: to leave it out now would
        # be to remove it, which the API server refuses.
        spec = {"storageClassName": live["spec"]["storageClassName"], **wanted["spec"]}
        wanted = {**wanted, "spec": spec}
    status = live.get("status") or {}
    capacity = str((status.get("capacity") or {}).get("storage") or "0")
    enough = max(_quantity(_size(live)), _quantity(capacity))
    if status.get("phase") == "Bound" and _quantity(_size(wanted)) > enough:
        return dict(wanted)
    return unchanged(wanted, live)


def unchanged(wanted: Body, live: Body) -> dict[str, Any]:
    """`wanted` in the size that the claim has."""
    resources = {"requests": {"storage": _size(live)}}
    return {**wanted, "spec": {**wanted["spec"], "resources": resources}}


def grows(wanted: Body, live: Body | None) -> bool:
    """Whether to apply `wanted` is to ask for more than the claim has."""
    return live is not None and _quantity(_size(wanted)) > _quantity(_size(live))


def _bound(registry: LocalRegistry, claim: Body, refused: str) -> Condition:
    name = f"PersistentVolumeClaim {claim['metadata']['name']}"
    bound = _storage(TRUE, Reason.CLAIM_BOUND, f"{name} is bound")
    size, status = registry.spec.storage.size, claim.get("status") or {}
    capacity = (status.get("capacity") or {}).get("storage")
    if size is None or capacity is None or _quantity(capacity) >= _quantity(size):
        # What others asked for beyond the spec is theirs to wait for.
        return bound
    if refused:
        message = (
            f"The volume stays at {capacity}, though spec.storage.size is {size}: {refused}. "
            f"See to that, or set spec.storage.size back to {capacity}"
        )
        return _storage(FALSE, Reason.RESIZE_REFUSED, message)
    if _quantity(_size(claim)) < _quantity(size):
        # Just bound: the next run asks for the size.
        return _storage(UNKNOWN, Reason.CLAIM_RESIZING, f"{name} is to grow to {size}")
    return _resizing(claim, capacity, size)


def _resizing(claim: Body, capacity: str, size: str) -> Condition:
    status, name = claim.get("status") or {}, claim["metadata"]["name"]
    told = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    which = next((which for which in RESIZING if which in told), "")
    words = str((told.get(which) or {}).get("message") or "").rstrip(". ")
    state = str((status.get("allocatedResourceStatuses") or {}).get("storage") or "")
    if state.endswith("Infeasible") or which.endswith("Error"):
        why = words or f"its driver says {state}"
        message = f"The volume cannot grow from {capacity} to {size}: {why}"
        return _storage(FALSE, Reason.RESIZE_REFUSED, message)
    message = f"The volume grows from {capacity} to {size}"
    if words or state:
        message += f" ({which or state}{': ' + words if words else ''})"
    message += f": if this lasts, see kubectl describe pvc {name}"
    if which == "FileSystemResizePending":
        message += "; some drivers need the pod to be restarted"
    return _storage(UNKNOWN, Reason.CLAIM_RESIZING, message)


def _kept(name: str, field: str, live: str, wanted: str) -> str:
    return (
        f"{name} is there already, with images maybe, and has {field} {live}, not {wanted}. "
        f"To use it, make the LocalRegistry anew with {live}; else delete or rename the claim"
    )


def _class_is_ours(live: Body) -> bool:
    return any(
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and "f:storageClassName" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live["metadata"].get("managedFields") or ()
    )


def _size(claim: Body) -> str:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return str(requests.get("storage") or "0")


def _quantity(size: str) -> Decimal:
    try:
        return parse_quantity(size)
    except ValueError:
        return Decimal(0)


def _list(modes: Any) -> str:
    return ", ".join(modes) or "none"


def _storage(status: ConditionStatus, reason: Reason, message: str) -> Condition:
    return Condition(ConditionType.STORAGE_READY, status, reason, message)
