"""What the agents report, through the API server's proxy to their pods."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.commands import agents
from localregistry.commands.problems import Problem, Unavailable
from localregistry.resources import node_agent
from localregistry.trust import TASK_ANNOTATION, NodeReason, NodeResult, Report, Task
from unit.commands.standin import StandIn, listed, refusal

pytestmark = pytest.mark.ux

PODS = "/api/v1/namespaces/system/pods"
REPORT = Report("r2", "docker://28", {"uid": NodeResult(NodeReason.PENDING, "at it")})


def pod(node: str, **meta: Any) -> dict[str, Any]:
    task = Task("r2", "docker://28").to_json()
    return {
        "metadata": {"name": f"agent-{node}", "annotations": {TASK_ANNOTATION: task}, **meta},
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def proxy(node: str) -> str:
    return f"{PODS}/agent-{node}:9808/proxy/status"


def ask(answers: dict[str, Any]) -> agents.Agents:
    return agents.ask(StandIn(answers), "system", 9808)


def test_each_agent_is_asked_for_its_report() -> None:
    found = ask({PODS: listed(pod("a")), proxy("a"): (200, REPORT.to_json().encode(), {})})
    assert found.note == ""
    assert found.by_node == {"a": agents.Agent("a", "agent-a", True, "r2", REPORT)}


def test_only_pods_of_agents_are_listed() -> None:
    cluster = StandIn({PODS: listed()})
    agents.ask(cluster, "system", 9808)
    [(method, path)] = cluster.asked
    assert method == "GET"
    assert node_agent.COMPONENT in path


def test_a_pod_that_goes_or_is_on_no_node_is_left_out() -> None:
    going, homeless = pod("a", deletionTimestamp="2026-01-02T03:04:05Z"), pod("b")
    homeless["spec"] = {}
    assert ask({PODS: listed(going, homeless)}).by_node == {}


SILENCES: dict[str, tuple[Any, str]] = {
    "no report": ((200, b"<html>", {}), "report: "),
    "an answer that is none": ((204, b"", {}), "It answers 204."),
    "nobody there": ((503, {"message": "connection refused"}, {}), "connection refused"),
    "the API server away": (Unavailable("It is away.", ""), "It is away."),
}


@pytest.mark.parametrize(("answer", "words"), SILENCES.values(), ids=SILENCES)
def test_an_agent_that_cannot_be_asked_is_silent_and_says_why(answer: Any, words: str) -> None:
    found = ask({PODS: listed(pod("a")), proxy("a"): answer})
    assert found.by_node["a"].report is None
    assert words in found.by_node["a"].silence
    assert found.note == ""


def test_without_the_right_to_ask_that_is_told_once() -> None:
    answers = {PODS: listed(pod("a"), pod("b")), proxy("a"): refusal("x"), proxy("b"): refusal("x")}
    found = ask(answers)
    assert found.note == 'Agents were not asked: You may not do that: User "eve" cannot x.'
    assert set(found.by_node) == {"a", "b"}


@pytest.mark.parametrize("answer", [refusal("list pods"), Problem("It is away.", "")])
def test_without_a_list_nobody_is_asked(answer: Any) -> None:
    found = ask({PODS: answer})
    assert found.by_node == {}
    assert found.note.startswith("Agents were not asked: ")


@pytest.mark.parametrize("annotations", [None, {}, {TASK_ANNOTATION: "{not json"}])
def test_what_an_agent_was_told_may_be_unknown(annotations: Any) -> None:
    one = pod("a", annotations=annotations)
    found = ask({PODS: listed(one), proxy("a"): (200, REPORT.to_json().encode(), {})})
    assert found.by_node["a"].revision == ""
