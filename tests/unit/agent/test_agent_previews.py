"""The agent as a whole with registries in Preview: it tells what it would do, and does nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import endpoint, files, runtimes
from localregistry.agent.agent import CHECK_SECONDS, Agent
from localregistry.agent.guest import Guest
from localregistry.agent.inputs import Inputs
from localregistry.agent.paths import HostRoot
from localregistry.agent.preview import preview, shortened
from localregistry.agent.previews import AFRESH_SECONDS, LOOK_SECONDS, MAX_BYTES, SLICE_SECONDS
from localregistry.agent.state import State
from localregistry.agent.writer import Plan
from localregistry.trust import NodeReason, Report, Task, TrustDocument, TrustedRegistry

from .labs import DAEMON, KINDS, NAME, RuntimeLab, SignalledLab, peer
from .standins import registry

STATE = "var/lib/localregistry"
OTHER = "other.example"


class Lab(RuntimeLab):
    """A node of one runtime with a whole agent, whose memory is on the node."""

    def __init__(self, directory: Path, label: str) -> None:
        self.plans = 0
        super().__init__(directory, label)
        self.path("/var/lib").mkdir()
        self.before = self.node.snapshot()
        self.untouched = self.fingerprint()

    def restart_agent(self) -> None:
        super().restart_agent()
        state = State(self.node.root / STATE)
        guest = Guest(HostRoot(self.node.root), state.journal)
        processes = SignalledLab(self)

        def make(runtime: str) -> runtimes.AnyWriter:
            made = runtimes.writer(
                runtime, guest=guest, processes=processes, calls=self.calls, clock=self.clock
            )
            plan = made.plan

            def counted(*arguments: Any) -> Plan:
                self.plans += 1
                result: Plan = plan(*arguments)
                return result

            object.__setattr__(made, "plan", counted)
            return made

        self.agent = Agent(
            inputs=Inputs(self.directory / "trust.json", self.directory / "task", state.goal()),
            state=state,
            guest=guest,
            make_writer=make,
            calls=self.calls,
            alive=processes.alive,
            clock=self.clock,
            log=lambda _: None,
        )

    def tell(self, *wanted: TrustedRegistry, excluded: tuple[str, ...] = ()) -> str:
        document = TrustDocument(wanted)
        task = Task(document.revision, self.kind.runtime, excluded)
        for name, text in (("trust.json", document.to_json()), ("task", task.to_json())):
            (self.directory / f"{name}.new").write_text(text)
            (self.directory / f"{name}.new").rename(self.directory / name)
        return document.revision

    def run(self, seconds: float = 2.0) -> Report:
        left = seconds
        while left > 0:
            tick = 1.0 if seconds - left < 2 else CHECK_SECONDS
            self.clock.now += tick
            left -= tick
            for _ in range(4):
                self.agent.step()
        return self.agent.report

    def fingerprint(self, *, memory: bool = True) -> dict[str, tuple[object, ...]]:
        """Everything on the node: names, contents, modes, owners, inodes and times; without the
        agent's `memory`, directories that hold it included, only the files of others."""
        found: dict[str, tuple[object, ...]] = {}
        for path in [self.node.root, *sorted(self.node.root.rglob("*"))]:
            name = str(path.relative_to(self.node.root))
            if not memory and (name.startswith(STATE) or STATE.startswith(name) or name == "."):
                continue
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            times = status.st_mtime_ns, status.st_ctime_ns
            found[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, *times)
            found[name] += (content,)
        return found


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = Lab(tmp_path, request.param)
    yield made
    made.agent.close()
    made.close()


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, "docker, graphdriver store")
    yield made
    made.agent.close()
    made.close()


def looked_at(*arguments: Any, **options: Any) -> TrustedRegistry:
    return registry(*arguments, preview=True, **options)


def test_a_preview_is_told_and_leaves_no_trace_of_any_kind(lab: Lab) -> None:
    expected = tuple(preview(lab.plan(registry())))
    assert expected
    revision = lab.tell(looked_at())
    report = lab.run()
    assert report == Report(revision, lab.kind.runtime, {}, previews={"u1": expected})
    assert lab.agent.settled
    assert lab.run(2 * AFRESH_SECONDS) == report
    lab.restart_agent()
    assert lab.run(LOOK_SECONDS) == report
    lab.tell()
    assert lab.run().previews == {}
    assert lab.fingerprint() == lab.untouched
    assert lab.signals == 0
    assert lab.calls.pulls == []


