"""Which nodes are configured, and how, by `spec.nodes`: against a real API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATIENCE, Lab, open_lab
from api.processes import wait_until
from localregistry.trust import NodeReason, NodeResult, Task

SSD = {"matchLabels": {"disk": "ssd"}}


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        opened.add_node("node-a", labels={"disk": "ssd"})
        opened.add_node("node-b")
        yield opened


def ready(lab: Lab, **nodes: Any) -> str:
    """A LocalRegistry that is Ready; its UID."""
    lab.apply("dev", nodes=nodes)
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=20)
    return str(lab.get(LREG, "dev")["metadata"]["uid"])


def nodes(lab: Lab) -> dict[str, Any]:
    return dict(lab.get(LREG, "dev").get("status", {}).get("nodes", {}))


def wait_for_summary(lab: Lab, text: str) -> None:
    what = f"the summary {text}"
    wait_until(lambda: nodes(lab).get("summary") == text, timeout=PATIENCE, what=what)


def wait_for_excluded(lab: Lab, **expected: tuple[str, ...]) -> None:
    """Until each of these nodes is told to leave out exactly this. A registry may be Ready before:
    it does not wait for nodes that have nothing to do with it."""

    def told() -> dict[str, tuple[str, ...]]:
        tasks = {name: lab.nodes[f"node-{name}"].task() for name in expected}
        return {name: task.excluded for name, task in tasks.items() if task}

    wait_until(lambda: told() == expected, timeout=15, what=f"the tasks {expected}")


# Preview


def test_a_preview_is_in_the_status_before_the_registry_runs(lab: Lab) -> None:
    lab.apply("dev", nodes={"management": "Preview"})
    lab.wait_for("dev", "NodesReady", "Preview", status="True")
    address = lab.get("service", "dev-registry")["spec"]["clusterIP"]
    said = {
        "summary": "-",
        "preview": [
            {
                "runtime": "containerd://1.7.24",
                "count": 2,
                "nodes": ["node-a", "node-b"],
                "diff": f"+ {address} dev.example.internal",
            }
        ],
    }
    # One node may answer before the other one.
    wait_until(lambda: nodes(lab) == said, timeout=PATIENCE, what="the preview of both nodes")
    (entry,) = lab.trusted().registries
    assert entry.preview
    assert "2/2 nodes have said" in lab.condition("dev", "NodesReady")["message"]
    assert lab.condition("dev")["status"] == "Unknown", "the registry itself does not run yet"


def test_a_status_that_has_not_changed_is_not_written_again(lab: Lab) -> None:
    lab.apply("dev", nodes={"management": "Preview"})
    wait_until(lambda: len(nodes(lab).get("preview", [])) == 1, timeout=20, what="the preview")
    wait_until(
        lambda: "2/2" in lab.condition("dev", "NodesReady")["message"], timeout=20, what="both"
    )
    lab.wait_quiet()
    since = time.monotonic()
    lab.api.kubectl("annotate", LREG, "dev", "-n", lab.namespace, "look=again")
    time.sleep(3)
    assert [event["objectRef"] for event in lab.writes(since) if _is_status(event)] == []


def _is_status(event: dict[str, Any]) -> bool:
    return bool(event["objectRef"].get("subresource") == "status")


def test_equal_answers_are_one_and_a_node_that_could_not_is_named(lab: Lab) -> None:
    flag = NodeResult(NodeReason.FLAG_CONFLICT, "dockerd has --insecure-registry")
    lab.nodes["node-b"].previews = lambda _: {}
    lab.nodes["node-b"].exceptions = lambda d: {entry.uid: flag for entry in d.registries}
    other = lab.add_node("node-c")
    other.previews = lambda d: {entry.uid: ("+ x" * 99,) * 99 for entry in d.registries}
    lab.apply("dev", nodes={"management": "Preview"})
    wait_until(lambda: len(nodes(lab).get("preview", [])) == 2, timeout=20, what="two answers")
    wait_until(lambda: "failing" in nodes(lab), timeout=20, what="the failing node")
    assert [group["nodes"] for group in nodes(lab)["preview"]] == [["node-a"], ["node-c"]]
    assert nodes(lab)["preview"][1]["diff"].endswith("(and 93 more lines)")
    assert nodes(lab)["failing"][0]["message"] == "dockerd has --insecure-registry"


def test_a_preview_becomes_managed_and_managed_a_preview(lab: Lab) -> None:
    lab.apply("dev", nodes={"management": "Preview"})
    wait_until(lambda: "preview" in nodes(lab), timeout=15, what="the preview")
    lab.apply("dev", nodes={"management": "Managed"})
    lab.wait_for("dev", "NodesReady", "WaitingForRegistry")
    assert lab.trusted().registries[0].preview, "nodes are not pointed at what does not answer"
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=20)
    assert nodes(lab) == {"desired": 2, "ready": 2, "summary": "2/2"}
    assert not lab.trusted().registries[0].preview
    lab.apply("dev", nodes={"management": "Preview"})
    lab.wait_for("dev", "NodesReady", "Preview")
    wait_until(lambda: lab.trusted().registries[0].preview, timeout=15, what="the withdrawal")
    assert lab.condition("dev")["status"] == "True"


def test_a_preview_is_deleted_as_quickly_as_any_other(lab: Lab) -> None:
    lab.apply("dev", nodes={"management": "Preview"})
    wait_until(lambda: "preview" in nodes(lab), timeout=15, what="the preview")
    started = time.monotonic()
    lab.delete(LREG, "dev")
    assert time.monotonic() - started < 15
    assert lab.trusted().registries == ()


def test_a_preview_of_a_held_name_is_a_conflict_and_looks_at_nothing(lab: Lab) -> None:
    ready(lab)
    lab.apply("look", host="dev.example.internal", nodes={"management": "Preview"})
    message = lab.wait_for("look", "NodesReady", "HostConflict")["message"]
    assert f"held by LocalRegistry {lab.namespace}/dev" in message
    assert [entry.preview for entry in lab.trusted().registries] == [False]


# Selection


def test_only_selected_nodes_are_counted_and_the_others_are_told_to_leave_it_out(lab: Lab) -> None:
    uid = ready(lab, selector=SSD)
    assert nodes(lab) == {"desired": 1, "ready": 1, "summary": "1/1"}
    wait_for_excluded(lab, a=(), b=(uid,))


def test_a_label_that_is_taken_away_or_given_moves_a_node(lab: Lab) -> None:
    uid = ready(lab, selector=SSD)
    lab.nodes["node-b"].label(disk="ssd")
    wait_for_summary(lab, "2/2")
    lab.nodes["node-a"].label(disk=None)
    wait_for_summary(lab, "1/1")
    wait_for_excluded(lab, a=(uid,), b=())
    assert lab.condition("dev")["status"] == "True"


def test_a_node_that_is_selected_again_is_not_proved_before_it_answers(lab: Lab) -> None:
    uid = ready(lab, selector=SSD)
    lab.nodes["node-a"].label(disk=None)
    lab.wait_for("dev", "NodesReady", "NoNodesSelected", status="False")
    wait_until(
        lambda: lab.nodes["node-a"].report().excluded == (uid,), timeout=15, what="the agent"
    )
    lab.nodes["node-a"].silent = True
    lab.nodes["node-a"].label(disk="ssd")
    lab.wait_for("dev", "NodesReady", "NodesPending", status="Unknown")
    lab.nodes["node-a"].silent = False
    lab.wait_for("dev", "NodesReady", "NodesConfigured", status="True")


def test_a_changed_selector_changes_the_nodes_and_not_the_document(lab: Lab) -> None:
    uid = ready(lab)
    revision = lab.trusted().revision
    expressions = [{"key": "disk", "operator": "DoesNotExist"}]
    lab.apply("dev", nodes={"selector": {"matchExpressions": expressions}})
    wait_for_summary(lab, "1/1")
    wait_for_excluded(lab, a=(uid,))
    lab.apply("dev", nodes={})
    wait_for_summary(lab, "2/2")
    assert lab.trusted().revision == revision


def test_a_mistyped_label_is_seen(lab: Lab) -> None:
    lab.apply("dev", nodes={"selector": {"matchLabels": {"disk": "sdd"}}})
    lab.bring_up("dev")
    found = lab.wait_for("dev", "NodesReady", "NoNodesSelected", status="False", timeout=20)
    assert "(disk=sdd)" in found["message"]
    assert lab.condition("dev")["status"] == "False"
    lab.apply("dev", nodes={"selector": SSD})
    lab.wait_for("dev", "Ready", "Ready", timeout=20)


def test_a_node_that_joins_is_told_what_it_is_to_leave_out(lab: Lab) -> None:
    uid = ready(lab, selector=SSD)
    lab.add_node("node-c")
    wait_for_excluded(lab, c=(uid,))
    assert nodes(lab)["summary"] == "1/1"


# A node that joins

JOINED_SECONDS = 30.0


def test_a_node_that_joins_is_counted_within_half_a_minute_and_ready_stays(lab: Lab) -> None:
    ready(lab)
    seen: set[tuple[str, str]] = set()

    def joined() -> bool:
        for which in ("Ready", "NodesReady"):
            seen.add((which, str(lab.condition("dev", which).get("status"))))
        return nodes(lab) == {"desired": 3, "ready": 3, "summary": "3/3"}

    since = lab.condition("dev")["lastTransitionTime"]
    lab.add_node("node-c")
    wait_until(joined, timeout=JOINED_SECONDS, what="3/3", interval=0.05)
    assert seen == {("Ready", "True"), ("NodesReady", "True")}
    assert lab.condition("dev")["lastTransitionTime"] == since


def test_a_node_that_rolled_back_is_not_counted(lab: Lab) -> None:
    words = "dockerd did not take the change of /etc/docker/daemon.json, which was undone."
    refused = NodeResult(NodeReason.ROLLED_BACK, words)
    lab.nodes["node-b"].exceptions = lambda d: {entry.uid: refused for entry in d.registries}
    lab.apply("dev")
    lab.bring_up("dev")
    wait_until(lambda: "failing" in nodes(lab), timeout=PATIENCE, what="the failing node")
    wait_for_summary(lab, "1/2")
    assert lab.condition("dev", "NodesReady")["status"] == "False"
    (failing,) = nodes(lab)["failing"]
    assert (failing["reason"], failing["message"]) == ("RolledBack", words)


def test_the_selection_outlives_the_operator(lab: Lab) -> None:
    uid = ready(lab, selector=SSD)
    wait_for_excluded(lab, b=(uid,))
    assert lab.operator is not None
    lab.operator.process.stop()
    lab.apply("dev", nodes={"selector": SSD}, suspend=True)
    lab.apply("dev", nodes={}, suspend=True)
    tasks = {name: node.task() for name, node in lab.nodes.items()}
    lab.start_operator(name="operator-1")
    wait_until(
        lambda: lab.get(LREG, "dev")["status"]["observedGeneration"] == 3,
        timeout=PATIENCE,
        what="the suspension to be seen",
    )
    time.sleep(2)
    assert {name: node.task() for name, node in lab.nodes.items()} == tasks
    lab.apply("dev", nodes={}, suspend=False)
    wait_for_summary(lab, "2/2")
    assert tasks["node-b"] == Task(lab.trusted().revision, "containerd://1.7.24", (uid,))


# DNS


def test_nodes_that_resolve_the_name_are_told_so(lab: Lab) -> None:
    ready(lab)
    lab.apply("dev", nodes={"resolve": "DNS"})
    wait_until(lambda: lab.trusted().registries[0].dns, timeout=10, what="DNS in the document")
    wait_for_summary(lab, "2/2")
    (entry,) = lab.trusted().registries
    assert entry.endpoint(entry.names[0]) == "http://dev.example.internal"
    lab.wait_for("dev", "Ready", "Ready", timeout=20)


# A lost document


def test_a_suspended_registry_keeps_its_trust_where_the_document_was_lost(lab: Lab) -> None:
    ready(lab, resolve="DNS")
    before = lab.trusted()
    lab.apply("dev", host="new.example.internal", suspend=True, nodes={"resolve": "DNS"})
    wait_until(
        lambda: lab.get(LREG, "dev")["status"]["observedGeneration"] == 2,
        timeout=PATIENCE,
        what="the suspension to be seen",
    )
    assert lab.operator is not None
    lab.operator.process.stop()
    system = ("-n", "localregistry-system")
    lab.api.kubectl("delete", "configmap", "node-trust", *system)
    lab.start_operator(name="operator-1")
    wait_until(
        lambda: lab.exists("configmap", "node-trust", "localregistry-system"),
        timeout=PATIENCE,
        what="the document",
    )
    assert lab.trusted() == before
