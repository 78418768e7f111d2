"""Requests that a real API server is to admit or refuse, as dry runs."""

from __future__ import annotations

from typing import Any

from api.apiserver import ApiServer

COLLECTION = "/apis/localregistry.dev/v1alpha1/namespaces/default/localregistries"
DRY_RUN = "?dryRun=All&fieldValidation=Strict"
MERGE = "application/merge-patch+json"

Spec = dict[str, Any]


def lreg(spec: Any, name: str = "dev") -> dict[str, Any]:
    return {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": name},
        "spec": spec,
    }


def create(api: ApiServer, spec: Any) -> tuple[int, dict[str, Any]]:
    return api.request("POST", COLLECTION + DRY_RUN, lreg(spec))


def with_host(spec: Spec) -> Spec:
    return {"host": "registry.example.internal"} | spec


def holds(stored: Any, given: Any) -> bool:
    """Whether all that was given is stored; null means the default."""
    if isinstance(given, dict):
        return all(value is None or holds(stored[key], value) for key, value in given.items())
    return bool(stored == given)
