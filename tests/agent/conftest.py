"""Fixtures of the agent's tests: `node` is fresh for each test, and is seen to run at its end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from agent import roots, store
from agent.matrix import KINDS, Kind
from agent.node import Node
from kind import build, debian, machine, progress, settings, shell

GO_PROGRAMS = ("registry", "cri-dockerd", "containerd", "containerd-shim-runc-v2", "dockerd")


@dataclass(frozen=True)
class Lab:
    """What nodes are made of."""

    folder: Path

    @cached_property
    def programs(self) -> Path:
        return build.ensure(settings.from_environment(), GO_PROGRAMS)

    @cached_property
    def store(self) -> store.Store:
        binary = (self.programs / "registry").resolve()
        return store.prepare(self.folder, binary=binary, root=self.root("bookworm"))

    def root(self, suite: str) -> Path:
        return roots.ensure(settings.from_environment(), suite)

    def node(self, kind: Kind) -> Node:
        return Node(kind, lower=self.root(kind.suite), programs=self.programs, store=self.store)


class Stock:
    """Nodes made ahead: while a test runs, the node of the next one starts.

    A dockerd remembers /etc/hosts for 5 s from its start; one from stock is older than that, as it
    is on a real node, so that a test does not wait for it.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._worker = ThreadPoolExecutor(1)
        self._ready: dict[Kind, Future[Node]] = {}

    @contextmanager
    def take(self, kind: Kind, then: Kind | None) -> Iterator[Node]:
        """A node for one test; `then` is what the next test takes, None where it takes none."""
        made = self._ready.pop(kind, None) or self._worker.submit(self._lab.node, kind)
        if then is not None and then not in self._ready:
            self._ready[then] = self._worker.submit(self._lab.node, then)
        with closing(made.result()) as node:
            yield node

    def close(self) -> None:
        for made in self._ready.values():
            if not made.cancel() and made.exception() is None:
                made.result().close()
        self._worker.shutdown()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if not machine.is_root():
        raise shell.Failed("the nodes of these tests need root: namespaces and mounts")
    debian.require("iptables", progress.Progress(0), otherwise="Services' addresses need it")
    return Lab(tmp_path_factory.mktemp("lab"))


_FAILED = pytest.StashKey[bool]()
_NEXT = pytest.StashKey["pytest.Item | None"]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    item.stash[_NEXT] = nextitem


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed has said enough: its node is not examined further."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "every_runtime: on all runtimes of the matrix, not on its core alone"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the core of the matrix shows already is left to the long part on other runtimes."""
    for item in items:
        if item.get_closest_marker("every_runtime"):
            continue
        if any(not kind.core for kind in _kinds([item])):
            item.add_marker(pytest.mark.long)


NodeMaker = Callable[[Kind], Node]


@pytest.fixture
def make_node(lab: Lab) -> Iterator[NodeMaker]:
    """Makes nodes that are closed at the end of the test, whatever becomes of it."""
    with ExitStack() as stack:

        def make(kind: Kind) -> Node:
            node = lab.node(kind)
            stack.callback(node.close)
            return node

        yield make


@pytest.fixture(scope="session")
def stock(lab: Lab) -> Iterator[Stock]:
    result = Stock(lab)
    yield result
    result.close()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def node(request: pytest.FixtureRequest, stock: Stock) -> Iterator[Node]:
    """A node of each runtime. At the end of every single case its runtime starts anew, with the
    files that the case left, and runs a container."""
    following = request.node.stash.get(_NEXT, None)
    then = next(_kinds([following] if following else []), None)
    with stock.take(request.param, then) as result:
        yield result
        if not request.node.stash.get(_FAILED, False):
            result.stop_agent()
            # Administrators know no path below the place where an agent has their `/`.
            assert f"{result.machine.base}/root/" not in result.agent_log()
            result.check_runs()


def _kinds(items: Iterable[pytest.Item]) -> Iterator[Kind]:
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            kind = item.callspec.params.get("node")
            if isinstance(kind, Kind):
                yield kind


def only(*names: str) -> pytest.MarkDecorator:
    """The runtimes of a test, by name; `graphdriver`, `hosts.toml` and `docker` name groups."""
    groups = {
        "graphdriver": [k for k in KINDS if k.graphdriver],
        "hosts.toml": [k for k in KINDS if not k.graphdriver],
        "docker": [k for k in KINDS if k.engine == "docker"],
        "containerd": [k for k in KINDS if k.engine == "containerd"],
    }
    chosen = [k for k in KINDS for name in names if k.name == name or k in groups.get(name, ())]
    assert chosen, names
    return pytest.mark.parametrize("node", chosen, ids=lambda kind: kind.name, indirect=True)
