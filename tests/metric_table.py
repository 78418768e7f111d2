"""The table of metrics in docs/reference/metrics.md, and what a text exposition really holds."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/metrics.md"

# Name: (type, labels). As queries name them: a counter with its `_total`.
Table = dict[str, tuple[str, frozenset[str]]]


def documented() -> Table:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    assert rows, f"{PAGE}: no table of metrics"
    return {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
        if kind in ("counter", "gauge", "histogram")
    }


def exposed(text: str) -> Table:
    found: Table = {}
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = (family.type, frozenset(labels))
    return found


def value(text: str, name: str, **labels: str) -> float:
    """Of one series; 0 where there is none, as Prometheus has it in a sum."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
