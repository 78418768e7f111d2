"""`spec.storage`: where the images live."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .fields import Fields, InvalidSpec
from .quantity import parse_quantity

DEFAULT_SIZE = "20Gi"
MIN_SIZE = "1Mi"
DEFAULT_ACCESS_MODES = ("ReadWriteOnce",)
ONE_KIND = "must have exactly one of size, existingClaim and ephemeral: true"

OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class StorageKind(StrEnum):
    SIZE = "size"
    EXISTING = "existingClaim"
    EPHEMERAL = "ephemeral"


class ReclaimPolicy(StrEnum):
    RETAIN = "Retain"
    DELETE = "Delete"


class AccessMode(StrEnum):
    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"
    READ_WRITE_MANY = "ReadWriteMany"


@dataclass(frozen=True)
class Storage:
    """Exactly one kind; `size` is a quantity of bytes, and None unless the kind is SIZE."""

    kind: StorageKind = StorageKind.SIZE
    size: str | None = DEFAULT_SIZE
    existing_claim: str | None = None
    storage_class_name: str | None = None
    access_modes: tuple[str, ...] = DEFAULT_ACCESS_MODES
    reclaim_policy: ReclaimPolicy = ReclaimPolicy.RETAIN

    @classmethod
    def from_fields(cls, fields: Fields | None) -> Storage:
        """Raises InvalidSpec. None stands for absent storage, which means the default size."""
        if fields is None:
            return cls()
        size, claim = fields.text("size"), fields.text("existingClaim")
        ephemeral = fields.flag("ephemeral", default=False)
        given = {
            StorageKind.SIZE: size is not None,
            StorageKind.EXISTING: claim is not None,
            StorageKind.EPHEMERAL: ephemeral,
        }
        kinds = [kind for kind, is_given in given.items() if is_given]
        if len(kinds) != 1:
            raise InvalidSpec(f"{fields.path} {ONE_KIND}")
        policy = fields.one_of("reclaimPolicy", ReclaimPolicy, default=ReclaimPolicy.RETAIN)
        storage = cls(
            kind=kinds[0],
            size=size,
            existing_claim=claim,
            storage_class_name=fields.text("storageClassName"),
            access_modes=_access_modes(fields),
            reclaim_policy=policy,
        )
        storage._check(fields)
        return storage

    def _check(self, fields: Fields) -> None:
        if self.size is not None and not _is_big_enough(self.size):
            raise InvalidSpec(
                f"{fields.at('size')} must be a quantity of at least {MIN_SIZE}, for example 20Gi"
            )
        for name, value in (
            ("existingClaim", self.existing_claim),
            ("storageClassName", self.storage_class_name),
        ):
            if value is not None and not OBJECT_NAME.fullmatch(value):
                raise InvalidSpec(f"{fields.at(name)} must be the name of an object")
        if self.kind is not StorageKind.SIZE and self.storage_class_name is not None:
            raise InvalidSpec(f"{fields.at('storageClassName')} may only be given with size")
        if self.kind is StorageKind.EXISTING and self.reclaim_policy is ReclaimPolicy.DELETE:
            raise InvalidSpec(
                f"{fields.at('reclaimPolicy')} must not be Delete with existingClaim:"
                " a claim that was there before is never deleted"
            )


def _is_big_enough(size: str) -> bool:
    try:
        return parse_quantity(size) >= parse_quantity(MIN_SIZE)
    except ValueError:
        return False


def _access_modes(fields: Fields) -> tuple[str, ...]:
    given = fields.items("accessModes")
    if not given:
        return DEFAULT_ACCESS_MODES
    allowed = [mode.value for mode in AccessMode]
    if any(not isinstance(mode, str) or mode not in allowed for mode in given):
        raise InvalidSpec(f"{fields.at('accessModes')} must be of {', '.join(allowed)}")
    return tuple(given)
