"""The registries' own metrics: who is asked, and that no Service leads there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry.resources import configmap, deployment, service
from unit.controller.bodies import CONFIG, read


@pytest.fixture(scope="module")
def monitor(root: Path) -> dict[str, Any]:
    """As the golden file of the chart has it, which is compared with what Helm renders."""
    text = (root / "tests/golden/chart/everything.yaml").read_text()
    [found] = [d for d in yaml.safe_load_all(text) if d and d["kind"] == "PodMonitor"]
    spec: dict[str, Any] = found["spec"]
    return spec


def test_it_selects_the_registries_pods_and_asks_their_metrics_port(
    monitor: dict[str, Any],
) -> None:
    built = deployment.build(read(), CONFIG)
    assert built
    pod = built["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert pod["metadata"]["labels"][monitor["jobLabel"]] == "dev"
    [endpoint] = monitor["podMetricsEndpoints"]
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    assert ports[endpoint["port"]] == configmap.METRICS_PORT
    engine = yaml.safe_load(configmap.render(read()))["http"]["debug"]
    assert engine["addr"] == f":{configmap.METRICS_PORT}"
    assert engine["prometheus"] == {"enabled": True, "path": endpoint["path"]}
    assert monitor["namespaceSelector"] == {"any": True}


def test_no_service_leads_to_that_port() -> None:
    served = service.build(read(), CONFIG)
    assert served
    targets = {port["targetPort"] for port in served["spec"]["ports"]}
    assert not targets & {"metrics", configmap.METRICS_PORT}


def test_the_page_of_the_network_policy_lets_nobody_else_in(root: Path) -> None:
    page = (root / "docs/how-to/close.md").read_text()
    policy = yaml.safe_load(page.split("```yaml\n")[2].split("```")[0])
    rules = {rule["ports"][0]["port"]: rule["from"] for rule in policy["spec"]["ingress"]}
    assert configmap.METRICS_PORT in rules
    assert all(rules.values()), "an empty list would let in everybody"