def test_dns_is_previewed_as_it_would_be_done(lab: Lab) -> None:
    lab.tell(looked_at(dns=True))
    assert lab.run().previews == {"u1": tuple(preview(lab.plan(registry(dns=True))))}
    assert "10.96.0.7" not in "".join(lab.agent.report.previews["u1"])
    assert lab.fingerprint() == lab.untouched


def test_each_preview_is_by_itself_beside_what_is_served(lab: Lab) -> None:
    served = registry("u2", OTHER)
    lab.tell(served)
    lab.run()
    before = lab.fingerprint(memory=False)
    lab.tell(served, looked_at(), looked_at("u3", "third.example"))
    report = lab.run()
    assert report.exceptions == {}
    assert report.previews.keys() == {"u1", "u3"}
    for uid, name in (("u1", NAME), ("u3", "third.example")):
        text = "\n".join(report.previews[uid])
        assert f"{name}" in text
        for others in {NAME, OTHER, "third.example"} - {name}:
            assert others not in text
    assert lab.fingerprint(memory=False) == before
    assert len(lab.calls.pulls) == 1


def test_a_registry_that_turns_to_preview_stays_as_it_is(lab: Lab) -> None:
    lab.tell(registry(), registry("u2", OTHER))
    lab.run()
    before, signals = lab.fingerprint(memory=False), lab.signals
    lab.tell(looked_at(), registry("u2", OTHER))
    report = lab.run(LOOK_SECONDS)
    assert (report.exceptions, report.previews) == ({}, {"u1": ()})
    lab.restart_agent()
    assert lab.run(LOOK_SECONDS) == report
    assert (lab.fingerprint(memory=False), lab.signals) == (before, signals)
    assert len(lab.calls.pulls) == 2
    # Its proof still holds when it is Managed again.
    lab.tell(registry(), registry("u2", OTHER))
    assert lab.run().exceptions == {}
    assert lab.fingerprint(memory=False) == before
    assert len(lab.calls.pulls) == 2


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_frozen_registry_would_become_is_previewed(lab: Lab, restart: bool) -> None:
    lab.tell(registry())
    lab.run()
    before, signals = lab.fingerprint(memory=False), lab.signals
    if restart:
        lab.agent.close()
        lab.restart_agent()
    lab.tell(looked_at("u1", NAME, OTHER, address="10.96.0.99"))
    report = lab.run(LOOK_SECONDS)
    assert report.exceptions == {}
    text = "\n".join(report.previews["u1"])
    assert OTHER in text
    assert "10.96.0.99" in text
    assert [line for line in report.previews["u1"] if line.startswith("- ") and "10.96.0.7" in line]
    assert (lab.fingerprint(memory=False), lab.signals) == (before, signals)
    # And is done once it is Managed.
    lab.tell(registry("u1", NAME, OTHER, address="10.96.0.99"))
    assert lab.run().exceptions == {}
    assert b"10.96.0.99" in b"".join(lab.node.snapshot().values())


def test_a_name_that_a_preview_has_no_longer_is_withdrawn(lab: Lab) -> None:
    lab.tell(registry("u1", NAME, OTHER))
    lab.run()
    lab.tell(looked_at("u1", NAME))
    report = lab.run(LOOK_SECONDS)
    assert (report.exceptions, report.previews) == ({}, {"u1": ()})
    alone = str({p: c for p, c in lab.node.snapshot().items() if not p.startswith(STATE)})
    assert NAME in alone
    assert OTHER not in alone
    # None is left: trust whose reason is gone goes, Preview or not.
    lab.tell(looked_at("u1", "third.example"))
    report = lab.run(LOOK_SECONDS)
    assert report.exceptions == {}
    assert "third.example" in "\n".join(report.previews["u1"])
    assert lab.node.snapshot() == lab.before


@pytest.mark.parametrize("how", ["gone", "excluded"])
def test_a_frozen_registry_goes_with_its_reason(lab: Lab, how: str) -> None:
    lab.tell(registry())
    lab.run()
    lab.tell(looked_at())
    lab.run()
    if how == "gone":
        lab.tell()
    else:
        lab.tell(looked_at(), excluded=("u1",))
    report = lab.run()
    assert (report.exceptions, report.previews) == ({}, {})
    assert lab.node.snapshot() == lab.before
    lab.tell(looked_at())
    assert lab.run().previews["u1"] != ()
    assert lab.node.snapshot() == lab.before


