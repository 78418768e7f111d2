"""What a proof holds for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localregistry.agent import proofs
from localregistry.agent.inputs import Goal
from localregistry.agent.writer import Detected, Plan
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

from .standins import registry

ONE = registry()


@pytest.mark.parametrize(
    "other",
    [
        (replace(ONE, uid="u2"), "start", "text"),
        (replace(ONE, address="10.96.0.8"), "start", "text"),
        (replace(ONE, probe=replace(ONE.probe, config="sha256:e")), "start", "text"),
        (ONE, "another start", "text"),
        (ONE, "start", "another text"),
        (ONE, "star", "t" + "text"),
    ],
    ids=["registry", "address", "probe image", "start of the runtime", "text", "a shifted border"],
)
def test_a_proof_is_of_one_thing_alone(other: tuple[TrustedRegistry, str, str]) -> None:
    assert proofs.key(*other) != proofs.key(ONE, "start", "text")
    assert proofs.key(*other) == proofs.key(*other)


def test_all_that_a_plan_serves_is_to_be_proved() -> None:
    goal = Goal("r", "x", (ONE, registry("u2", "other.example")))
    plan = Plan(entries={"u1": "text"}, refused={"u2": NodeResult(NodeReason.CONTENDED)})
    found = Detected("start", None)
    assert proofs.keys(goal, plan, found) == {"u1": proofs.key(ONE, "start", "text")}
    waiting = NodeResult(NodeReason.PENDING)
    assert proofs.keys(goal, plan, waiting) == {"u1": proofs.key(ONE, "", "text")}
