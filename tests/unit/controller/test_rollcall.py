"""Who is missing after a list: those who were known before it and of whom nothing was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localregistry.controller.kinds import INGRESS, SERVICE, Kind
from localregistry.controller.rollcall import HANDED_OVER_SECONDS, RollCall


class Call:
    """A roll call whose time passes when a test says so."""

    def __init__(self, *known: str, of: Kind = SERVICE) -> None:
        self.known: dict[Kind, dict[str, str]] = {of: {uid: f"team/{uid}" for uid in known}}
        self.missing: list[str] = []
        self._due: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.waits: list[float] = []
        self.roll = RollCall(
            lambda kind: self.known.get(kind, {}),
            lambda kind, what: self.missing.append(f"{kind} {what}"),
            later=self._later,
        )

    def _later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self.waits.append(seconds)
        self._due.append((call, arguments))

    def pass_time(self) -> None:
        due, self._due = self._due, []
        for call, arguments in due:
            call(*arguments)

    def list(self, *there: str, kind: Kind = SERVICE) -> None:
        self.roll.listing(kind)
        for uid in there:
            self.roll.seen(uid)
        self.roll.listed(kind)


@pytest.mark.parametrize(
    ("known", "there", "missing"),
    [
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], ["b"], ["Service team/a"]),
        (["a", "b"], [], ["Service team/a", "Service team/b"]),
        ([], ["a"], []),
        ([], [], []),
        (["a"], ["a", "stranger"], []),
    ],
    ids=[
        "all are there",
        "one has gone",
        "an empty list tells that all have gone",
        "who was not known is not missed",
        "nothing known and nothing there",
        "strangers are nobody's",
    ],
)
def test_who_is_known_and_not_told_of_is_missing(
    known: list[str], there: list[str], missing: list[str]
) -> None:
    call = Call(*known)
    call.list(*there)
    assert call.missing == []
    call.pass_time()
    assert call.missing == missing


def test_what_is_handed_over_late_is_not_missed() -> None:
    call = Call("a")
    call.list()
    call.roll.seen("a")
    call.pass_time()
    assert call.missing == []
    assert call.waits == [HANDED_OVER_SECONDS]


def test_what_is_made_while_a_list_runs_is_not_missed() -> None:
    call = Call("a")
    call.roll.listing(SERVICE)
    call.known[SERVICE]["new"] = "team/new"
    call.roll.seen("a")
    call.roll.listed(SERVICE)
    call.pass_time()
    assert call.missing == []


def test_a_list_that_is_begun_once_more_starts_afresh() -> None:
    call = Call("a", "b")
    call.list("a")
    call.roll.listing(SERVICE)
    call.pass_time()
    assert call.missing == [], "the first list counts no more, and the second is not at its end"
    call.roll.seen("a")
    call.roll.listed(SERVICE)
    call.pass_time()
    assert call.missing == ["Service team/b"]


def test_each_kind_is_called_by_itself() -> None:
    call = Call("a")
    call.known[INGRESS] = {"i": "team/i"}
    call.roll.listing(INGRESS)
    call.list("a")
    call.pass_time()
    assert call.missing == []
    call.roll.listed(INGRESS)
    call.pass_time()
    assert call.missing == ["Ingress team/i"]


def test_a_watch_without_a_list_before_it_misses_nobody() -> None:
    call = Call("a")
    call.roll.listed(SERVICE)
    call.pass_time()
    assert (call.missing, call.waits) == ([], [])
