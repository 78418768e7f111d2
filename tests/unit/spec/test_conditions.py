"""Conditions: how Ready follows from the others, and how they are merged."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localregistry.spec.conditions import (
    MAX_MESSAGE,
    Condition,
    ConditionStatus,
    ConditionType,
    Reason,
    merge_conditions,
    ready_condition,
)

T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def _storage(status: ConditionStatus) -> Condition:
    return Condition(ConditionType.STORAGE_READY, status, Reason.CLAIM_PENDING, "storage")


def _registry(status: ConditionStatus) -> Condition:
    return Condition(
        ConditionType.REGISTRY_AVAILABLE, status, Reason.DEPLOYMENT_UNAVAILABLE, "registry"
    )


def _nodes(status: ConditionStatus) -> Condition:
    return Condition(ConditionType.NODES_READY, status, Reason.NODES_FAILING, "nodes")


@pytest.mark.parametrize(
    ("storage", "registry", "nodes", "status", "message"),
    [
        (T, T, T, T, "Storage, registry and nodes are ready"),
        (F, T, T, F, "storage"),
        (T, F, T, F, "registry"),
        (T, T, F, F, "nodes"),
        (T, T, U, U, "nodes"),
        (F, F, F, F, "storage"),
        (T, F, U, F, "registry"),
        (U, F, T, F, "registry"),
        (U, U, U, U, "storage"),
    ],
)
def test_ready_is_the_conjunction(
    storage: ConditionStatus,
    registry: ConditionStatus,
    nodes: ConditionStatus,
    status: ConditionStatus,
    message: str,
) -> None:
    ready = ready_condition(_storage(storage), _registry(registry), _nodes(nodes))
    assert (ready.type, ready.status, ready.message) == (ConditionType.READY, status, message)
    if status is T:
        assert ready.reason is Reason.READY


def _merge(old: Any, *new: Condition, now: str = NOW, generation: int = 2) -> list[dict[str, Any]]:
    return merge_conditions(old, new, generation=generation, now=now)


def test_conditions_are_written_in_one_order_with_ready_first() -> None:
    ready = ready_condition(_storage(T), _registry(T), _nodes(T))
    exposed = Condition(ConditionType.EXPOSED, U, Reason.INGRESS_PENDING)
    merged = _merge([], _nodes(T), exposed, _registry(T), ready, _storage(T))
    assert [item["type"] for item in merged] == [item.value for item in ConditionType]
    assert merged == _merge([], ready, _storage(T), _registry(T), exposed, _nodes(T))


def test_a_condition_has_all_that_metav1_asks_for() -> None:
    assert _merge([], _nodes(F)) == [
        {
            "type": "NodesReady",
            "status": "False",
            "reason": "NodesFailing",
            "message": "nodes",
            "lastTransitionTime": NOW,
            "observedGeneration": 2,
        }
    ]


def test_the_transition_time_stays_until_the_status_changes() -> None:
    before = _merge([], _nodes(F), now=EARLIER)
    other = Condition(ConditionType.NODES_READY, F, Reason.NODES_PENDING, "other")
    assert _merge(before, other)[0]["lastTransitionTime"] == EARLIER
    assert _merge(before, other)[0]["message"] == "other"
    assert _merge(before, _nodes(T))[0]["lastTransitionTime"] == NOW


def test_merging_the_same_again_changes_nothing() -> None:
    before = _merge([], _nodes(F), _storage(T), now=EARLIER)
    assert _merge(before, _storage(T), _nodes(F)) == before


def test_what_is_not_spoken_of_stays_and_what_is_foreign_is_left_out() -> None:
    before = _merge([], _storage(T), now=EARLIER)
    foreign = [{"type": "example.com/Audited", "status": "True"}]
    assert [item["type"] for item in _merge(before + foreign, _nodes(T))] == [
        "StorageReady",
        "NodesReady",
    ]


def test_a_long_message_is_trimmed() -> None:
    long = Condition(ConditionType.NODES_READY, F, Reason.NODES_FAILING, "x" * 5000)
    message = _merge([], long)[0]["message"]
    assert (len(message), message[-1]) == (MAX_MESSAGE, "…")


@pytest.mark.parametrize(
    "old",
    [
        None,
        {},
        "x",
        [None, 1, "x", [], {}],
        [{"type": None}],
        [{"type": []}],
        [{"type": "NodesReady"}],
        [{"type": "NodesReady", "status": "False", "lastTransitionTime": None}],
    ],
)
def test_a_damaged_status_is_written_anew(old: Any) -> None:
    assert _merge(old, _nodes(F)) == _merge([], _nodes(F))


def test_reasons_are_camel_case_words_that_admission_takes() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z]{2,40}", reason.value) for reason in Reason)
