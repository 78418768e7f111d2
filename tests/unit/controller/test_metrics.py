"""What Prometheus is told."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from localregistry.controller.metrics import (
    ConditionKey,
    Metrics,
    NodeState,
    Result,
    Sources,
    Subject,
    VolumeState,
)
from localregistry.spec.conditions import ConditionStatus, ConditionType
from localregistry.trust import NodeReason
from localregistry.version import VERSION

pytestmark = pytest.mark.ux

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    text = metrics.render()[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((f"localregistry_{name}", frozenset(labels.items())))


class Told:
    """Counts as a test says."""

    def __init__(
        self,
        nodes: Mapping[NodeState, int],
        failing: Mapping[NodeReason, int],
        volumes: Mapping[VolumeState, int],
        conditions: Mapping[ConditionKey, int],
    ) -> None:
        self.nodes = lambda: nodes
        self.failing = lambda: failing
        self.volumes = lambda: volumes
        self.conditions = lambda: conditions


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def test_runs_are_counted_by_subject_and_result_and_timed(metrics: Metrics) -> None:
    for result, seconds in ((Result.SUCCESS, 0.02), (Result.SUCCESS, 0.3), (Result.DEFECT, 40.0)):
        metrics.ran(Subject.REGISTRY, result, seconds)
    metrics.ran(Subject.NODES, Result.CONFLICT, 0.001)
    assert value(metrics, "reconciles_total", subject="registry", result="success") == 2
    assert value(metrics, "reconciles_total", subject="registry", result="defect") == 1
    assert value(metrics, "reconciles_total", subject="nodes", result="conflict") == 1
    assert value(metrics, "reconcile_seconds_bucket", subject="registry", le="0.05") == 1
    assert value(metrics, "reconcile_seconds_bucket", subject="registry", le="30.0") == 2
    assert value(metrics, "reconcile_seconds_count", subject="registry") == 3
    assert value(metrics, "reconcile_seconds_sum", subject="nodes") == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("status", "code"), [(200, "2xx"), (201, "2xx"), (404, "4xx"), (429, "4xx"), (0, "none")]
)
def test_requests_are_counted_by_verb_and_class(metrics: Metrics, status: int, code: str) -> None:
    metrics.requested("patch", status)
    assert value(metrics, "api_requests_total", verb="patch", code=code) == 1


def test_every_result_has_a_series_before_it_happens(metrics: Metrics) -> None:
    for subject in Subject:
        for result in Result:
            assert value(metrics, "reconciles_total", subject=subject, result=result) == 0


def test_a_standby_tells_that_it_does_not_lead_and_has_nothing(metrics: Metrics) -> None:
    assert value(metrics, "leader") == 0
    assert value(metrics, "queue_depth") == 0
    assert value(metrics, "build_info", version=VERSION) == 1


def test_a_leader_is_asked_at_each_scrape_and_tells_when_it_leads_no_more(
    metrics: Metrics,
) -> None:
    ready = ConditionType.READY
    census = Told(
        {NodeState.READY: 3, NodeState.FAILING: 1},
        {NodeReason.CONTENDED: 1},
        {VolumeState.FULL: 2},
        {(ready, ConditionStatus.FALSE): 4},
    )
    depth = 5.0
    with metrics.leading(
        Sources(
            queue_depth=lambda: depth,
            oldest_key=lambda: 1.5,
            census=census,
            trusted_hosts=lambda: 2,
        )
    ):
        assert value(metrics, "leader") == 1
        assert value(metrics, "queue_depth") == 5
        depth = 0.0
        assert value(metrics, "queue_depth") == 0
        assert value(metrics, "queue_oldest_seconds") == 1.5
        assert value(metrics, "trusted_hosts") == 2
        found = [value(metrics, "nodes", state=state) for state in NodeState]
        assert found == [3, 1, 0]
        assert value(metrics, "nodes_failing", reason="Contended") == 1
        assert value(metrics, "nodes_failing", reason="PullFailed") == 0
        assert value(metrics, "volumes", state="full") == 2
        assert value(metrics, "volumes", state="roomy") == 0
        assert value(metrics, "conditions", type="Ready", status="False") == 4
        assert value(metrics, "conditions", type="Ready", status="True") == 0
    assert value(metrics, "leader") == 0


def test_a_leader_that_failed_is_none(metrics: Metrics) -> None:
    sources = Sources(lambda: 0, lambda: 0, Told({}, {}, {}, {}), lambda: 0)
    with pytest.raises(RuntimeError), metrics.leading(sources):
        raise RuntimeError
    assert value(metrics, "leader") == 0


def test_no_series_is_added_by_what_happens_but_those_of_the_verbs(metrics: Metrics) -> None:
    before = samples(metrics).keys()
    for seconds in range(50):
        metrics.ran(Subject.REGISTRY, Result.SUCCESS, float(seconds))
    assert samples(metrics).keys() == before


def test_two_processes_in_one_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.requested("get", 200)
    assert value(other, "api_requests_total", verb="get", code="2xx") is None


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", r"text/plain; version=0\.0\.4"),
        ("application/openmetrics-text;version=1.0.0", r"application/openmetrics-text; version=1"),
    ],
)
def test_both_text_formats_are_spoken(metrics: Metrics, accept: str, content_type: str) -> None:
    body, named = metrics.render(accept)
    assert re.match(content_type, named)
    assert b"localregistry_leader 0.0\n" in body
    assert body.endswith(b"# EOF\n") == accept.startswith("application/openmetrics")
