"""SIGHUP and what is asked of dockerd around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import dockerapi, dockerreload, dockerwords
from localregistry.agent.dockernode import Found
from localregistry.agent.dockerreload import (
    REFUSED_MAX_SECONDS,
    REFUSED_SECONDS,
    Gone,
    Refusals,
    Reload,
)
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, NodeResult

from .standins import Clock, Dockerd, Node, Signalled

CONFIG = "/etc/docker/daemon.json"
LISTED = '{"insecure-registries": ["a.example", "his.example"]}'


class Lab:
    """A running daemon whose file has been changed, and the reload that tells it."""

    def __init__(self, directory: Path) -> None:
        self.node = Node(directory)
        self.daemon = Dockerd(self.node)
        self.clock = Clock()
        self.slept: list[float] = []
        processes = Signalled(self.daemon)
        self.found = Found(
            identity=processes.named("dockerd")[0].identity,
            cri=None,
            process=processes.named("dockerd")[0],
            api=self.node.root / "run/docker.sock",
            config_path=CONFIG,
            reads_hosts_toml=False,
        )
        self.reload = Reload(HostRoot(self.node.root), processes, self.clock, self._sleep)
        self.node.write(CONFIG, LISTED)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.now += seconds

    def run(
        self,
        present: tuple[str, ...] = (),
        absent: tuple[str, ...] = (),
        kept: tuple[str, ...] = (),
    ) -> str | None:
        return self.reload.run(self.found, present=present, absent=absent, kept=kept)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(dockerwords, "ask", lambda *_: "")
    made = Lab(tmp_path)
    yield made
    made.daemon.close()


def test_a_reload_that_is_taken_ends_at_once(lab: Lab) -> None:
    assert lab.run(present=("a.example",), absent=("b.example",), kept=("127.0.0.0/8",)) is None
    assert lab.daemon.signals == 1
    assert lab.slept == []


def test_a_slow_daemon_is_given_five_seconds_and_asked_less_and_less_often(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = dockerapi.info

    def later(path: Path) -> dockerapi.Info:
        lab.daemon.refusing = sum(lab.slept) < 3
        lab.daemon.reload()
        return info(path)

    lab.daemon.refusing = True
    monkeypatch.setattr(dockerapi, "info", later)
    assert lab.run(present=("a.example",)) is None
    assert lab.slept[0] < 0.05
    assert max(lab.slept) == 0.5
    assert len(lab.slept) < 15


def test_a_daemon_that_does_not_serve_is_not_signalled(lab: Lab) -> None:
    lab.daemon.serving = False  # it starts: a SIGHUP would end it
    with pytest.raises(Gone) as caught:
        lab.run(present=("a.example",))
    assert not caught.value.told
    assert lab.daemon.signals == 0


def test_another_start_of_the_daemon_is_not_signalled(lab: Lab) -> None:
    lab.daemon.start(at=2000)
    with pytest.raises(Gone) as caught:
        lab.run(present=("a.example",))
    assert not caught.value.told
    assert lab.daemon.signals == 0


def test_what_it_lost_is_named(lab: Lab) -> None:
    lab.daemon.losing = {"his.example"}
    words = lab.run(present=("a.example",), kept=("his.example",))
    assert words == "It trusts his.example no longer, which it did before."
    assert sum(lab.slept) > dockerreload.CONFIRM_SECONDS - 1


def test_what_it_does_not_forget_is_no_success(lab: Lab) -> None:
    assert lab.run(absent=("a.example",)) == "It gave no reason; look at its log."


def test_its_own_words_come_first(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dockerwords, "ask", lambda *_: "unable to configure the Docker daemon")
    lab.daemon.refusing = True
    assert lab.run(present=("a.example",)) == "unable to configure the Docker daemon"


def test_a_daemon_that_went_with_the_signal_is_not_waited_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path) -> dockerapi.Info:
        lab.daemon.start(at=3000)
        raise dockerapi.NoAnswer("connection refused")

    monkeypatch.setattr(dockerapi, "info", die)
    with pytest.raises(Gone) as caught:
        lab.run(present=("a.example",))
    assert caught.value.told
    assert lab.slept == []


def test_a_refusal_is_remembered_twice_as_long_each_time() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    result = NodeResult(NodeReason.ROLLED_BACK, "why")
    pauses = []
    for _ in range(6):
        refusals.remember("daemon", b"file", result)
        start = clock.now
        while refusals.known("daemon", b"file") is not None:
            clock.now += 10
        pauses.append(clock.now - start)
    assert pauses[0] == REFUSED_SECONDS
    assert pauses[1] == 2 * REFUSED_SECONDS
    assert pauses[-1] == REFUSED_MAX_SECONDS


def test_what_no_start_of_the_daemon_takes_is_remembered_for_all() -> None:
    refusals = Refusals(Clock())
    refusals.remember("", b"file", NodeResult(NodeReason.ROLLED_BACK))
    assert refusals.known("daemon", b"file") is not None
    assert refusals.known("daemon", b"another") is None


@pytest.mark.parametrize(("serves", "waited"), [(0.0, 0.0), (2.0, 2.0), (60.0, 5.0)])
def test_another_start_is_waited_for_as_long_as_is_said(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, serves: float, waited: float
) -> None:
    start = lab.clock.now
    monkeypatch.setattr(dockerapi, "ping", lambda _: lab.clock.now - start >= serves)
    assert lab.reload.comes_back(lab.found, 5.0) is (serves <= 5.0)
    assert sum(lab.slept) == pytest.approx(waited, abs=0.25)


@pytest.mark.parametrize(("identity", "file"), [("another", b"file"), ("daemon", b"another")])
def test_another_daemon_or_file_is_tried_at_once(identity: str, file: bytes) -> None:
    refusals = Refusals(Clock())
    refusals.remember("daemon", b"file", NodeResult(NodeReason.ROLLED_BACK))
    assert refusals.known(identity, file) is None
