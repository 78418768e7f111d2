"""The proving pulls: when they start, and what their failures mean."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from localregistry.agent.verifier import GRACE_SECONDS, PAUSES, SLOTS, Verifier
from localregistry.trust import NodeReason

from .standins import Clock, Pull

REFUSED = {"error": {"kind": "call", "message": "connect: connection refused"}}
MISSING = {"error": {"kind": "call", "message": "manifest unknown"}}


class Bench:
    """A verifier whose pulls end when told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.result: Mapping[str, object] = {"ok": {}}
        self.started: list[str] = []
        self.pulls: dict[str, Pull] = {}
        self.verifier = Verifier(self._start, self.clock)

    def _start(self, uid: str) -> Pull:
        self.started.append(uid)
        self.pulls[uid] = Pull(self.result, done=False)
        return self.pulls[uid]

    def end(self, *uids: str) -> dict[str, str]:
        return self.verifier.step([self.pulls[uid] for uid in uids])

    def fail_for(self, uid: str, seconds: float) -> None:
        end = self.clock.now + seconds
        self.verifier.step([])
        while self.clock.now < end:
            self.verifier.step(self.verifier.running())
            due = self.verifier.next_due()
            assert due is not None
            self.clock.now = min(max(due, self.clock.now + 0.01), end)
            self.verifier.step([])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_pull_proves_its_key(bench: Bench) -> None:
    bench.verifier.want({"u": "key"})
    assert bench.verifier.step([]) == {}
    assert bench.verifier.result("u").reason is NodeReason.PENDING
    assert bench.end("u") == {"u": "key"}
    assert bench.verifier.idle


def test_a_failure_is_pending_for_the_grace_period_and_then_failed(bench: Bench) -> None:
    bench.result = REFUSED
    bench.verifier.want({"u": "key"})
    bench.fail_for("u", GRACE_SECONDS - 1)
    assert bench.verifier.result("u").reason is NodeReason.PENDING
    bench.fail_for("u", 2)
    result = bench.verifier.result("u")
    assert result.reason is NodeReason.PULL_FAILED
    assert "connection refused" in result.message


def test_a_registry_that_answers_without_the_probe_has_failed_at_once(bench: Bench) -> None:
    bench.result = MISSING
    bench.verifier.want({"u": "key"})
    bench.verifier.step([])
    bench.end("u")
    assert bench.verifier.result("u").reason is NodeReason.PULL_FAILED
    assert not bench.verifier.failing()


def test_retries_come_with_growing_pauses_and_never_end(bench: Bench) -> None:
    bench.result = REFUSED
    bench.verifier.want({"u": "key"})
    bench.fail_for("u", 60)
    assert 9 <= len(bench.started) <= len(PAUSES) + 5
    bench.verifier.step(bench.verifier.running())
    bench.result = {"ok": {}}
    bench.clock.now += PAUSES[-1]
    bench.verifier.step([])
    assert bench.end("u") == {"u": "key"}


def test_dead_registries_do_not_hold_up_a_live_one(bench: Bench) -> None:
    dead = {f"dead{i}": "key" for i in range(SLOTS - 1)}
    bench.verifier.want(dead)
    bench.verifier.step([])
    bench.verifier.want({**dead, "live": "key"})
    bench.verifier.step([])
    assert bench.end("live") == {"live": "key"}


def test_what_was_never_tried_goes_before_what_failed(bench: Bench) -> None:
    bench.result = REFUSED
    failed = {f"a{i}": "key" for i in range(SLOTS)}
    bench.verifier.want(failed)
    bench.verifier.step([])
    bench.end(*failed)
    bench.verifier.want({**failed, "new": "key"})
    bench.clock.now += 1
    bench.started.clear()
    bench.verifier.step([])
    assert bench.started[0] == "new"
    assert len(bench.started) == SLOTS


def test_another_key_ends_the_old_pull(bench: Bench) -> None:
    bench.verifier.want({"u": "old"})
    bench.verifier.step([])
    old = bench.pulls["u"]
    bench.verifier.want({"u": "new"})
    assert old.cancelled
    bench.verifier.step([])
    assert bench.end("u") == {"u": "new"}


def test_the_same_key_goes_on(bench: Bench) -> None:
    bench.verifier.want({"u": "key"})
    bench.verifier.step([])
    bench.verifier.want({"u": "key"})
    assert not bench.pulls["u"].cancelled
    assert bench.started == ["u"]


def test_a_runtime_that_remembers_is_asked_when_it_has_forgotten(bench: Bench) -> None:
    """A pull that runs already goes by what it remembers, and would prove nothing."""
    bench.verifier.want({"u1": "k"})
    bench.verifier.step(())
    early = bench.pulls["u1"]
    bench.verifier.want({"u1": "k"}, lag=5.5)
    assert early.cancelled
    assert bench.verifier.step(()) == {}
    assert bench.verifier.running() == []
    bench.verifier.want({"u1": "k"})
    assert bench.verifier.next_due() == bench.clock.now + 5.5
    bench.clock.now += 5.5
    bench.verifier.step(())
    assert bench.end("u1") == {"u1": "k"}


def test_a_name_that_the_node_resolves_itself_is_named(bench: Bench) -> None:
    bench.result = {"error": {"kind": "call", "message": "no such host"}}
    bench.verifier.want({"u1": "k", "u2": "k"})
    bench.verifier.step(())
    bench.verifier.step(bench.verifier.running(), dns={"u1": "a.example"})
    assert "resolve a.example: add it to your DNS" in bench.verifier.result("u1").message
    assert "your DNS" not in bench.verifier.result("u2").message


def test_a_pull_without_end_is_given_up(bench: Bench) -> None:
    bench.result = REFUSED
    bench.verifier.want({"u": "key"})
    bench.verifier.step([])
    bench.clock.now += 3600
    bench.verifier.step([])
    assert bench.verifier.failing()


def test_no_runtime_to_ask_is_a_failure_with_words() -> None:
    clock = Clock()
    verifier = Verifier(lambda _: None, clock)
    verifier.want({"u": "key"})
    verifier.step([])
    assert "CRI socket" in verifier.result("u").message
    verifier.close()
    assert verifier.idle
