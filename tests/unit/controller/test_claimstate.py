"""What a claim is good for, and which size is asked of it."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import claimstate
from localregistry.spec.registry import LocalRegistry

META = {"name": "dev-registry", "namespace": "ns", "uid": "c1"}
SIZE = {"size": "2Gi"}


def registry(**storage: Any) -> LocalRegistry:
    meta = {"name": "dev", "namespace": "ns", "uid": "u1"}
    spec = {"host": "registry.example.internal", "storage": storage or SIZE}
    return LocalRegistry.from_body({"metadata": meta, "spec": spec})


def claim(
    *,
    request: str = "2Gi",
    capacity: str | None = "2Gi",
    phase: str = "Bound",
    modes: tuple[str, ...] = ("ReadWriteOnce",),
    told: tuple[tuple[str, str], ...] = (),
    state: str | None = None,
    **spec: Any,
) -> dict[str, Any]:
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": [{"type": t, "status": "True", "message": m} for t, m in told],
    }
    if capacity:
        status["capacity"] = {"storage": capacity}
    if state:
        status["allocatedResourceStatuses"] = {"storage": state}
    resources = {"requests": {"storage": request}}
    spec = {"accessModes": list(modes), "resources": resources, **spec}
    return {"metadata": META, "spec": spec, "status": status}


def shown(condition: Any) -> tuple[str, str]:
    return condition.status.value, condition.reason.value


SMALL: dict[str, Any] = {"request": "2Gi", "capacity": "1Gi"}


@pytest.mark.parametrize(
    ("live", "expected", "words"),
    [
        pytest.param(claim(), ("True", "ClaimBound"), "is bound", id="bound"),
        pytest.param(
            claim(request="5Gi", capacity="5Gi"), ("True", "ClaimBound"), "", id="larger than asked"
        ),
        pytest.param(
            claim(request="1Gi", capacity="10Gi"),
            ("True", "ClaimBound"),
            "",
            id="bound to a volume that is large enough",
        ),
        pytest.param(
            claim(request="5Gi", told=(("Resizing", ""),)),
            ("True", "ClaimBound"),
            "",
            id="growing beyond what the spec asks for",
        ),
        pytest.param(
            claim(phase="Pending", capacity=None), ("Unknown", "ClaimPending"), "", id="pending"
        ),
        pytest.param(
            claim(phase="Pending", capacity=None, request="1Gi"),
            ("Unknown", "ClaimPending"),
            "asks for 1Gi, and for 2Gi as soon as it is bound",
            id="pending and to grow",
        ),
        pytest.param(
            claim(phase="Lost"), ("False", "ClaimLost"), "restore", id="without its volume"
        ),
        pytest.param(
            claim(**SMALL), ("Unknown", "ClaimResizing"), "from 1Gi to 2Gi: if", id="asked to grow"
        ),
        pytest.param(
            claim(**SMALL, told=(("Resizing", ""),)),
            ("Unknown", "ClaimResizing"),
            "from 1Gi to 2Gi: if this lasts",
            id="growing",
        ),
        pytest.param(
            claim(**SMALL, state="ControllerResizeInProgress"),
            ("Unknown", "ClaimResizing"),
            "(ControllerResizeInProgress)",
            id="growing in the words of newer drivers",
        ),
        pytest.param(
            claim(
                **SMALL,
                told=(
                    ("Resizing", ""),
                    ("FileSystemResizePending", "Waiting for user to (re-)start a pod."),
                ),
            ),
            ("Unknown", "ClaimResizing"),
            "(FileSystemResizePending: Waiting for user to (re-)start a pod)",
            id="waiting for the node",
        ),
        pytest.param(
            claim(**SMALL, told=(("ControllerResizeError", "pool is full"),)),
            ("False", "ResizeRefused"),
            "cannot grow from 1Gi to 2Gi: pool is full",
            id="refused by its driver",
        ),
        pytest.param(
            claim(**SMALL, state="NodeResizeInfeasible"),
            ("False", "ResizeRefused"),
            "its driver says NodeResizeInfeasible",
            id="refused by its driver without words",
        ),
    ],
)
def test_storage_is_judged_by_a_claim_that_is(
    live: dict[str, Any], expected: tuple[str, str], words: str
) -> None:
    condition = claimstate.storage(registry(), live)
    assert shown(condition) == expected
    assert words in condition.message


def test_a_refusal_is_told_in_its_words_with_the_way_back() -> None:
    live = claim(request="1Gi", capacity="1Gi")
    condition = claimstate.storage(registry(), live, refused="the class must support resize")
    assert shown(condition) == ("False", "ResizeRefused")
    assert "stays at 1Gi" in condition.message
    assert "the class must support resize" in condition.message
    assert "spec.storage.size back to 1Gi" in condition.message


def test_a_claim_that_is_going_is_not_ready_though_it_is_bound() -> None:
    going = claim() | {"metadata": {**META, "deletionTimestamp": "t"}}
    condition = claimstate.storage(registry(), going)
    assert shown(condition) == ("False", "ClaimTerminating")
    assert "copy the images" in condition.message


def test_an_absent_existing_claim_is_named_with_the_next_step() -> None:
    condition = claimstate.storage(registry(existingClaim="mine"), None)
    assert shown(condition) == ("False", "ClaimNotFound")
    assert "PersistentVolumeClaim mine does not exist: create it" in condition.message


def test_ephemeral_storage_is_ready_without_a_claim() -> None:
    condition = claimstate.storage(registry(ephemeral=True), None)
    assert shown(condition) == ("True", "Ephemeral")


MINE = {"existingClaim": "mine"}
SHARED = ["ReadWriteMany"]


@pytest.mark.parametrize(
    ("storage", "live", "words"),
    [
        (SIZE, claim(), ""),
        (SIZE, claim(storageClassName="any"), ""),
        (SIZE | {"storageClassName": "a"}, claim(storageClassName="a"), ""),
        (SIZE | {"storageClassName": "a"}, claim(storageClassName="b"), "storageClassName b, not"),
        (SIZE | {"storageClassName": "a"}, claim(), "storageClassName None, not a"),
        (SIZE | {"accessModes": SHARED}, claim(), "accessModes ReadWriteOnce, not ReadWriteMany"),
        (SIZE, claim(volumeMode="Block"), "needs a file system"),
        (MINE, claim(), ""),
        (MINE, claim(modes=("ReadWriteOncePod",)), ""),
        (MINE, claim(modes=("ReadOnlyMany", "ReadWriteMany")), ""),
        (MINE, claim(modes=("ReadOnlyMany",)), "can only be read"),
        (MINE, claim(volumeMode="Block"), "needs a file system"),
        (MINE | {"accessModes": SHARED}, claim(modes=("ReadWriteMany",)), ""),
        (MINE | {"accessModes": SHARED}, claim(), "make the LocalRegistry anew without it"),
    ],
)
def test_a_claim_suits_or_is_told_why_not(
    storage: dict[str, Any], live: dict[str, Any], words: str
) -> None:
    found = claimstate.unsuitable(registry(**storage), live)
    assert (words in found) if words else found == ""
    condition = claimstate.storage(registry(**storage), live)
    assert (condition.reason.value == "ClaimUnsuitable") is bool(words)


@pytest.mark.parametrize(
    ("live", "size"),
    [
        pytest.param(None, "2Gi", id="none yet"),
        pytest.param(claim(request="1Gi", capacity="1Gi"), "2Gi", id="smaller"),
        pytest.param(claim(request="2048Mi"), "2048Mi", id="the same in other words"),
        pytest.param(claim(request="5Gi", capacity="5Gi"), "5Gi", id="larger"),
        pytest.param(claim(request="5Gi", capacity="1Gi"), "5Gi", id="larger and not yet grown"),
        pytest.param(
            claim(request="1Gi", capacity="10Gi"), "1Gi", id="smaller on a volume large enough"
        ),
        pytest.param(
            claim(request="1Gi", capacity=None, phase="Pending"), "1Gi", id="without a volume"
        ),
        pytest.param(claim(request="1Gi", capacity="1Gi", phase="Lost"), "1Gi", id="lost"),
    ],
)
def test_the_size_that_is_asked_for_where_the_claim_is(
    live: dict[str, Any] | None, size: str
) -> None:
    wanted = claim(capacity=None)
    fitted = claimstate.fitted(wanted, live)
    assert fitted["spec"]["resources"]["requests"]["storage"] == size
    assert wanted == claim(capacity=None), "what was built is not changed"
    if live:
        asks_more = size == "2Gi"
        assert claimstate.grows(fitted, live) is asks_more


def _applied(manager: str, **fields: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": fields}}


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        ([_applied("localregistry-operator", **{"f:storageClassName": {}})], "slow"),
        ([_applied("localregistry-operator", **{"f:resources": {}})], None),
        ([_applied("somebody", **{"f:storageClassName": {}})], None),
        ([], None),
    ],
    ids=["by us", "by default", "by somebody else", "by whom nobody knows"],
)
def test_a_class_is_applied_on_where_it_was_given(
    entries: list[dict[str, Any]], kept: str | None
) -> None:
    live = claim(storageClassName="slow")
    live["metadata"] = {**META, "managedFields": entries}
    assert claimstate.fitted(claim(), live)["spec"].get("storageClassName") == kept
