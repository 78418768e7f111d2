"""The claim: never owned, never more than was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.resources import claim
from unit.resources.registries import CONFIG, registry
from unit.spec.bodies import UID


def test_the_claim_is_ours_by_annotation_and_has_no_owner() -> None:
    body = claim.build(registry(), CONFIG)
    assert body is not None
    assert "ownerReferences" not in body["metadata"]
    assert body["metadata"]["annotations"] == {
        "localregistry.dev/owner-uid": UID,
        "localregistry.dev/owner-name": "dev",
    }


def test_only_what_was_given_is_set() -> None:
    body = claim.build(registry({"storage": {"size": "5Gi"}}), CONFIG)
    assert body is not None
    assert body["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
    }


def test_class_and_modes_are_passed_on() -> None:
    storage = {"size": "5Gi", "storageClassName": "fast", "accessModes": ["ReadWriteMany"]}
    body = claim.build(registry({"storage": storage}), CONFIG)
    assert body is not None
    assert body["spec"]["storageClassName"] == "fast"
    assert body["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize(
    ("storage", "name"),
    [
        ({"size": "5Gi"}, "dev-registry"),
        ({"existingClaim": "old"}, "old"),
        ({"ephemeral": True}, None),
    ],
)
def test_the_pod_mounts_the_claim_of_its_kind(storage: dict[str, Any], name: str | None) -> None:
    assert claim.claim_name(registry({"storage": storage})) == name
    assert (claim.build(registry({"storage": storage}), CONFIG) is None) == (name != "dev-registry")