def test_drift_of_a_frozen_registry_is_repaired(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    good = {p: c for p, c in lab.node.snapshot().items() if not p.startswith(STATE)}
    lab.tell(looked_at())
    lab.run()
    for path, content in good.items():
        old = lab.before.get(path)
        if old != content and lab.path(path).is_file():
            lab.path(path).unlink() if old is None else lab.node.write(path, old)
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert good == {p: c for p, c in lab.node.snapshot().items() if not p.startswith(STATE)}


def test_what_would_be_refused_is_one_line_with_the_sentence(lab: Lab) -> None:
    lab.tell(looked_at("u1", "docker.io"), looked_at("u2", OTHER))
    report = lab.run()
    assert report.exceptions == {}
    (line,) = report.previews["u1"]
    assert line.startswith("! Unsupported: 'docker.io' is never redirected")
    assert OTHER in "\n".join(report.previews["u2"])
    assert lab.fingerprint() == lab.untouched


def test_a_runtime_that_is_down_is_told_and_looked_at_when_it_is_up(lab: Lab) -> None:
    comm = lab.node.proc / str(DAEMON) / "comm"
    alive = comm.read_text()
    comm.write_text("gone\n")
    lab.tell(looked_at())
    report = lab.run()
    assert report.exceptions == {}
    (line,) = report.previews["u1"]
    assert line.startswith("! Pending: ")
    comm.write_text(alive)
    assert lab.run(CHECK_SECONDS).previews == {"u1": tuple(preview(lab.plan(registry())))}
    assert lab.fingerprint() == lab.untouched


def test_a_refused_registry_is_not_frozen_and_not_on_the_node(docker: Lab) -> None:
    docker.node.write("/etc/hosts", f"192.0.2.1 {NAME}\n")
    untouched = docker.fingerprint()
    docker.tell(registry())
    assert docker.run().exceptions["u1"].reason is NodeReason.CONTENDED
    docker.tell(looked_at())
    (line,) = docker.run().previews["u1"]
    assert line.startswith("! Contended: /etc/hosts")
    assert docker.fingerprint() == untouched
    docker.node.write("/etc/hosts", "127.0.0.1 localhost\n")
    untouched = docker.fingerprint()
    assert len(docker.run(LOOK_SECONDS).previews["u1"]) > 1
    assert docker.fingerprint() == untouched


def test_an_administrators_edit_changes_the_preview_within_a_minute(docker: Lab) -> None:
    docker.tell(looked_at())
    first = docker.run().previews["u1"]
    docker.node.write("/etc/docker/daemon.json", f'{{"insecure-registries": ["{NAME}"]}}')
    assert docker.dockerd is not None
    docker.dockerd.reload()
    untouched = docker.fingerprint()
    second = docker.run(60).previews["u1"]
    assert first != second
    assert second == tuple(
        line
        for line in first
        if "daemon.json" not in line and "insecure" not in line and "SIGHUP" not in line
    )
    assert docker.fingerprint() == untouched


def test_a_hundred_previews_cost_one_plan_per_look(docker: Lab) -> None:
    docker.tell(*(looked_at(f"u{n:03}", f"r{n}.example") for n in range(100)))
    assert len(docker.run().previews) == 100
    docker.run(LOOK_SECONDS)
    docker.plans = 0
    docker.run(AFRESH_SECONDS / 2)
    looks = AFRESH_SECONDS / 2 / LOOK_SECONDS
    checks = AFRESH_SECONDS / 2 / CHECK_SECONDS
    assert docker.plans <= 2 * looks + checks + 2
    assert docker.fingerprint() == docker.untouched


def test_many_previews_leave_time_for_pulls(docker: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest comes in the next turns, at once."""
    docker.tell(*(looked_at(f"u{n}", f"r{n}.example") for n in range(9)))

    def slow(*_: object, **__: object) -> list[str]:
        docker.clock.now += SLICE_SECONDS * 0.6
        return ["+ x"]

    monkeypatch.setattr("localregistry.agent.previews.preview", slow)
    docker.agent.step()
    assert len(docker.agent.report.previews) == 2
    assert docker.agent.report.exceptions.keys() == {f"u{n}" for n in range(2, 9)}
    assert not docker.agent.settled
    due = docker.agent._previews.due()
    assert due is not None
    assert due <= docker.clock.now
    assert len(docker.run().previews) == 9
    assert docker.agent.settled


def test_a_node_that_cannot_be_read_is_one_line(
    docker: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "/host/etc/x")

    docker.tell(looked_at())
    with monkeypatch.context() as patch:
        patch.setattr(HostRoot, "resolve", fail)
        (line,) = docker.run().previews["u1"]
        assert line.startswith("! Pending: /host/etc/x: Input/output error")
    assert len(docker.run(LOOK_SECONDS).previews["u1"]) > 1
    with monkeypatch.context() as patch:
        patch.setattr(files, "read", fail)
        docker.run(LOOK_SECONDS)
    assert len(docker.run(LOOK_SECONDS).previews["u1"]) > 1


def test_a_memory_of_a_newer_agent_freezes_what_it_served(docker: Lab) -> None:
    docker.tell(registry())
    docker.run()
    journal = docker.node.root / STATE / "journal.json"
    good = journal.read_text()
    journal.write_text(good.replace('"format": 1', '"format": 2'))
    before = docker.fingerprint(memory=False)
    docker.restart_agent()
    docker.tell(looked_at())
    report = docker.run(LOOK_SECONDS)
    assert "newer agent" in report.previews["u1"][0]
    journal.write_text(good)
    assert docker.run(2 * LOOK_SECONDS).previews == {"u1": ()}
    assert docker.fingerprint(memory=False) == before


def test_a_damaged_document_at_a_start_leaves_what_is_frozen(docker: Lab) -> None:
    docker.tell(registry(), registry("u2", OTHER))
    docker.run()
    docker.tell(looked_at(), registry("u2", OTHER))
    docker.run(LOOK_SECONDS)
    before, pulls = docker.fingerprint(memory=False), len(docker.calls.pulls)
    (docker.directory / "trust.json").write_text("{}")
    docker.restart_agent()
    assert docker.run(LOOK_SECONDS).exceptions == {}
    assert docker.fingerprint(memory=False) == before
    assert len(docker.calls.pulls) == pulls


def test_a_preview_that_never_was_on_the_node_leaves_nothing_beside_others(docker: Lab) -> None:
    """Its names are in no file of the agent's own memory either."""
    docker.tell(registry("u2", OTHER), looked_at())
    docker.run(LOOK_SECONDS)
    memory = b"".join(p.read_bytes() for p in (docker.node.root / STATE).rglob("*") if p.is_file())
    assert OTHER.encode() in memory
    assert NAME.encode() not in memory


def test_a_long_preview_ends_with_a_line_that_says_so(docker: Lab) -> None:
    names = [f"{'x' * 60}-{n}.{'y' * 60}.example" for n in range(16)]
    docker.tell(looked_at("u1", *names))
    lines = docker.run().previews["u1"]
    assert sum(len(line.encode()) + 1 for line in lines) <= MAX_BYTES
    assert "left out" in lines[-1]
    assert lines[:-1] == tuple(preview(docker.plan(registry("u1", *names))))[: len(lines) - 1]


@pytest.mark.parametrize(
    ("lines", "limit", "kept"),
    [
        ([], 100, ()),
        (["a" * 49, "b" * 49], 100, ("a" * 49, "b" * 49)),
        (["a" * 40, "b" * 60], 100, ("a" * 40,)),
        (["ä" * 100], 100, ("ä" * 28,)),
        (["ä" * 100, "b"], 101, ("ä" * 28,)),
    ],
)
def test_lines_are_kept_as_far_as_they_fit(
    lines: list[str], limit: int, kept: tuple[str, ...]
) -> None:
    result = shortened(lines, limit)
    assert sum(len(line.encode()) + 1 for line in result) <= limit
    if len(kept) == len(lines) and list(kept) == lines:
        assert result == kept
    else:
        assert result[:-1] == kept
        assert "left out" in result[-1]


def test_an_excluded_registry_is_neither_previewed_nor_frozen(docker: Lab) -> None:
    entry = replace(looked_at(), uid="u9")
    docker.tell(entry, excluded=("u8", "u9"))
    report = docker.run()
    assert (report.previews, report.exceptions) == ({}, {})
    assert report.excluded == ("u8", "u9")
    assert docker.fingerprint() == docker.untouched
