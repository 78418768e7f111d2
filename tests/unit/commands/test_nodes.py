"""Each node's part, by the operator's status and by what agents report."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.commands import nodes
from localregistry.commands.agents import Agent, Agents
from localregistry.trust import NodeReason, NodeResult, Report
from unit.commands.examples import NODES, condition, failing, node, registry
from unit.spec.bodies import UID

pytestmark = pytest.mark.ux

PENDING = {
    "conditions": [condition("NodesReady", "Unknown", "NodesPending", "1/3 nodes can pull")],
    "nodes": {"desired": 3, "ready": 1, "summary": "1/3"},
}


def agent(node: str, *, reason: NodeReason | None = None, revision: str = "r2") -> Agent:
    exceptions = {UID: NodeResult(reason, "its words")} if reason else {}
    return Agent(node, f"agent-{node}", True, "r2", Report(revision, "", exceptions))


def agents(*found: Agent, note: str = "") -> Agents:
    return Agents({one.node: one for one in found}, note)


CASES: dict[str, tuple[dict[str, Any], Agents | None, list[str]]] = {
    "all that are counted as missing are named": (
        {},
        None,
        ["Configured", "Configured", "ConfigPathMissing"],
    ),
    "without agents' answers some are not known": (PENDING, None, ["Unknown"] * 3),
    "agents say how the rest is": (
        PENDING,
        agents(agent("node-a"), agent("node-b", reason=NodeReason.PENDING), agent("node-c")),
        ["Configured", "Pending", "Configured"],
    ),
    "an agent that has not worked through the newest is pending": (
        PENDING,
        agents(agent("node-a"), agent("node-b", revision="r1"), agent("node-c")),
        ["Configured", "Pending", "Configured"],
    ),
    "a node without an agent is pending": (
        PENDING,
        agents(agent("node-a"), agent("node-c")),
        ["Configured", "Pending", "Configured"],
    ),
    "where agents may not be asked nothing is claimed": (
        PENDING,
        agents(note="You may not"),
        ["Unknown"] * 3,
    ),
    "a silent agent is not known": (
        PENDING,
        agents(agent("node-a"), agent("node-b"), Agent("node-c", "x", True, silence="silent")),
        ["Configured", "Configured", "Unknown"],
    ),
    "before the registry is there every node waits": (
        {"conditions": [condition("NodesReady", "Unknown", "WaitingForRegistry")], "nodes": {}},
        agents(agent("node-a"), agent("node-b"), agent("node-c")),
        ["Pending"] * 3,
    ),
}


@pytest.mark.parametrize(("status", "asked", "reasons"), CASES.values(), ids=CASES)
def test_each_node_has_its_reason(
    status: dict[str, Any], asked: Agents | None, reasons: list[str]
) -> None:
    found = nodes.rows(registry(status=status), NODES, asked)
    assert [row.reason for row in found] == reasons


def test_a_node_that_is_not_ready_is_told_so_and_a_fault_on_it_is_kept() -> None:
    names = ("node-a", "node-c")
    found = nodes.rows(registry(), [node(name, ready=False) for name in names])
    assert [row.reason for row in found] == ["NotReady", "ConfigPathMissing"]


def test_nodes_that_are_not_selected_or_have_no_agent_are_left_out() -> None:
    windows, virtual, labelled = node("win"), node("virtual"), node("picked")
    windows["metadata"]["labels"] = {"kubernetes.io/os": "windows", "disk": "ssd"}
    virtual["metadata"]["labels"] = {"type": "virtual-kubelet", "disk": "ssd"}
    labelled["metadata"]["labels"] = {"disk": "ssd"}
    spec = {"nodes": {"selector": {"matchLabels": {"disk": "ssd"}}}}
    found = nodes.rows(registry(spec), [*NODES, windows, virtual, labelled])
    assert [row.name for row in found] == ["picked"]


@pytest.mark.parametrize("management", ["Unmanaged", "Preview"])
def test_nodes_that_are_not_configured_are_not_pending(management: str) -> None:
    spec = {"nodes": {"management": management}}
    found = nodes.rows(registry(spec, status={"nodes": {"summary": "-"}}), NODES)
    assert {row.reason for row in found} == {management}
    assert not any(row.is_pending for row in found)


def test_runtime_and_version_are_apart() -> None:
    assert nodes.runtime_of(node("a", "cri-o://1.30.1")) == ("cri-o", "1.30.1")
    assert nodes.runtime_of({"metadata": {}}) == ("-", "-")


def test_a_failure_stands_even_where_nothing_is_counted() -> None:
    status = {"nodes": {"failing": [failing("node-b", "FlagConflict", "m")]}, "conditions": []}
    found = nodes.rows(registry(status=status), NODES)
    assert [row.reason for row in found] == ["Pending", "FlagConflict", "Pending"]
