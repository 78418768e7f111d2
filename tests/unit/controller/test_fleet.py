"""What the agents' answers mean for one registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localregistry.controller.fleet import AgentPod, Fleet, Node
from localregistry.spec.selector import Operator, Requirement, Selector
from localregistry.trust import (
    NodeReason,
    NodeResult,
    Probe,
    Report,
    TrustDocument,
    TrustedRegistry,
)

NOW = 1_800_000_000.0
OLD = "2026-01-01T00:00:00Z"


def entry(uid: str = "u1", address: str = "10.96.0.1") -> TrustedRegistry:
    probe = Probe(f"{uid}.example.internal/localregistry-probe:v1", "sha256:c", "sha256:m")
    return TrustedRegistry(uid, f"ns/{uid}", (f"{uid}.example.internal",), address, 80, probe)


def node(name: str, *, ready: str = "True", created: str = OLD, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": created, "labels": labels},
        "status": {
            "nodeInfo": {"containerRuntimeVersion": "docker://26.1.5", "operatingSystem": "linux"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(node_name: str | None, *, uid: str = "p1", going: bool = False) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": f"agent-{uid}", "uid": uid}
    if going:
        meta["deletionTimestamp"] = OLD
    return {"metadata": meta, "spec": {"nodeName": node_name}, "status": {"podIP": "10.244.0.9"}}


def fleet(*nodes: dict[str, Any], document: TrustDocument | None = None) -> Fleet:
    result = Fleet()
    for body in nodes:
        result.observe_node(body, gone=False)
    if document:
        result.remember(document)
    return result


def failing(reason: NodeReason = NodeReason.PULL_FAILED) -> dict[str, NodeResult]:
    return {"u1": NodeResult(reason, "the registry does not answer")}


def test_a_node_counts_as_ready_when_its_agent_proved_the_registry() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a"), node("b"), document=document)
    nodes.reports["a"] = Report(document.revision)
    summary = nodes.summarize("u1", document, now=NOW, settled=True)
    assert (summary.text, summary.waiting, summary.failing) == ("1/2", ("b",), ())


def test_a_node_that_reports_an_exception_is_an_example_in_the_status() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a"), document=document)
    nodes.reports["a"] = Report(document.revision, exceptions=failing())
    (example,) = nodes.summarize("u1", document, now=NOW, settled=True).failing
    assert (example.name, example.runtime, example.reason, example.message) == (
        "a",
        "docker://26.1.5",
        NodeReason.PULL_FAILED,
        "the registry does not answer",
    )


def test_the_exception_of_another_registry_is_none_of_this_one() -> None:
    document = TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(node("a"), document=document)
    nodes.reports["a"] = Report(document.revision, exceptions=failing())
    assert nodes.summarize("u2", document, now=NOW, settled=True).text == "1/1"


def test_a_report_of_an_older_revision_proves_what_has_not_changed_since() -> None:
    before, after = TrustDocument((entry("u1"),)), TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(node("a"), document=before)
    nodes.remember(after)
    nodes.reports["a"] = Report(before.revision)
    assert nodes.summarize("u1", after, now=NOW, settled=True).text == "1/1"
    assert nodes.summarize("u2", after, now=NOW, settled=True).text == "0/1"


def test_a_registry_that_moved_has_to_be_proved_anew() -> None:
    before, after = TrustDocument((entry(),)), TrustDocument((entry(address="10.96.0.2"),))
    nodes = fleet(node("a"), document=before)
    nodes.remember(after)
    nodes.reports["a"] = Report(before.revision)
    assert nodes.summarize("u1", after, now=NOW, settled=True).text == "0/1"


def test_a_revision_that_nobody_remembers_proves_nothing() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a"), document=document)
    nodes.reports["a"] = Report("f" * 16)
    assert nodes.summarize("u1", document, now=NOW, settled=True).text == "0/1"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (node("a", ready="False"), "NotReady nodes are not waited for"),
        (node("a", ready="Unknown"), "a node that is silent is not waited for"),
        (node("a", **{"kubernetes.io/os": "windows"}), "only Linux nodes are eligible"),
        (node("a", type="virtual-kubelet"), "a virtual kubelet has no runtime"),
        (node("a", created="2027-01-15T07:59:30Z"), "a node may take a minute to join"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_node_does_not_count_when(body: dict[str, Any], why: str) -> None:
    document = TrustDocument((entry(),))
    assert (
        fleet(body, document=document).summarize("u1", document, now=NOW, settled=True).desired == 0
    ), why


def test_a_joining_node_counts_as_soon_as_it_is_proved() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a", created="2027-01-15T08:00:00Z"), document=document)
    nodes.reports["a"] = Report(document.revision)
    assert nodes.summarize("u1", document, now=NOW, settled=True).text == "1/1"


def test_ready_does_not_come_before_the_last_node_of_a_new_cluster() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a", created="2027-01-15T07:59:30Z"), document=document)
    assert nodes.summarize("u1", document, now=NOW, settled=False).waiting == ("a",)


def test_a_new_node_that_cannot_pull_counts_at_once() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a", created="2027-01-15T07:59:30Z"), document=document)
    nodes.reports["a"] = Report(document.revision, exceptions=failing())
    assert nodes.summarize("u1", document, now=NOW, settled=True).text == "0/1"


def test_a_withdrawal_is_confirmed_by_a_report_of_the_new_document() -> None:
    before, after = TrustDocument((entry(),)), TrustDocument()
    nodes = fleet(node("a"), node("b"), node("c", ready="False"), document=before)
    nodes.remember(after)
    nodes.reports["a"] = Report(after.revision)
    nodes.reports["b"] = Report(before.revision)
    assert set(nodes.still_trusting("u1", after)) == {"b"}


def test_a_node_that_could_not_withdraw_says_why() -> None:
    after = TrustDocument()
    nodes = fleet(node("a"), document=after)
    nodes.reports["a"] = Report(after.revision, exceptions=failing(NodeReason.RELOAD_BLOCKED))
    assert nodes.still_trusting("u1", after) == {"a": "the registry does not answer"}


def test_the_news_of_an_answer_is_for_the_registries_that_it_changes() -> None:
    one, two = TrustDocument((entry("u1"),)), TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(document=one)
    nodes.remember(two)
    assert nodes.affected(None, Report(one.revision)) is None
    assert nodes.affected(Report(one.revision), Report(two.revision)) == {"u2"}
    assert nodes.affected(Report(two.revision), Report(two.revision, exceptions=failing())) == {
        "u1"
    }
    assert nodes.affected(Report(two.revision, "docker"), Report(two.revision)) == set()


def test_what_does_not_count_of_a_node_is_no_news() -> None:
    nodes = fleet()
    assert nodes.observe_node(node("a"), gone=False)
    again = node("a")
    again["metadata"]["resourceVersion"] = "7"
    assert not nodes.observe_node(again, gone=False)
    assert nodes.observe_node(node("a", ready="False"), gone=False)
    assert nodes.observe_node(node("a"), gone=True)


def test_the_last_event_of_an_old_pod_does_not_take_the_new_one_away() -> None:
    nodes = fleet()
    nodes.observe_pod(pod("a", uid="old"), gone=False)
    nodes.observe_pod(pod("a", uid="new"), gone=False)
    assert not nodes.observe_pod(pod("a", uid="old"), gone=True)
    assert nodes.pods["a"].uid == "new"
    assert nodes.observe_pod(pod("a", uid="new"), gone=True)
    assert nodes.pods == {}


def test_a_pod_that_is_not_placed_or_is_going_is_no_agent() -> None:
    assert AgentPod.from_body(pod(None)) is None
    assert AgentPod.from_body(pod("a", going=True)) is None


def test_a_full_list_forgets_what_a_cut_watch_did_not_tell() -> None:
    nodes = fleet(node("a"), node("b"))
    nodes.observe_pod(pod("b"), gone=False)
    nodes.reports["b"] = Report("r")
    nodes.replace([node("a")], [])
    assert (set(nodes.nodes), nodes.pods, nodes.reports) == ({"a"}, {}, {})


def test_a_node_without_status_is_read_without_an_error() -> None:
    assert Node.from_body({"metadata": {"name": "new"}}) == Node("new", False, "", 0.0, True)


# spec.nodes.selector

SSD = Selector((Requirement("disk", Operator.IN, ("ssd",)),))


def summary(nodes: Fleet, document: TrustDocument, selector: Selector = SSD) -> str:
    return nodes.summarize("u1", document, selector, now=NOW, settled=True).text


def test_only_nodes_of_the_selection_are_counted() -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(node("a", disk="ssd"), node("b", disk="hdd"), node("c"), document=document)
    nodes.reports["a"] = Report(document.revision)
    nodes.reports["b"] = Report(document.revision, exceptions=failing(), excluded=("u1",))
    assert summary(nodes, document) == "1/1"
    assert summary(nodes, document, Selector()) == "1/3"


def test_a_node_that_is_selected_again_is_not_proved_by_its_report_from_before() -> None:
    document = TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(node("a", disk="ssd"), document=document)
    nodes.reports["a"] = Report(document.revision, excluded=("u1",))
    assert summary(nodes, document) == "0/1"
    assert nodes.summarize("u2", document, SSD, now=NOW, settled=True).text == "1/1"
    nodes.reports["a"] = Report(document.revision)
    assert summary(nodes, document) == "1/1"


def test_one_that_is_told_to_forget_has_proved_nothing_until_it_answers_anew() -> None:
    document = TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(node("a", disk="ssd"), document=document)
    nodes.leave_out("a", ("u1",))
    assert "a" not in nodes.reports
    nodes.reports["a"] = Report(document.revision, excluded=("u2",))
    nodes.leave_out("a", ("u1",))
    assert nodes.reports["a"].excluded == ("u1", "u2")
    assert summary(nodes, document) == "0/1"


@pytest.mark.parametrize(
    ("bodies", "misses"),
    [
        ([node("a", disk="hdd"), node("b")], True),
        ([node("a", disk="hdd"), node("b", disk="ssd")], False),
        ([node("a", disk="hdd"), node("b", ready="False", disk="ssd")], False),
        ([node("a", disk="ssd", type="virtual-kubelet"), node("b")], True),
        ([node("a", disk="hdd", type="virtual-kubelet")], False),
        ([], False),
    ],
    ids=[
        "no node has the labels",
        "one has",
        "one has, and is not Ready",
        "one has, and can never count",
        "no node can ever count",
        "no node at all",
    ],
)
def test_a_selector_misses_only_where_nodes_are_that_it_could_have_meant(
    bodies: list[dict[str, Any]], misses: bool
) -> None:
    document = TrustDocument((entry(),))
    nodes = fleet(*bodies, document=document)
    assert nodes.summarize("u1", document, SSD, now=NOW, settled=True).misses is misses
    assert not nodes.summarize("u1", document, now=NOW, settled=True).misses


def test_a_node_that_is_previewed_is_not_taken_for_configured() -> None:
    document = TrustDocument((replace(entry(), preview=True),))
    nodes = fleet(node("a"), document=document)
    nodes.reports["a"] = Report(document.revision, previews={"u1": ("+ x",)})
    assert summary(nodes, document, Selector()) == "0/1"


def test_the_news_of_an_answer_is_also_what_it_left_out_and_what_it_would_do() -> None:
    document = TrustDocument((entry("u1"), entry("u2")))
    nodes = fleet(document=document)
    plain = Report(document.revision)
    assert nodes.affected(plain, replace(plain, excluded=("u2",))) == {"u2"}
    assert nodes.affected(replace(plain, excluded=("u2",)), plain) == {"u2"}
    looked = replace(plain, previews={"u1": ("+ x",), "u2": ()})
    assert nodes.affected(plain, looked) == {"u1", "u2"}
    assert nodes.affected(looked, replace(looked, previews={"u1": ("+ y",), "u2": ()})) == {"u1"}


def test_labels_are_news_and_are_kept_once_for_all_nodes() -> None:
    nodes = fleet(node("a", disk="".join(["s", "sd"])), node("b", disk="".join(["ss", "d"])))
    assert nodes.observe_node(node("a", disk="hdd"), gone=False)
    assert not nodes.observe_node(node("a", disk="hdd"), gone=False)
    nodes.observe_node(node("a", disk="".join(["ss", "d"])), gone=False)
    assert nodes.nodes["a"].labels["disk"] is nodes.nodes["b"].labels["disk"]


# What watches tell while a list is under way


def test_what_a_watch_told_since_the_list_was_asked_for_is_newer_than_the_list() -> None:
    nodes = fleet(node("stays"), node("leaves"), node("changes"), node("was lost"))
    nodes.observe_pod(pod("was lost", uid="p9"), gone=False)
    nodes.listing()
    nodes.observe_node(node("joins"), gone=False)
    nodes.observe_pod(pod("joins", uid="p1"), gone=False)
    nodes.observe_node(node("leaves"), gone=True)
    nodes.observe_node(node("changes", disk="ssd"), gone=False)
    nodes.replace([node("stays"), node("leaves"), node("changes")], [pod("stays", uid="p2")])
    assert set(nodes.nodes) == {"stays", "changes", "joins"}
    assert nodes.nodes["changes"].labels == {"disk": "ssd"}
    assert {name: one.uid for name, one in nodes.pods.items()} == {"stays": "p2", "joins": "p1"}


def test_the_next_list_is_believed_again() -> None:
    nodes = fleet()
    nodes.listing()
    nodes.observe_node(node("a"), gone=False)
    nodes.replace([], [])
    assert set(nodes.nodes) == {"a"}
    nodes.observe_node(node("b"), gone=False)
    nodes.listing()
    nodes.replace([], [])
    assert nodes.nodes == {}


def test_a_list_that_failed_leaves_nothing_to_the_next() -> None:
    nodes = fleet()
    nodes.listing()
    nodes.observe_node(node("a"), gone=False)
    nodes.listing()
    nodes.replace([], [])
    assert nodes.nodes == {}
