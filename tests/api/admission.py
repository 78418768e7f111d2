"""Requests that a real API server is to admit or refuse, as dry runs."""

from __future__ import annotations

import re
from typing import Any

from api.apiserver import ApiServer

COLLECTION = "/apis/localregistry.dev/v1alpha1/namespaces/default/localregistries"
DRY_RUN = "?dryRun=All&fieldValidation=Strict"
MERGE = "application/merge-patch+json"

Spec = dict[str, Any]

# What the rule was asked about, which API servers write in different ways: 1.34 its type, 1.36 a
# text as it is, and nothing of an object.
_ASKED = re.compile(r'Invalid value: "[^"]*": ')


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


def says(message: str, sentence: str) -> bool:
    """Whether the sentence stands in a refusal, by any version of the API server."""
    sentence, message = (_ASKED.sub("Invalid value: ", text) for text in (sentence, message))
    return sentence in message
