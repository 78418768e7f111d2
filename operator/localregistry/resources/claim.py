"""The claim for the registry's volume."""

from __future__ import annotations

from typing import Any

from localregistry.spec.names import OWNER_NAME_ANNOTATION, OWNER_UID_ANNOTATION, child_name
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import StorageKind

from .config import OperatorConfig
from .meta import child_metadata


def build(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any] | None:
    """A PersistentVolumeClaim, or None where the user brings his own or wants none.

    It has no ownerReference: a finalizer stripped by hand must not delete data. It is ours by
    label and by the annotation with the owner's UID. What the user did not give is not set, since
    a field once applied can never be left out again.
    """
    storage = registry.spec.storage
    if storage.kind is not StorageKind.SIZE:
        return None
    spec: dict[str, Any] = {
        "accessModes": list(storage.access_modes),
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name is not None:
        spec["storageClassName"] = storage.storage_class_name
    owner = {OWNER_UID_ANNOTATION: registry.uid, OWNER_NAME_ANNOTATION: registry.name}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": child_metadata(registry, annotations=owner, owned=False),
        "spec": spec,
    }


def claim_name(registry: LocalRegistry) -> str | None:
    """The claim that the pod mounts; None for ephemeral storage."""
    match registry.spec.storage.kind:
        case StorageKind.SIZE:
            return child_name(registry.name)
        case StorageKind.EXISTING:
            return registry.spec.storage.existing_claim
        case StorageKind.EPHEMERAL:
            return None
