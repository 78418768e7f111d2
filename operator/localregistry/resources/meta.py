"""Labels, owners and the metadata that children share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localregistry.spec.names import (
    API_VERSION,
    COMPONENT_LABEL,
    INSTANCE_LABEL,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    NAME_LABEL,
    PART_OF,
    PART_OF_LABEL,
    child_name,
    instance_label,
)
from localregistry.spec.registry import LocalRegistry

REGISTRY = "registry"

# Selects every object that the operator writes.
MANAGED = f"{MANAGED_BY_LABEL}={MANAGED_BY}"


def selector(name: str, instance: str, component: str) -> dict[str, str]:
    """The labels that select pods: never those that an upgrade may change."""
    return {NAME_LABEL: name, INSTANCE_LABEL: instance, COMPONENT_LABEL: component}


def labels(name: str, instance: str, component: str) -> dict[str, str]:
    """The labels of every object that the operator writes."""
    return {
        **selector(name, instance, component),
        MANAGED_BY_LABEL: MANAGED_BY,
        PART_OF_LABEL: PART_OF,
    }


def registry_selector(registry: LocalRegistry) -> dict[str, str]:
    return selector(REGISTRY, instance_label(registry.name), REGISTRY)


def registry_labels(registry: LocalRegistry) -> dict[str, str]:
    return labels(REGISTRY, instance_label(registry.name), REGISTRY)


def owner_reference(registry: LocalRegistry) -> dict[str, Any]:
    """Makes the garbage collector take the child with the resource.

    Without blockOwnerDeletion: where OwnerReferencesPermissionEnforcement is on, it would need
    one more right, on the resource's finalizers.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": registry.name,
        "uid": registry.uid,
        "controller": True,
    }


def child_metadata(
    registry: LocalRegistry, *, annotations: Mapping[str, str] | None = None, owned: bool = True
) -> dict[str, Any]:
    """The metadata of a child in the resource's namespace."""
    metadata: dict[str, Any] = {
        "name": child_name(registry.name),
        "namespace": registry.namespace,
        "labels": registry_labels(registry),
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owned:
        metadata["ownerReferences"] = [owner_reference(registry)]
    return metadata
