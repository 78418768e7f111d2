"""Probes and metrics: what is installed and what is written of them fits what the operator does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry.controller.health import SILENT_SECONDS
from localregistry.controller.metrics import Metrics
from localregistry.controller.watches import BEAT_SECONDS
from metric_table import documented, exposed

pytestmark = pytest.mark.ux


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
    page = (root / "docs/reference/metrics.md").read_text()
    assert f"`/metrics` are on port {health_port}" in page


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.requested("get", 200)
    return metrics


def test_every_metric_stands_in_the_table_and_no_other(metrics: Metrics) -> None:
    assert documented() == exposed(metrics.render()[0].decode())


@pytest.fixture(scope="module")
def alerts(root: Path) -> list[dict[str, Any]]:
    text = (root / "manifests/chart/files/alerts.yaml").read_text()
    loaded: list[dict[str, Any]] = yaml.safe_load(text)
    return loaded


def test_every_alert_has_its_paragraph_and_no_paragraph_is_of_another(
    root: Path, alerts: list[dict[str, Any]]
) -> None:
    page = (root / "docs/reference/metrics.md").read_text()
    assert re.findall(r"^### (LocalRegistry\w+)$", page, re.MULTILINE) == [
        alert["alert"] for alert in alerts
    ]
    for alert in alerts:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"].keys() == {"summary", "description"}
