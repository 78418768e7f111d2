"""The last status of a LocalRegistry, when the operator has been removed."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import farewell, grants
from localregistry.controller.latecomers import late_names
from localregistry.spec.registry import LocalRegistry
from unit.controller.bodies import HOST, lreg

NOW, BEFORE = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
TYPES = ("Ready", "StorageReady", "RegistryAvailable", "Exposed", "NodesReady")
WELL = {
    "Ready": "Ready",
    "StorageReady": "ClaimBound",
    "RegistryAvailable": "DeploymentAvailable",
    "Exposed": "IngressAdmitted",
    "NodesReady": "NodesConfigured",
}


def condition(which: str, reason: str, status: str = "True") -> dict[str, Any]:
    return {
        "type": which,
        "status": status,
        "reason": reason,
        "message": "as it was",
        "lastTransitionTime": BEFORE,
        "observedGeneration": 1,
    }


def well(**changed: Any) -> dict[str, Any]:
    return {
        "observedGeneration": 1,
        "conditions": [condition(which, reason) for which, reason in WELL.items()],
        "url": f"http://{HOST}",
        "endpoint": "dev-registry.team.svc:80",
        "storage": {
            "claimName": "dev-registry",
            "claimUID": "c1",
            "capacity": "50Gi",
            "used": "1.2Gi",
            "summary": "1.2Gi/50Gi",
        },
        "nodes": {"desired": 3, "ready": 3, "summary": "3/3"},
        **changed,
    }


def last(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    found = farewell.status(lreg(status=status, **spec), now=NOW)
    assert found is not None
    return found


def said(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


@pytest.mark.parametrize(
    ("management", "nodes"),
    [("Managed", "False"), ("Unmanaged", "Unknown"), ("Preview", "Unknown"), (None, "False")],
)
def test_nodes_that_were_to_pull_do_so_no_more_and_of_the_rest_nobody_knows(
    management: str | None, nodes: str
) -> None:
    spec = {"nodes": {"management": management}} if management else {}
    expected = dict.fromkeys(TYPES, ("Unknown", "OperatorRemoved"))
    for which in ("Ready", "NodesReady"):
        expected[which] = (nodes, "OperatorRemoved")
    assert said(last(well(), **spec)) == expected


def test_the_message_names_the_next_step() -> None:
    for found in last(well())["conditions"]:
        assert "Install" in found["message"]
        assert "delete this LocalRegistry" in found["message"]
        assert found["lastTransitionTime"] == NOW


def test_what_nobody_counts_any_more_is_not_shown_and_the_claim_is_not_forgotten() -> None:
    found = last(well())
    assert found["nodes"] == {"summary": "-"}
    assert found["storage"] == {
        "claimName": "dev-registry",
        "claimUID": "c1",
        "capacity": "50Gi",
        "summary": "-/50Gi",
    }
    assert (found["url"], found["endpoint"]) == (f"http://{HOST}", "dev-registry.team.svc:80")


def test_to_say_it_once_more_changes_nothing() -> None:
    once = last(well())
    assert farewell.status(lreg(status=once), now="2026-01-03T00:00:00Z") == once


@pytest.mark.parametrize("reason", ["HostConflict", "HostNotAllowed"])
def test_who_was_refused_a_name_still_comes_after_who_had_it(reason: str) -> None:
    conditions = [
        condition(which, before) for which, before in WELL.items() if which not in ("Exposed",)
    ]
    refused = well(conditions=[*conditions, condition("Exposed", reason, "False")])
    found = last(refused)
    assert said(found)["Exposed"] == ("False", reason)
    assert said(found)["Ready"] == ("False", "OperatorRemoved")
    assert late_names(LocalRegistry.from_body(lreg(status=found))) == {HOST}


def test_a_spec_that_changed_unseen_is_still_told_from_one_that_was_seen() -> None:
    body = lreg(status=well(), aliases=["alias.example.internal"])
    body["metadata"]["generation"] = 2
    found = farewell.status(body, now=NOW)
    assert found
    assert found["observedGeneration"] == 1
    assert {c["observedGeneration"] for c in found["conditions"]} == {1}
    again = body | {"status": found}
    assert late_names(LocalRegistry.from_body(again)) == {"alias.example.internal"}


def test_an_operator_that_is_installed_again_finds_that_nodes_were_told_nothing() -> None:
    assert grants.told(well())
    assert not grants.told(last(well()))


@pytest.mark.parametrize(
    "body",
    [
        lreg(),
        lreg(status={"conditions": []}),
        lreg(status={"observedGeneration": -1}),
        lreg(status=well(), deleted=True),
    ],
    ids=["no operator has seen it", "nor this one", "nor one of the schema's", "it is going"],
)
def test_of_some_there_is_nothing_to_say(body: dict[str, Any]) -> None:
    assert farewell.status(body, now=NOW) is None


@pytest.mark.parametrize("spec", [{}, {"nodes": None}, {"nodes": {}}])
def test_a_spec_that_cannot_be_read_is_one_with_the_defaults(spec: dict[str, Any]) -> None:
    body = lreg(status=well()) | {"spec": spec}
    found = farewell.status(body, now=NOW)
    assert found
    assert said(found)["Ready"] == ("False", "OperatorRemoved")
