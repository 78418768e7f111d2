"""What the watches tell makes a run, unless a run of ours has seen that very version already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from localregistry.controller.claims import Key
from localregistry.controller.news import HOLD_SECONDS, Echoes, News
from unit.controller.bodies import KEY

OTHER: Key = ("ns", "other")


def body(uid: str = "c1", version: str = "7", generation: int = 1) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version, "generation": generation}}


class Desk:
    """News with a clock that a test winds."""

    def __init__(self) -> None:
        self.echoes = Echoes()
        self.added: list[Key] = []
        self.hurried: list[Key] = []
        self.timers: list[tuple[float, Callable[[Key], None], Key]] = []
        self.news = News(
            self.echoes, add=self.added.append, hurry=self.hurried.append, later=self._later
        )

    def _later(self, seconds: float, call: Callable[[Key], None], key: Key) -> None:
        self.timers.append((seconds, call, key))

    def wind(self) -> list[Key]:
        timers, self.timers = self.timers, []
        for seconds, call, key in timers:
            assert seconds == HOLD_SECONDS
            call(key)
        return self.added


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("first", ["the answer", "the event"])
def test_our_own_write_is_no_news_whichever_comes_first(desk: Desk, first: str) -> None:
    if first == "the answer":
        desk.echoes.wrote("u1", body())
        desk.news.tell(KEY, body())
    else:
        desk.news.tell(KEY, body())
        desk.echoes.wrote("u1", body())
    assert desk.wind() == []


@pytest.mark.parametrize(
    "seen",
    [body(version="8"), body("c2"), body(version="")],
    ids=["a later version", "another object", "an object without a version"],
)
def test_what_no_run_has_seen_is_news(desk: Desk, seen: dict[str, Any]) -> None:
    desk.echoes.wrote("u1", body())
    desk.news.tell(KEY, seen)
    assert desk.added == [], "it is held for a moment"
    assert desk.wind() == [KEY]


def test_news_of_several_children_make_one_run(desk: Desk) -> None:
    desk.echoes.wrote("u1", body())
    for seen in (body(), body("c2"), body("c3")):
        desk.news.tell(KEY, seen)
    desk.news.tell(OTHER, body("c9"))
    assert desk.wind() == [KEY, OTHER]
    desk.news.tell(KEY, body("c2"))
    assert desk.wind() == [KEY, OTHER, KEY], "what comes later makes another one"


def test_the_last_version_decides(desk: Desk) -> None:
    desk.news.tell(KEY, body(version="7"))
    desk.news.tell(KEY, body(version="8"))
    desk.echoes.wrote("u1", body(version="8"))
    assert desk.wind() == [], "a run has seen what came after"
    desk.news.tell(KEY, body(version="8"))
    desk.news.tell(KEY, body(version="9"))
    assert desk.wind() == [KEY]


@pytest.mark.parametrize(
    ("seen", "at_once", "in_the_end"),
    [
        pytest.param(body("u1", "1"), [], [], id="our own write"),
        pytest.param(body("u1", "2"), [], [KEY], id="somebody else's annotation"),
        pytest.param(body("u1", "2", 2), [KEY], [], id="a new spec"),
        pytest.param(body("u2", "9"), [KEY], [], id="a namesake"),
    ],
)
def test_a_users_word_is_taken_at_once(
    desk: Desk, seen: dict[str, Any], at_once: list[Key], in_the_end: list[Key]
) -> None:
    desk.echoes.wrote("u1", body("u1", "1"))
    desk.news.tell_parent(KEY, seen)
    assert desk.hurried == at_once
    assert desk.wind() == in_the_end


def test_nothing_is_kept_of_what_is_gone(desk: Desk) -> None:
    desk.echoes.wrote("u1", body("c1"))
    desk.echoes.wrote("u1", body("c2"))
    desk.echoes.wrote("u2", body("c3"))
    desk.echoes.forget("u1")
    desk.echoes.forget("unknown")
    assert [desk.echoes.seen(body(uid)) for uid in ("c1", "c2", "c3")] == [False, False, True]
