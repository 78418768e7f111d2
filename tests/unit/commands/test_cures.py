"""Each reason has a line that mends it, and what doctor asks of rights is what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from localregistry.commands import cures, rights
from localregistry.spec.reasons import Reason

pytestmark = pytest.mark.ux

GOOD = {
    Reason.READY,
    Reason.CLAIM_BOUND,
    Reason.EPHEMERAL,
    Reason.DEPLOYMENT_AVAILABLE,
    Reason.INGRESS_ADMITTED,
    Reason.INGRESS_DISABLED,
    Reason.NODES_CONFIGURED,
    Reason.PREVIEW,
    Reason.UNMANAGED,
}
INSTALLED = Path(__file__).resolve().parents[3] / "manifests/install.yaml"


def of(reason: str, **storage: object) -> str:
    names = {"namespace": "team", "name": "dev", "child": "dev-registry", "system": "system"}
    return cures.of(reason, **names, storage=storage)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in GOOD])
def test_each_reason_that_is_not_success_has_a_cure(reason: Reason) -> None:
    assert reason in cures.CURES
    line = of(reason)
    assert "{" not in line.replace('{"', "").replace("'{", "")
    assert line


def test_a_reason_of_a_newer_operator_leads_to_its_resource() -> None:
    assert of("Unheard") == "kubectl get localregistry dev -n team -o yaml"


ROOM = {
    "a size": ({"size": "1Gi"}, "kubectl patch localregistry dev -n team --type=merge"),
    "nothing, which is a size": ({}, "kubectl patch localregistry dev -n team --type=merge"),
    "a claim of one's own": ({"existingClaim": "mine"}, "kubectl patch pvc mine -n team -p '{"),
    "ephemeral": ({"ephemeral": True}, "Free space on the disk of the pod's node"),
}


@pytest.mark.parametrize(("storage", "words"), ROOM.values(), ids=ROOM)
def test_how_to_make_room_follows_the_kind_of_storage(
    storage: dict[str, object], words: str
) -> None:
    for reason in (Reason.STORAGE_FULL, Reason.STORAGE_ALMOST_FULL):
        assert of(reason, **storage).startswith(words)


def test_where_to_look_at_a_claim_is_the_one_that_is_used() -> None:
    assert of(Reason.CLAIM_LOST).endswith("kubectl describe pvc dev-registry -n team")
    assert of(Reason.CLAIM_LOST, existingClaim="mine").endswith("describe pvc mine -n team")


def test_every_right_that_is_asked_for_is_one_that_is_installed() -> None:
    granted = {
        (verb, group, resource)
        for document in yaml.safe_load_all(INSTALLED.read_text())
        if document["kind"] == "ClusterRole"
        for rule in document["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert set(map(tuple, rights.OPERATOR)) <= granted
