"""Probes and metrics: what is installed and what is written of them fits what the operator does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localregistry.controller.health import SILENT_SECONDS
from localregistry.controller.metrics import Metrics
from localregistry.controller.watches import BEAT_SECONDS
from metric_table import documented, exposed


def test_blocked_watches_are_noticed_within_a_minute_and_a_busy_machine_is_no_fault(
    one: Any,
) -> None:
    [container] = one("Deployment")["spec"]["template"]["spec"]["containers"]
    probe = container["livenessProbe"]
    misses = probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"]
    assert SILENT_SECONDS + misses <= 60
    assert SILENT_SECONDS >= 4 * BEAT_SECONDS


def test_the_metrics_are_served_on_a_port_of_the_pod(root: Path, one: Any) -> None:
    [container] = one("Deployment")["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    [health_port] = [e["value"] for e in container["env"] if e["name"] == "HEALTH_PORT"]
    assert str(port["containerPort"]) == health_port
    page = (root / "docs/operations.md").read_text()
    assert f"`/metrics` are on port {health_port}" in page


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.requested("get", 200)
    return metrics


def test_every_metric_stands_in_the_table_and_no_other(metrics: Metrics) -> None:
    assert documented() == exposed(metrics.render()[0].decode())
