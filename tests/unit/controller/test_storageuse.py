"""What a usage means for the status, at every edge."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import status
from localregistry.controller.status import Findings
from localregistry.controller.storageuse import Found, Silent, Told, judge
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.usage.report import Kind, Usage
from unit.controller.bodies import read

NOW = "2026-05-06T07:08:09Z"
CAPACITY = 1_000_000
ALMOST, FULL = Reason.STORAGE_ALMOST_FULL, Reason.STORAGE_FULL
READ_ONLY = Reason.VOLUME_READ_ONLY


def used(
    filled: float, kind: Kind = Kind.VOLUME, *, blobs: int = 0, read_only: bool = False
) -> Usage:
    free = CAPACITY - round(filled * CAPACITY)
    taken = blobs or CAPACITY - free
    return Usage(kind, taken, CAPACITY, free, free, read_only=read_only)


def stored(reason: Reason = Reason.CLAIM_BOUND, **changes: Any) -> dict[str, Any]:
    """A condition as a status has it."""
    return {"type": "StorageReady", "status": "True", "reason": reason.value, **changes}


@pytest.mark.parametrize(
    ("before", "filled", "after"),
    [
        (None, 0.0, None),
        (None, 0.949, None),
        (None, 0.95, ALMOST),
        (None, 0.9989, ALMOST),
        (None, 0.999, FULL),
        (None, 1.0, FULL),
        (ALMOST, 0.95, ALMOST),
        (ALMOST, 0.931, ALMOST),
        (ALMOST, 0.929, None),
        (ALMOST, 0.995, ALMOST),
        (ALMOST, 0.999, FULL),
        (FULL, 0.995, FULL),
        (FULL, 0.989, ALMOST),
        (FULL, 0.94, ALMOST),
        (FULL, 0.92, None),
    ],
)
def test_a_warning_begins_at_an_edge_and_ends_below_it(
    before: Reason | None, filled: float, after: Reason | None
) -> None:
    assert Told("x", before).after(used(filled)).warning is after


@pytest.mark.parametrize("before", [None, ALMOST, FULL, READ_ONLY])
@pytest.mark.parametrize("filled", [0.1, 0.96, 1.0])
def test_that_nothing_can_be_written_is_told_before_how_full_it_is(
    before: Reason | None, filled: float
) -> None:
    assert Told("x", before).after(used(filled, read_only=True)).warning is READ_ONLY
    mended = Told("x", READ_ONLY).after(used(filled))
    assert mended == Told("x").after(used(filled))


@pytest.mark.parametrize("before", [Told(), Told("1Gi"), Told("1Gi", FULL), Told("1Gi", READ_ONLY)])
def test_what_nobody_has_asked_for_stands_and_what_nobody_answers_goes(before: Told) -> None:
    assert before.after(None) == before
    assert before.after(Silent()) == Told()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, Told()),
        ({"storage": {"used": "1.2Gi"}}, Told("1.2Gi")),
        ({"conditions": [stored(FULL)], "storage": {"used": "9"}}, Told("9", FULL)),
        ({"conditions": [stored(ALMOST)]}, Told(None, ALMOST)),
        ({"conditions": [stored(READ_ONLY, status="False")]}, Told(None, READ_ONLY)),
        ({"conditions": [stored()]}, Told()),
        ({"conditions": [{"type": "Ready", "reason": "StorageFull"}]}, Told()),
        ({"conditions": [{}, {"type": "StorageReady"}], "storage": None}, Told()),
    ],
)
def test_what_was_told_is_read_off_the_status(body: dict[str, Any], told: Told) -> None:
    assert Told.by(body) == told


SIZE = {"size": "1Gi"}
EXISTING, EPHEMERAL = {"existingClaim": "mine"}, {"ephemeral": True}


@pytest.mark.parametrize(
    ("storage", "found", "words"),
    [
        (SIZE, used(0.96), ["The volume is at least 95 % full", "Raise spec.storage.size", "1Gi"]),
        (SIZE, used(1.0), ["The volume is full: pushes fail with a 500", "pulls go on"]),
        (EXISTING, used(0.96), ["Let PersistentVolumeClaim mine grow"]),
        (EPHEMERAL, used(0.96), ["Ephemeral storage cannot grow"]),
        # What a larger claim would not mend.
        (
            SIZE,
            used(0.96, Kind.BLOBS, blobs=5),
            ["The file system that holds the volume is at least 95 % full", "Free space on it"],
        ),
        (EPHEMERAL, used(1.0, Kind.BLOBS, blobs=5), ["holds the volume is full", "500"]),
    ],
)
def test_a_warning_says_what_fails_and_what_to_do(
    storage: dict[str, Any], found: Usage, words: list[str]
) -> None:
    condition = told_condition(read(storage=storage), found)
    assert condition.status is ConditionStatus.TRUE, "pulls go on"
    for word in words:
        assert word in condition.message


def told_condition(registry: Any, found: Found, reason: Reason = Reason.CLAIM_BOUND) -> Condition:
    true = ConditionStatus.TRUE
    plain = Condition(ConditionType.STORAGE_READY, true, reason, "bound")
    return judge(registry, plain, Told.by(registry.status).after(found), found)


def test_the_words_do_not_change_with_every_measurement() -> None:
    registry = read(storage=SIZE)
    messages = {told_condition(registry, used(part / 1000)).message for part in range(951, 999)}
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("reason", "after"),
    [
        (Reason.CLAIM_BOUND, FULL),
        (Reason.EPHEMERAL, FULL),
        (Reason.CLAIM_RESIZING, Reason.CLAIM_RESIZING),
        (Reason.RESIZE_REFUSED, Reason.RESIZE_REFUSED),
        (Reason.DATA_LOST, Reason.DATA_LOST),
        (Reason.CLAIM_PENDING, Reason.CLAIM_PENDING),
    ],
)
def test_what_is_more_than_well_or_not_well_is_left_as_it_is(reason: Reason, after: Reason) -> None:
    assert told_condition(read(storage=SIZE), used(1.0), reason).reason is after


@pytest.mark.parametrize(
    ("reason", "status", "after"),
    [
        (Reason.CLAIM_BOUND, ConditionStatus.TRUE, READ_ONLY),
        (Reason.EPHEMERAL, ConditionStatus.TRUE, READ_ONLY),
        (Reason.CLAIM_RESIZING, ConditionStatus.TRUE, READ_ONLY),
        (Reason.RESIZE_REFUSED, ConditionStatus.TRUE, READ_ONLY),
        (Reason.DATA_LOST, ConditionStatus.FALSE, Reason.DATA_LOST),
        (Reason.CLAIM_PENDING, ConditionStatus.UNKNOWN, Reason.CLAIM_PENDING),
    ],
)
def test_a_file_system_that_became_read_only_is_worse_than_all_that_is_true(
    reason: Reason, status: ConditionStatus, after: Reason
) -> None:
    before = Condition(ConditionType.STORAGE_READY, status, reason, "as it is")
    condition = judge(read(storage=SIZE), before, Told(None, READ_ONLY), used(0.1, read_only=True))
    assert condition.reason is after
    assert condition.status is (ConditionStatus.FALSE if after is READ_ONLY else status)


def built(found: Found, **given: Any) -> dict[str, Any]:
    registry, findings = read(**given), Findings(usage=found)
    for which, reason in (
        (ConditionType.STORAGE_READY, Reason.EPHEMERAL),
        (ConditionType.REGISTRY_AVAILABLE, Reason.DEPLOYMENT_AVAILABLE),
        (ConditionType.NODES_READY, Reason.NODES_CONFIGURED),
    ):
        findings.put(Condition(which, ConditionStatus.TRUE, reason, "well"))
    if "storage" in given:
        findings.claim = {
            "metadata": {"name": "c", "uid": "c1"},
            "status": {"capacity": {"storage": "50Gi"}},
        }
    status.complete(registry, findings)
    return status.build(registry, findings, now=NOW)


def by_type(body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in body["conditions"]}


GIB = 1 << 30


@pytest.mark.parametrize(
    ("found", "given", "summary"),
    [
        (Usage(Kind.BLOBS, GIB, 99 * GIB, 50 * GIB, 50 * GIB), {"storage": SIZE}, "1Gi/50Gi"),
        (Usage(Kind.BLOBS, GIB, 99 * GIB, 50 * GIB, 50 * GIB), {}, "1Gi/ephemeral"),
        (Usage(Kind.BLOBS, 0, 9, 9, 9), {}, "0/ephemeral"),
        # A folder that nobody keeps from growing beyond what was asked for.
        (Usage(Kind.BLOBS, 60 * GIB, 99 * GIB, 9 * GIB, 9 * GIB), {"storage": SIZE}, "60Gi/50Gi"),
        (None, {"storage": SIZE}, "-/50Gi"),
        (Silent(), {}, "-/ephemeral"),
    ],
)
def test_the_summary_is_what_is_used_of_what_there_is(
    found: Found, given: dict[str, Any], summary: str
) -> None:
    storage = built(found, **given)["storage"]
    assert storage["summary"] == summary
    assert storage.get("used", "-") == summary.partition("/")[0]


@pytest.mark.parametrize("filled", [0.96, 1.0])
def test_a_full_volume_makes_nothing_less_ready(filled: float) -> None:
    conditions = by_type(built(used(filled), storage=SIZE))
    assert conditions["Ready"] == ("True", "Ready")
    assert conditions["StorageReady"] == ("True", (FULL if filled == 1.0 else ALMOST).value)


def test_a_read_only_volume_is_not_ready_and_is_again_when_it_is_mended() -> None:
    broken = built(used(0.1, read_only=True), storage=SIZE)
    conditions = by_type(broken)
    assert conditions["StorageReady"] == conditions["Ready"] == ("False", "VolumeReadOnly")
    assert conditions["NodesReady"] == ("True", "NodesConfigured"), "pulls go on"
    [message] = [c["message"] for c in broken["conditions"] if c["type"] == "StorageReady"]
    assert "pushes fail" in message
    assert "repair the file system" in message
    assert built(None, storage=SIZE, status=broken) == broken, "a restart of the operator"
    mended = by_type(built(used(0.1), storage=SIZE, status=broken))
    assert mended["Ready"] == ("True", "Ready")


def test_after_a_start_of_the_operator_figure_and_warning_stand_until_somebody_answers() -> None:
    before = built(used(0.96), storage=SIZE)
    assert built(None, storage=SIZE, status=before) == before
    silent = built(Silent(), storage=SIZE, status=before)
    assert silent["storage"]["summary"] == "-/50Gi"
    assert "used" not in silent["storage"]
    assert by_type(silent)["StorageReady"] == ("True", "Ephemeral")
    assert built(used(0.96), storage=SIZE, status=before) == before
