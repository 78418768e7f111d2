"""What the live children say about a LocalRegistry."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import readiness
from localregistry.controller.fleet import NodeFailure, NodesSummary
from localregistry.controller.previews import MAX_GROUPS, PreviewGroup, Previews
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.selector import EVERY_NODE, Operator, Requirement, Selector
from localregistry.trust import NodeReason

META = {"name": "dev-registry", "namespace": "ns", "uid": "c1", "generation": 2}


def registry(*, available: str | None = None, **spec: Any) -> LocalRegistry:
    conditions = [{"type": "RegistryAvailable", "reason": available}] if available else []
    return LocalRegistry.from_body(
        {
            "metadata": {"name": "dev", "namespace": "ns", "uid": "u1"},
            "spec": {"host": "registry.example.internal", **spec},
            "status": {"conditions": conditions},
        }
    )


def shown(condition: Any) -> tuple[str, str]:
    return condition.status.value, condition.reason.value


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": META, "status": status}


RUNNING = {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1}


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        pytest.param(RUNNING, None, ("True", "DeploymentAvailable"), id="is available"),
        pytest.param({}, None, ("Unknown", "DeploymentProgressing"), id="has just been made"),
        pytest.param(
            {**RUNNING, "observedGeneration": 1},
            None,
            ("Unknown", "DeploymentProgressing"),
            id="was available in an older generation",
        ),
        pytest.param(
            {"observedGeneration": 2},
            "DeploymentAvailable",
            ("False", "DeploymentUnavailable"),
            id="was available and is not any more",
        ),
        pytest.param(
            {"observedGeneration": 2},
            "NameConflict",
            ("Unknown", "DeploymentProgressing"),
            id="could not be made before",
        ),
        pytest.param(
            {
                "observedGeneration": 2,
                "conditions": [{"type": "Progressing", "status": "False"}],
            },
            None,
            ("False", "DeploymentUnavailable"),
            id="gave up",
        ),
    ],
)
def test_the_registry_is_judged_by_a_deployment_that(
    status: dict[str, Any], before: str | None, expected: tuple[str, str]
) -> None:
    condition = readiness.available(registry(available=before), deployment(**status))
    assert shown(condition) == expected


def test_a_pod_that_cannot_be_made_is_explained_in_the_words_of_the_api() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods=0"}
    live = deployment(observedGeneration=2, conditions=[failure])
    condition = readiness.available(registry(), live)
    assert shown(condition) == ("False", "PodRefused")
    assert "exceeded quota: pods=0" in condition.message


@pytest.mark.parametrize(
    "words",
    ["filesystem: mkdir /var/lib/registry/docker: permission denied", "read-only file system"],
)
def test_a_push_that_the_volume_refuses_is_told_of_the_volume(words: str) -> None:
    condition = readiness.unwritable(f"answered 500 {words}")
    assert condition is not None
    assert shown(condition) == ("False", "VolumeNotWritable")
    assert words in condition.message


@pytest.mark.parametrize("words", ["no space left on device", "connection refused", ""])
def test_another_refusal_of_a_push_says_nothing_of_rights(words: str) -> None:
    assert readiness.unwritable(words) is None


def ingress(address: dict[str, str] | None = None, class_name: str | None = "nginx") -> Any:
    status = {"loadBalancer": {"ingress": [address]}} if address else {}
    return {"metadata": META, "spec": {"ingressClassName": class_name}, "status": status}


@pytest.mark.parametrize(
    ("live", "age", "expected"),
    [
        pytest.param(ingress({"ip": "10.0.0.1"}), 0, ("True", "IngressAdmitted"), id="an address"),
        pytest.param(ingress({"hostname": "lb"}), 0, ("True", "IngressAdmitted"), id="a host name"),
        pytest.param(ingress(), 5, ("Unknown", "IngressPending"), id="no address yet"),
        pytest.param(
            ingress(), 61, ("False", "IngressNotAdmitted"), id="no address after a minute"
        ),
        pytest.param(None, 0, ("True", "IngressDisabled"), id="not asked for"),
    ],
)
def test_exposure_is_judged_by_an_ingress_with(
    live: Any, age: float, expected: tuple[str, str]
) -> None:
    assert shown(readiness.exposed(registry(), live, age=age)) == expected


def test_an_ingress_without_a_class_is_told_apart_from_one_without_a_controller() -> None:
    without = readiness.exposed(registry(), ingress(class_name=None), age=61).message
    wrong = readiness.exposed(registry(), ingress(class_name="missing"), age=61).message
    assert "set spec.ingress.className" in without
    assert "class missing" in wrong


FAILURE = NodeFailure("n2", "docker://26", NodeReason.FLAG_CONFLICT, "dockerd has the flag")


@pytest.mark.parametrize(
    ("summary", "expected", "words"),
    [
        (NodesSummary(2, 2, (), ()), ("True", "NodesConfigured"), "All 2 nodes"),
        (NodesSummary(2, 1, (), ("n2",)), ("Unknown", "NodesPending"), "waiting for n2"),
        (NodesSummary(2, 1, (FAILURE,), ()), ("False", "NodesFailing"), "n2: dockerd has the flag"),
        (NodesSummary(3, 1, (FAILURE,) * 2, ()), ("False", "NodesFailing"), "(and 1 more)"),
        (NodesSummary(0, 0, (), ()), ("Unknown", "NoEligibleNodes"), "No Linux node"),
    ],
)
def test_nodes_are_ready_only_when_each_pulled(
    summary: NodesSummary, expected: tuple[str, str], words: str
) -> None:
    condition = readiness.nodes(summary, EVERY_NODE)
    assert shown(condition) == expected
    assert words in condition.message


SSD = Selector((Requirement("disk", Operator.IN, ("sdd",)),))


def test_a_selector_that_fits_no_node_is_told_with_its_text_and_the_way_to_look() -> None:
    for condition in (
        readiness.nodes(NodesSummary(0, 0, (), (), misses=True), SSD),
        readiness.preview(Previews(0, 0, (), (), misses=True), SSD),
    ):
        assert shown(condition) == ("False", "NoNodesSelected")
        assert "spec.nodes.selector asks for (disk=sdd)" in condition.message
        assert "kubectl get nodes --show-labels" in condition.message


def test_a_selector_as_long_as_a_page_leaves_room_for_the_advice() -> None:
    values = tuple(f"value-{number:060}" for number in range(64))
    long = Selector((Requirement("disk", Operator.IN, values),))
    message = readiness.nodes(NodesSummary(0, 0, (), (), misses=True), long).message
    assert "…): compare it with kubectl" in message
    assert len(message) < 500


GROUPS = tuple(PreviewGroup("docker", (f"n{i}",), (f"+ {i}",)) for i in range(MAX_GROUPS + 2))


@pytest.mark.parametrize(
    ("found", "words", "not_words"),
    [
        (Previews(3, 2, GROUPS[:2], ()), "2/3 nodes have said what they would change", "first"),
        (Previews(3, 0, (), ()), "0/3 nodes", "first"),
        (Previews(12, 12, GROUPS, ()), "the first 10 of 12 different answers", "configured"),
        (Previews(2, 2, (), (FAILURE,) * 2), "n2: dockerd has the flag (and 1 more)", "first"),
    ],
    ids=["some answered", "nobody answered", "more answers than are shown", "some could not"],
)
def test_a_preview_is_ready_and_says_how_far_it_is(
    found: Previews, words: str, not_words: str
) -> None:
    condition = readiness.preview(found, EVERY_NODE)
    assert shown(condition) == ("True", "Preview")
    assert words in condition.message
    assert not_words not in condition.message
