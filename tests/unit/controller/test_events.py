"""Events: one for each change of a condition, and never a reason to fail."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events, changes
from localregistry.controller.kinds import EVENT
from unit.controller.bodies import NAMESPACE, SYSTEM, lreg
from unit.controller.standin_api import StandInApi

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def condition(
    which: str = "Ready", status: str = "True", reason: str = "Ready", message: str = "all is well"
) -> dict[str, Any]:
    return {"type": which, "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        ([], [condition()], ["Ready"]),
        ([condition()], [condition()], []),
        ([condition()], [condition(message="in other words")], []),
        ([condition()], [condition(status="False")], ["Ready"]),
        ([condition()], [condition(reason="Reconciling")], ["Ready"]),
        ([condition()], [], []),
        ([condition("Exposed")], [condition("Exposed"), condition()], ["Ready"]),
        ([{"type": "Ready"}], [condition()], ["Ready"]),
        ([], [condition(status="Unknown")], []),
        ([condition()], [condition(status="Unknown")], ["Ready"]),
    ],
    ids=[
        "the first is news",
        "the same is none",
        "other words are none",
        "another status is",
        "another reason is",
        "one that went is none",
        "each is told by itself",
        "an old one without a status is no fault",
        "that nothing is known of a new one is none",
        "that nothing is known any more is",
    ],
)
def test_changes_of_conditions(before: Any, after: Any, news: list[str]) -> None:
    assert [c["type"] for c in changes(before, after)] == news


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("True", "Ready", "Normal"),
        ("Unknown", "ClaimPending", "Normal"),
        ("False", "DataLost", "Warning"),
        ("True", "StorageAlmostFull", "Warning"),
        ("True", "StorageFull", "Warning"),
    ],
)
async def test_what_is_broken_or_about_to_break_is_a_warning(
    status: str, reason: str, kind: str
) -> None:
    api = StandInApi(lreg())
    events = Events(api, instance="op-1", namespace=SYSTEM)
    await events.conditions(lreg(), [condition("StorageReady", status, reason)])
    (event,) = api.all_of(EVENT)
    assert (event["type"], event["reason"]) == (kind, reason)


async def posted(api: StandInApi, **given: Any) -> dict[str, Any]:
    arguments = {"reason": "Ready", "note": "Ready is True: all is well", **given}
    body = arguments.pop("body", lreg())
    await Events(api, instance="op-1" * 50, namespace=SYSTEM).post(body, **arguments)
    (event,) = api.all_of(EVENT)
    return event


async def test_an_event_says_what_about_whom_and_from_whom() -> None:
    event = await posted(StandInApi())
    assert event["metadata"]["namespace"] == NAMESPACE
    assert event["regarding"]["uid"] == "u1"
    assert event["regarding"]["kind"] == "LocalRegistry"
    assert (event["type"], event["reason"], event["action"]) == ("Normal", "Ready", "Reconcile")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["eventTime"])
    assert len(event["reportingInstance"]) == 128


@pytest.mark.parametrize(
    "note",
    ["x" * 5000, "é" * 1000, "x" + "…" * 800, "🐳" * 300],
    ids=["long", "of two bytes a character", "cut within a character", "of four bytes a character"],
)
async def test_a_note_is_cut_to_the_bytes_that_the_api_server_takes(note: str) -> None:
    event = await posted(StandInApi(), note=note)
    assert 1020 < len(event["note"].encode()) <= 1024
    assert note.startswith(event["note"])


@pytest.mark.parametrize("name", ["dev", "a" * 253, "a" * 229 + ".b", "a" * 228 + "--" + "b" * 20])
async def test_the_name_of_an_event_is_one_that_the_api_server_takes(name: str) -> None:
    event = await posted(StandInApi(), body=lreg(name=name))
    made = event["metadata"]["name"]
    assert NAME.fullmatch(made)
    assert len(made) <= 253
    assert made.startswith(name[:220])


async def test_an_event_of_one_that_goes_with_its_namespace_is_put_elsewhere() -> None:
    event = await posted(StandInApi(), elsewhere=True)
    assert event["metadata"]["namespace"] == SYSTEM
    assert event["regarding"]["namespace"] == NAMESPACE


@pytest.mark.parametrize(
    ("status", "kind"), [("True", "Normal"), ("Unknown", "Normal"), ("False", "Warning")]
)
async def test_a_condition_that_is_false_is_a_warning(status: str, kind: str) -> None:
    api = StandInApi()
    posts = Events(api, instance="op-1", namespace=SYSTEM)
    await posts.conditions(lreg(), [condition(status=status), condition("Exposed", status)])
    events = api.all_of(EVENT)
    assert [event["type"] for event in events] == [kind, kind]
    assert events[1]["note"] == f"Exposed is {status}: all is well"


async def test_an_event_that_is_refused_keeps_no_other_from_being_posted() -> None:
    api = StandInApi()
    api.fail("create", EVENT, ApiError(403, "events is forbidden"))
    posts = Events(api, instance="op-1", namespace=SYSTEM)
    await posts.conditions(lreg(), [condition(), condition("Exposed")])
    assert [event["note"][:7] for event in api.all_of(EVENT)] == ["Exposed"]
