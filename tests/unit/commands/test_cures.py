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
NAMES = {"namespace": "team", "name": "dev", "child": "dev-registry", "system": "system"}


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in GOOD])
def test_each_reason_that_is_not_success_has_a_cure(reason: Reason) -> None:
    assert reason in cures.CURES
    line = cures.of(reason, **NAMES)
    assert "{" not in line.replace('{"', "").replace("'{", "")
    assert line


def test_a_reason_of_a_newer_operator_leads_to_its_resource() -> None:
    assert cures.of("Unheard", **NAMES) == "kubectl get localregistry dev -n team -o yaml"


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
