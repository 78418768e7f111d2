"""What nodes would change, as the status shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localregistry.controller import previews
from localregistry.controller.fleet import Fleet
from localregistry.controller.previews import MAX_DIFF_BYTES, PreviewGroup, Previews
from localregistry.spec.selector import EVERY_NODE, Operator, Requirement, Selector
from localregistry.trust import NodeReason, NodeResult, Report
from unit.controller.bodies import document, entry, node

DOCKER, CONTAINERD = "docker://26.1.5", "containerd://1.7.24"
DOCUMENT = document(entry(preview=True))
HOSTS = ("--- /etc/hosts", "+ 10.96.0.9 registry.example.internal")
TOML = ("--- /etc/containerd/certs.d/registry.example.internal/hosts.toml", "+ server")


def world(**reports: Report | None) -> Fleet:
    """Nodes by name, with what they answered; those whose name begins with d run docker."""
    fleet = Fleet()
    fleet.remember(DOCUMENT)
    for name, report in reports.items():
        body = node(name, labels={"disk": "ssd" if name.endswith("s") else "hdd"})
        runtime = DOCKER if name.startswith("d") else CONTAINERD
        body["status"]["nodeInfo"]["containerRuntimeVersion"] = runtime
        fleet.observe_node(body, gone=False)
        if report:
            fleet.reports[name] = report
    return fleet


def says(*lines: str, **given: Any) -> Report:
    return Report(DOCUMENT.revision, "", previews={"u1": lines}, **given)


def collect(fleet: Fleet, selector: Selector = EVERY_NODE) -> Previews:
    return previews.collect(fleet, "u1", DOCUMENT, selector)


def test_equal_answers_of_equal_runtimes_are_one_group_and_the_largest_comes_first() -> None:
    found = collect(world(d2=says(*HOSTS), c1=says(*TOML), d1=says(*HOSTS), c2=says(*HOSTS)))
    assert found.groups == (
        PreviewGroup(DOCKER, ("d1", "d2"), HOSTS),
        PreviewGroup(CONTAINERD, ("c1",), TOML),
        PreviewGroup(CONTAINERD, ("c2",), HOSTS),
    )
    assert (found.answered, found.desired) == (4, 4)


def test_the_order_of_the_answers_means_nothing() -> None:
    reports = {"d2": says(*HOSTS), "c1": says(*TOML), "d1": says(*HOSTS)}
    other = dict(reversed(reports.items()))
    assert collect(world(**reports)) == collect(world(**other))


PENDING = {"u1": NodeResult(NodeReason.PENDING)}
BLOCKED = {"u1": NodeResult(NodeReason.FLAG_CONFLICT, "dockerd has the flag")}


@pytest.mark.parametrize(
    ("report", "answered", "groups", "failing"),
    [
        pytest.param(says(*HOSTS), 1, 1, 0, id="would change something"),
        pytest.param(says(), 1, 1, 0, id="would change nothing"),
        pytest.param(Report(DOCUMENT.revision), 1, 1, 0, id="has nothing to say"),
        pytest.param(None, 0, 0, 0, id="was not reached"),
        pytest.param(Report(document(entry()).revision), 0, 0, 0, id="knows it as managed"),
        pytest.param(Report("f" * 16, previews={"u1": HOSTS}), 0, 0, 0, id="is far behind"),
        pytest.param(says(*HOSTS, excluded=("u1",)), 0, 0, 0, id="was left out before"),
        pytest.param(Report(DOCUMENT.revision, "", PENDING), 0, 0, 0, id="is still at it"),
        pytest.param(Report(DOCUMENT.revision, "", BLOCKED), 1, 0, 1, id="could not be configured"),
        pytest.param(says(*HOSTS, exceptions=BLOCKED), 1, 1, 1, id="could only in part"),
    ],
)
def test_a_node_has_answered_when_it_spoke_of_this_preview(
    report: Report | None, answered: int, groups: int, failing: int
) -> None:
    fleet = world(d1=report)
    fleet.remember(document(entry()))
    found = collect(fleet)
    assert (found.answered, len(found.groups), len(found.failing)) == (answered, groups, failing)
    assert found.desired == 1


def test_only_nodes_of_the_selection_are_asked_for() -> None:
    fleet = world(d1s=says(*HOSTS), d2=says(*HOSTS))
    found = collect(fleet, Selector((Requirement("disk", Operator.IN, ("ssd",)),)))
    assert (found.desired, found.groups) == (1, (PreviewGroup(DOCKER, ("d1s",), HOSTS),))
    missed = collect(fleet, Selector((Requirement("disk", Operator.IN, ("sdd",)),)))
    assert (missed.desired, missed.misses) == (0, True)


def test_a_group_is_shown_with_its_lines_its_size_and_twenty_names() -> None:
    names = tuple(f"n{number:04}" for number in range(1000))
    shown = previews.shown(PreviewGroup(DOCKER, names, HOSTS))
    assert shown["diff"] == "\n".join(HOSTS)
    assert (shown["count"], shown["nodes"]) == (1000, list(names[:20]))
    assert shown["runtime"] == DOCKER
    assert previews.shown(PreviewGroup("x" * 999, names, ()))["runtime"] == "x" * 256


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (("x" * 100,) * 20, "x" * 100),
        (("x" * 100,) * 30, "(and 11 more lines)"),
        (("é" * 100,) * 30, "(and 20 more lines)"),
        (("x" * 5000, "y"), "(and 2 more lines)"),
        ((), ""),
    ],
    ids=["just fits", "too many", "counted in bytes", "one alone is too long", "none"],
)
def test_a_diff_ends_at_two_kibibytes_and_says_what_is_left_out(
    lines: tuple[str, ...], last: str
) -> None:
    text = previews.diff(lines)
    assert text.split("\n")[-1] == last
    assert len(text.encode()) <= MAX_DIFF_BYTES
    kept = [line for line in text.split("\n") if line in lines]
    left_out = int(last.split()[1]) if last.startswith("(and") else 0
    assert len(kept) + left_out == len(lines)


def test_what_json_can_say_and_utf_8_cannot_is_written_as_it_will_be_read_back() -> None:
    (line,) = json.loads('["a\\ud800b"]')
    assert previews.diff((line,)) == "a?b"
