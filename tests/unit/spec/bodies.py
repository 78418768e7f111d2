"""Bodies of LocalRegistries for tests."""

from __future__ import annotations

from typing import Any

UID = "0f6f2b3a-6c1e-4d57-9a43-1d2c8e5b7f90"


def body(
    spec: dict[str, Any] | None = None, *, name: str = "dev", namespace: str = "registries"
) -> dict[str, Any]:
    """The least that the API server would store, with `spec` over it."""
    return {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": UID,
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "spec": {"host": "registry.example.internal"} | (spec or {}),
    }
