"""`localregistry wait`: what is pending on which node, until Ready or until the time is over."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from localregistry.commands import options, registries, screen, status
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.durations import duration, short
from localregistry.commands.nodes import Row
from localregistry.commands.pending import Pending, is_ready, pending
from localregistry.commands.problems import Exit, Problem, Unavailable

EXAMPLES = """\
{} wait dev                              # five minutes at most
{} wait dev -n registries --timeout 90s
{} wait dev && docker push registry.example.internal/app:1"""

# A GET of one small object. A watch would need one more right.
LOOK_SECONDS = 1.0
# Nodes, and their agents where the status does not account for them all: a request for each.
NODES_SECONDS = 5.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "wait until a LocalRegistry is ready, and show what is pending on which node"
    parser = options.add(commands, "wait", text, EXAMPLES)
    parser.add_argument("name", metavar="NAME")
    options.choose_namespace(parser)
    parser.add_argument(
        "--timeout", type=duration, default=300.0, help="90s, 5m, 1h30m; 0 looks once (5m)"
    )
    options.choose_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with options.cluster(arguments) as cluster:
        waiting = Waiting(cluster, arguments)
        board = Terminal(sys.stdout) if sys.stdout.isatty() else Lines(sys.stdout)
        with board:
            ready, spent, left = waiting.until_ready(board.show)
    name = f"{waiting.namespace}/{arguments.name}"
    if ready:
        print(f"{name} is ready after {short(spent)}")
        return Exit.WELL
    first = left[0]
    print(
        f"{name} is not ready after {short(spent)}: {first.reason}: {screen.clean(first.message)}",
        file=sys.stderr,
    )
    return Exit.NOT


Show = Callable[[str, Sequence[Pending]], None]


class Waiting:
    """One wait. `clock` in seconds, and `sleep`, are named here for tests."""

    def __init__(
        self,
        cluster: Cluster,
        arguments: argparse.Namespace,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.namespace = str(arguments.namespace or cluster.namespace)
        self._cluster = cluster
        self._arguments = arguments
        self._clock = clock
        self._sleep = sleep
        self._rows: list[Row] = []
        self._asked: float | None = None

    def until_ready(self, show: Show) -> tuple[bool, float, list[Pending]]:
        """Whether it is ready, the seconds that it took, and what is pending still.

        Raises Problem where nothing can be seen at first; later an API server is waited for.
        """
        start = self._clock()
        body: Body | None = registries.one(self._cluster, self.namespace, self._arguments.name)
        left: list[Pending] = []
        while True:
            spent = self._clock() - start
            if body is not None:
                left = pending(body, self._nodes(body))
            if not left:
                return True, spent, []
            timeout = self._arguments.timeout
            show(f"{short(spent)} of {short(timeout)}", left)
            if spent >= timeout:
                return False, spent, left
            self._sleep(min(LOOK_SECONDS, timeout - spent))
            body, left = self._look(left)

    def _look(self, before: list[Pending]) -> tuple[Body | None, list[Pending]]:
        try:
            return registries.one(self._cluster, self.namespace, self._arguments.name), before
        except Unavailable as problem:
            return None, [Pending("API server", "Unavailable", problem.sentence)]

    def _nodes(self, body: Body) -> list[Row]:
        """As they were a moment ago: to ask costs a request for each of them."""
        now = self._clock()
        if is_ready(body) or (self._asked is not None and now - self._asked < NODES_SECONDS):
            return self._rows
        try:
            self._rows, _ = status.of_nodes(self._cluster, body, self._arguments)
            self._asked = now
        except Problem:
            self._rows = []
        return self._rows


class Lines(nullcontext[Any]):
    """One line for each thing that is newly pending, or pending for another reason."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._before: set[Pending] = set()

    def show(self, elapsed: str, left: Sequence[Pending]) -> None:
        for one in left:
            if one not in self._before:
                line = f"{elapsed.split()[0]}   {one.what}   {one.reason}   {one.message}"
                print(screen.clean(line), file=self._out, flush=True)
        self._before = set(left)


class Terminal(AbstractContextManager["Terminal"]):
    """One table that changes in its place, and is gone when it ends."""

    def __init__(self, out: TextIO) -> None:
        self._live = screen.live(out)

    def __enter__(self) -> Terminal:
        self._live.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._live.__exit__(*details)

    def show(self, elapsed: str, left: Sequence[Pending]) -> None:
        self._live.update(screen.rendered([table(elapsed, left)]), refresh=True)


def table(elapsed: str, left: Sequence[Pending]) -> screen.Table:
    columns = ["pending", "reason", "message"]
    return screen.Table(columns, [list(one) for one in left], title=f"Waiting, {elapsed}")
