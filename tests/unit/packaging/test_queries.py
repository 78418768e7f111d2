"""Alerts and dashboard: each query is one that Prometheus takes, of metrics that there are."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from localregistry.controller.metrics import Metrics
from metric_queries import RATE_INTERVAL, answered, asked
from metric_table import documented
from unit.packaging.conftest import ROOT

FILES = ROOT / "manifests/chart/files"
ALERTS: list[dict[str, Any]] = yaml.safe_load((FILES / "alerts.yaml").read_text())
BOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
SHOWN = [(p["title"], target["expr"]) for p in BOARD["panels"] for target in p["targets"]]
QUERIES = [(alert["alert"], alert["expr"]) for alert in ALERTS] + SHOWN
# What Grafana fills in by itself, and Prometheus adds to each series that it scrapes.
TARGET = {"pod", "job", "instance", "namespace"}


@pytest.fixture(scope="module")
def exposition() -> str:
    metrics = Metrics()
    metrics.requested("get", 200)
    return metrics.render()[0].decode()


@pytest.mark.parametrize(("whose", "query"), QUERIES)
def test_every_query_is_read_and_asks_for_series_that_there_are(
    exposition: str, whose: str, query: str
) -> None:
    found = asked(query)
    assert found, whose
    for one in found:
        assert answered(one, exposition), f"{whose}: {one}"


@pytest.mark.parametrize(
    "query",
    [
        "max(localregistry_nodes",
        "rate(localregistry_reconciles_total)",
        "no_such_function(localregistry_nodes)",
        "sum by (localregistry_nodes",
    ],
)
def test_what_prometheus_would_refuse_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        asked(query)


@pytest.mark.parametrize(
    "query",
    [
        "localregistry_no_such_metric",
        'localregistry_nodes{state="no-such-state"}',
        'localregistry_nodes{sate="ready"}',
        'localregistry_conditions{type="Ready",status!="no-such-status"}',
        "rate(localregistry_reconciles[5m])",
    ],
)
def test_what_there_is_not_is_noticed(exposition: str, query: str) -> None:
    assert not all(answered(one, exposition) for one in asked(query))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_waits_for_a_time_and_says_what_is_wrong(alert: dict[str, Any]) -> None:
    assert alert.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert promql_parser.parse_duration(alert.get("for", "1m")).total_seconds() >= 60
    assert re.fullmatch(r"LocalRegistry[A-Z]\w+", alert["alert"])
    told = " ".join(alert["annotations"].values())
    assert set(re.findall(r"{{.*?}}", told)) <= {"{{ $value }}"}


@pytest.mark.parametrize(
    "what",
    [
        ('type="RegistryAvailable"', "LocalRegistryDown"),
        ('state="failing"', "LocalRegistryNodesFailing"),
        ('state="almost_full"', "LocalRegistryVolumeFilling"),
        ('state="full"', "LocalRegistryVolumeFull"),
        ("localregistry_leader", "LocalRegistryNoLeader"),
        ('result="success"', "LocalRegistryNotReconciling"),
        ('reason="Contended"', "LocalRegistryTrustContended"),
    ],
    ids=lambda pair: pair[1],
)
def test_somebody_is_told(what: tuple[str, str]) -> None:
    [alert] = [alert for alert in ALERTS if alert["alert"] == what[1]]
    assert what[0] in alert["expr"]


def test_the_dashboard_shows_every_metric_of_ours_that_tells_something() -> None:
    shown = {one.name for _, query in SHOWN for one in asked(query)}
    shown = {name.removesuffix("_bucket") for name in shown}
    ours = {name for name in documented() if name.startswith("localregistry_")}
    assert ours - shown == set()


def test_panels_have_their_own_numbers_and_places() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels), "Grafana's width"


def test_the_data_source_is_the_users_choice() -> None:
    [variable] = BOARD["templating"]["list"]
    assert (variable["name"], variable["type"]) == ("datasource", "datasource")
    for panel in BOARD["panels"]:
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                kept = re.search(rf"by \([^)]*\b{label}\b", target["expr"])
                assert kept or label in TARGET, panel["title"]


def test_a_rate_of_the_dashboard_fits_what_is_shown() -> None:
    for title, query in SHOWN:
        assert ("rate(" in query) == (RATE_INTERVAL in query), title


def test_the_chart_ships_what_is_tested(root: Path) -> None:
    template = (root / "manifests/chart/templates/dashboard.yaml").read_text()
    assert '"files/dashboard.json"' in template
