"""`wait`: what is pending, until it is ready or the time is over."""

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from localregistry.commands import pending, screen, waiting
from localregistry.commands.durations import duration, short
from localregistry.commands.nodes import Row
from localregistry.commands.pending import Pending
from localregistry.commands.problems import Problem, Unavailable
from unit.commands.examples import NODES, condition, registry
from unit.commands.standin import StandIn, listed
from unit.commands.test_view import on_terminal
from unit.golden import assert_golden

pytestmark = pytest.mark.ux

ONE = "/apis/localregistry.dev/v1alpha1/namespaces/registries/localregistries/dev"


def ready(*, generation: int = 1) -> dict[str, Any]:
    said = condition("Ready", "True", "Ready") | {"observedGeneration": generation}
    return registry(status={"conditions": [said]})


def unready(reason: str = "NodesPending", message: str = "1/3 nodes can pull") -> dict[str, Any]:
    conditions = [
        condition(kind, "Unknown", reason, message) | {"observedGeneration": 1}
        for kind in ("Ready", "NodesReady")
    ]
    return registry(status={"conditions": conditions})


def unseen() -> dict[str, Any]:
    return registry(status={"conditions": []})


NODE = Row("node-b", "docker", "28", "Pending", "Its pull is under way")
WHAT: dict[str, tuple[dict[str, Any], list[Pending]]] = {
    "ready": (ready(), []),
    "seen by nobody": (unseen(), [Pending("Ready", "NotSeen", "No operator has looked at it yet")]),
    "ready before the last change": (
        ready(generation=0),
        [Pending("Ready", "Reconciling", "The operator has not seen the last change yet")],
    ),
    "a condition and its node": (
        unready(),
        [
            Pending("NodesReady", "NodesPending", "1/3 nodes can pull"),
            Pending("node node-b", "Pending", "Its pull is under way"),
        ],
    ),
}


@pytest.mark.parametrize(("body", "expected"), WHAT.values(), ids=WHAT)
def test_what_is_pending_is_named(body: dict[str, Any], expected: list[Pending]) -> None:
    assert pending.pending(body, [NODE, Row("node-a", "", "", "Configured")]) == expected


def test_a_reason_that_stands_in_ready_alone_is_named() -> None:
    said = condition("Ready", "False", "HostConflict", "taken") | {"observedGeneration": 1}
    body = registry(status={"conditions": [said]})
    assert pending.pending(body, []) == [Pending("Ready", "HostConflict", "taken")]


class Time:
    """Moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def wait(*states: Any, timeout: float = 10.0) -> tuple[bool, float, list[Pending], list[str]]:
    """Through these answers of the API server, the last of which stays."""
    given: Iterator[Any] = iter(states)
    last: list[Any] = []

    def answer(_: Any) -> Any:
        last[:] = [next(given, last[-1] if last else None)]
        return last[0]

    cluster = StandIn({ONE: answer, "/api/v1/nodes": listed(*NODES)})
    arguments = Namespace(
        name="dev", namespace="registries", timeout=timeout, operator_namespace="x", agent_port=1
    )
    seen = []

    def show(elapsed: str, left: Sequence[Pending]) -> None:
        seen.append(f"{elapsed}: {left[0].reason}")

    time = Time()
    waits = waiting.Waiting(cluster, arguments, clock=time.clock, sleep=time.sleep)
    return *waits.until_ready(show), seen


def test_it_ends_when_ready() -> None:
    done, spent, left, seen = wait(unseen(), unready(), ready())
    assert (done, spent, left) == (True, 2.0, [])
    assert seen == ["0s of 10s: NotSeen", "1s of 10s: NodesPending"]


def test_it_ends_with_the_time_and_says_what_is_left() -> None:
    done, spent, left, _ = wait(unready(), timeout=2.5)
    assert (done, spent) == (False, 2.5)
    assert left[0].reason == "NodesPending"


def test_without_time_it_looks_once() -> None:
    assert wait(ready(), timeout=0.0)[:2] == (True, 0.0)
    assert wait(unready(), timeout=0.0)[:2] == (False, 0.0)


def test_an_api_server_that_goes_away_meanwhile_is_waited_for() -> None:
    done, spent, _, seen = wait(unready(), Unavailable("It is away.", ""), ready())
    assert (done, spent) == (True, 2.0)
    assert seen[-1] == "1s of 10s: Unavailable"


@pytest.mark.parametrize("states", [(Unavailable("It is away.", ""),), (unready(), None)])
def test_where_nothing_is_or_it_is_deleted_there_is_no_answer(states: Any) -> None:
    with pytest.raises(Problem):
        wait(*states)


def test_a_pipe_gets_a_line_for_each_change() -> None:
    out = io.StringIO()
    lines = waiting.Lines(out)
    first = Pending("NodesReady", "NodesPending", "1/3\x1b[2J")
    for elapsed, left in (
        ("1s", [first]),
        ("2s", [first]),
        ("3s", [first, Pending("a", "b", "c")]),
    ):
        lines.show(f"{elapsed} of 5m", left)
    assert out.getvalue() == "1s   NodesReady   NodesPending   1/3 [2J\n3s   a   b   c\n"


def test_a_terminal_gets_a_table(request: pytest.FixtureRequest) -> None:
    left = pending.pending(unready(), [NODE])
    drawn = on_terminal([waiting.table("12s of 5m", left)])
    assert_golden(request, "commands/wait-terminal.txt", drawn)


def test_the_table_is_gone_when_it_ends() -> None:
    class Out(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Out()
    with waiting.Terminal(out) as board:
        board.show("1s of 5m", [Pending("NodesReady", "NodesPending", "1/3")])
    assert "NodesPending" in out.getvalue()
    assert screen.clean(out.getvalue()).rstrip().endswith("[2K")


@pytest.mark.parametrize(
    ("text", "seconds"),
    {"90s": 90, "5m": 300, "1h30m": 5400, "120": 120, "0": 0, "0s": 0}.items(),
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 m", "-1", "1.5m", "5x", "9" * 40])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is no duration such as"):
        duration(text)


def test_durations_are_written_short() -> None:
    assert [short(s) for s in (0, 12.9, 300, 5400, 3661)] == ["0s", "12s", "5m", "1h30m", "1h1m1s"]
