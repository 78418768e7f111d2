"""What a measured usage means for the status: words, and a warning before pushes fail. Pure.

A volume that is full is True in StorageReady all the same: pulls go on, and whoever waits for Ready
shall not be told that nodes cannot pull. Reason, message and a Warning Event say the rest. One that
its kernel has made read-only is False: the file system is damaged, and what is still read of it is
luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.quantity import format_bytes
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import StorageKind
from localregistry.usage.report import Kind, Usage

# At which part of the file system the warning begins, and the lower one at which it ends: a volume
# at the edge would otherwise change its condition, and make an Event, with every push.
LEVELS = (
    (Reason.STORAGE_FULL, 0.999, 0.99),
    (Reason.STORAGE_ALMOST_FULL, 0.95, 0.93),
)
_WARNINGS = (*(level[0] for level in LEVELS), Reason.VOLUME_READ_ONLY)
# What says only that all is well gives way to a warning; a claim that grows, say, does not.
_PLAIN = (Reason.CLAIM_BOUND, Reason.EPHEMERAL)


@dataclass(frozen=True)
class Silent:
    """Nobody has answered for so long that what was known is no longer told."""


# None: nobody has been asked yet, so what the status says stands.
Found = Usage | Silent | None


@dataclass(frozen=True)
class Told:
    """What a status says of the usage."""

    used: str | None = None
    # One of LEVELS, or VOLUME_READ_ONLY.
    warning: Reason | None = None

    @classmethod
    def by(cls, status: Mapping[str, Any]) -> Told:
        for condition in status.get("conditions") or ():
            if condition.get("type") == ConditionType.STORAGE_READY.value:
                reasons = [reason for reason in _WARNINGS if reason == condition.get("reason")]
                return cls(_used(status), reasons[0] if reasons else None)
        return cls(_used(status))

    def after(self, found: Found) -> Told:
        """What the next status shall say."""
        match found:
            case None:
                return self
            case Silent():
                return Told()
            case Usage():
                warning = Reason.VOLUME_READ_ONLY if found.read_only else None
                return Told(format_bytes(found.used), warning or self._level(found.filled))

    def _level(self, filled: float) -> Reason | None:
        severe = False
        for reason, begins, ends in LEVELS:
            # Who comes down from a worse level is still in this one.
            severe = severe or reason is self.warning
            if filled >= (ends if severe else begins):
                return reason
        return None


def summary(told: Told, of: str) -> str:
    """`1.2Gi/50Gi`; `-` while nobody knows."""
    return f"{told.used or '-'}/{of}"


def judge(registry: LocalRegistry, stored: Condition, told: Told, found: Found = None) -> Condition:
    """StorageReady, with a warning where there is one."""
    if told.warning is Reason.VOLUME_READ_ONLY:
        return _read_only(stored)
    if told.warning is None or stored.reason not in _PLAIN:
        return stored
    shared = isinstance(found, Usage) and found.kind is Kind.BLOBS
    kept = _kept_message(registry, told) if found is None else None
    message = kept or f"{_fullness(told, shared)} {_cure(registry, shared)}"
    return Condition(ConditionType.STORAGE_READY, ConditionStatus.TRUE, told.warning, message)


def _read_only(stored: Condition) -> Condition:
    """Worse than all that is True; what is not True has its own words."""
    if not stored.is_true:
        return stored
    message = (
        "The node has made the volume's file system read-only, as it does after an error of it:"
        " pushes fail, and what is pulled may be damaged. Read the node's kernel log, repair the"
        " file system, then delete the registry's pod"
    )
    which, false = ConditionType.STORAGE_READY, ConditionStatus.FALSE
    return Condition(which, false, Reason.VOLUME_READ_ONLY, message)


def _fullness(told: Told, shared: bool) -> str:
    what = "The file system that holds the volume" if shared else "The volume"
    if told.warning is Reason.STORAGE_FULL:
        return f"{what} is full: pushes fail with a 500, pulls go on."
    return f"{what} is at least 95 % full: pushes that do not fit will fail, pulls go on."


def _cure(registry: LocalRegistry, shared: bool) -> str:
    storage = registry.spec.storage
    if shared:
        return "Free space on it; what the registry itself takes is in status.storage.used"
    match storage.kind:
        case StorageKind.SIZE:
            return f"Raise spec.storage.size, which is {storage.size}"
        case StorageKind.EXISTING:
            return f"Let PersistentVolumeClaim {storage.existing_claim} grow"
        case StorageKind.EPHEMERAL:
            return "Ephemeral storage cannot grow: choose another kind, or begin anew"


def _kept_message(registry: LocalRegistry, told: Told) -> str | None:
    """The words that stand already: which kind of volume it is will be known again soon."""
    for condition in registry.status.get("conditions") or ():
        if condition.get("reason") == told.warning:
            return str(condition.get("message") or "") or None
    return None


def _used(status: Mapping[str, Any]) -> str | None:
    used = (status.get("storage") or {}).get("used")
    return str(used) if used else None
