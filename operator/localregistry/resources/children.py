"""All children of a LocalRegistry, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from localregistry.spec.registry import LocalRegistry

from . import claim, configmap, deployment, ingress, service
from .config import OperatorConfig

Build = Callable[[LocalRegistry, OperatorConfig], dict[str, Any] | None]


class Child(NamedTuple):
    """One kind of child, and the function that renders it; None means that it should not exist."""

    kind: str
    api_version: str
    build: Build


CHILDREN: tuple[Child, ...] = (
    Child("ConfigMap", "v1", configmap.build),
    Child("PersistentVolumeClaim", "v1", claim.build),
    Child("Deployment", "apps/v1", deployment.build),
    Child("Service", "v1", service.build),
    Child("Ingress", "networking.k8s.io/v1", ingress.build),
)
