"""The agent as a whole on a Docker node: when it writes, signals, waits and gives way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from localregistry.agent import app, dockerreload, dockerwords
from localregistry.agent.agent import CHECK_SECONDS
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process
from localregistry.agent.state import State
from localregistry.trust import NodeReason, NodeResult, Report, Task, TrustDocument, TrustedRegistry

from .standins import Calls, Clock, Dockerd, Node, Signalled, listen, put, registry

RUNTIME = "docker://26.1.5"
CONFIG = "/etc/docker/daemon.json"
HIS = '{\n  "mtu": 1450\n}\n'


class Lab:
    """A Docker node with an agent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.node = Node(directory)
        self.node.write(CONFIG, HIS)
        self.daemon = Dockerd(self.node)
        self._socket = listen(self.node.root / "run/cri-dockerd.sock")
        self.calls = Calls("docker", "26.1.5")
        self.clock = Clock()
        self.logged: list[str] = []
        self.restart()
        self.before = self.node.snapshot()

    def restart(self) -> None:
        self.agent = app.assemble(
            host=HostRoot(self.node.root),
            state_dir=self.directory / "state",
            trust_file=self.directory / "trust.json",
            task_file=self.directory / "task",
            processes=Signalled(self.daemon),
            calls=self.calls,
            clock=self.clock,
            log=self.logged.append,
        )

    def tell(self, *wanted: TrustedRegistry, excluded: tuple[str, ...] = ()) -> str:
        document = TrustDocument(wanted)
        self.put("trust.json", document.to_json())
        self.put("task", Task(document.revision, RUNTIME, excluded).to_json())
        return document.revision

    def put(self, name: str, content: str) -> None:
        put(self.directory / name, content)

    def run(self, seconds: float = 0.0) -> Report:
        """Half a second per step, as the process does it."""
        end = self.clock.now + seconds
        self.agent.step()
        while self.clock.now < end:
            self.clock.now = min(self.clock.now + 0.5, end)
            self.agent.step()
        for _ in range(3):
            self.agent.step()
        return self.agent.report

    def close(self) -> None:
        self.agent.close()
        self.daemon.close()
        self._socket.close()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(dockerwords, "ask", lambda *_: "")
    made = Lab(tmp_path)
    yield made
    made.close()


def test_changes_of_half_a_second_are_one_reload(lab: Lab) -> None:
    for count in range(1, 6):
        lab.tell(*(registry(f"u{i}", f"r{i}.example") for i in range(count)))
        report = lab.run()
        assert {r.reason for r in report.exceptions.values()} == {NodeReason.PENDING}
        assert lab.daemon.signals == 0
        assert lab.node.snapshot() == lab.before
        lab.clock.now += 0.1
    assert lab.run(1).exceptions == {}
    assert lab.daemon.signals == 1


def test_a_pull_is_not_tried_before_the_reload(lab: Lab) -> None:
    lab.tell(registry())
    assert "dockerd is told in" in lab.run().exceptions["u1"].message
    assert lab.calls.pulls == []
    lab.run(1)
    assert len(lab.calls.pulls) == 1


def test_a_proved_registry_stays_proved_while_another_waits(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    lab.tell(registry(), registry("u2", "other.example"))
    assert lab.run().exceptions.keys() == {"u2"}


def test_a_minute_of_changes_is_six_reloads(lab: Lab) -> None:
    for count in range(30):
        lab.tell(*(registry(f"u{i}", f"r{i}.example") for i in range(count + 1)))
        lab.run(2)
    assert lab.daemon.signals == 6
    assert "dockerd is told in" in lab.agent.report.exceptions["u29"].message
    assert lab.run(120).exceptions == {}
    assert lab.daemon.signals == 7
    assert len(lab.daemon.insecure) == 32


def test_a_withdrawal_waits_for_nothing(lab: Lab) -> None:
    for count in range(30):
        lab.tell(*(registry(f"u{i}", f"r{i}.example") for i in range(count + 1)))
        lab.run(2)
    lab.tell()
    lab.run()
    assert lab.daemon.signals == 7
    assert lab.daemon.insecure == {"127.0.0.0/8", "::1/128"}
    assert lab.node.snapshot() == lab.before


def test_a_name_of_many_that_goes_waits_for_nothing(lab: Lab) -> None:
    lab.tell(registry("u1", "a.example", "b.example"))
    lab.run(1)
    lab.tell(registry("u1", "a.example"))
    lab.run()
    assert "b.example" not in lab.daemon.insecure


def test_a_roll_back_is_signalled_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.daemon.losing = {"registry.example.internal"}
    monkeypatch.setattr(dockerreload, "CONFIRM_SECONDS", -1.0)
    lab.tell(registry())
    report = lab.run(0.5)
    assert report.exceptions["u1"].reason is NodeReason.ROLLED_BACK
    assert lab.daemon.signals == 2
    assert lab.node.snapshot() == lab.before


def test_a_restarted_daemon_is_read_anew_and_not_signalled(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    lab.daemon.start(at=2000)
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.daemon.signals == 1
    assert len(lab.calls.pulls) == 2  # another start of the daemon is another proof


def test_a_file_that_is_undone_again_and_again_is_left_alone(lab: Lab) -> None:
    lab.tell(registry(), registry("u2", "other.example"))
    lab.run(1)
    reasons: list[NodeResult | None] = []
    for _ in range(5):
        lab.node.write(CONFIG, HIS)
        reasons.append(lab.run(CHECK_SECONDS).exceptions.get("u1"))
    assert reasons[:2] == [None, None]
    assert all(r is not None and r.reason is NodeReason.CONTENDED for r in reasons[2:])
    assert CONFIG in lab.agent.report.exceptions["u2"].message
    assert lab.node.read(CONFIG).decode() == HIS
    assert lab.run(600).exceptions == {}
    listed = json.loads(lab.node.read(CONFIG))["insecure-registries"]
    assert {"registry.example.internal", "other.example"} <= set(listed)


def test_a_contended_node_is_cleaned_all_the_same(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    for _ in range(3):
        lab.node.write(CONFIG, HIS)
        lab.run(CHECK_SECONDS)
    assert lab.agent.report.exceptions["u1"].reason is NodeReason.CONTENDED
    lab.tell()
    assert lab.run().exceptions == {}
    assert lab.node.snapshot() == lab.before
    assert lab.daemon.insecure == {"127.0.0.0/8", "::1/128"}


def test_an_administrators_other_edits_are_no_undoing(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    for mtu in range(1300, 1310):
        lab.node.write(CONFIG, lab.node.read(CONFIG).replace(b"1450", str(mtu).encode()))
        assert lab.run(CHECK_SECONDS).exceptions == {}


def test_an_event_brings_the_check_forward(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(6)
    lab.node.write("/etc/hosts", "127.0.0.1 localhost\n")
    lab.run(1)
    assert b"registry.example.internal" in lab.node.read("/etc/hosts")


@pytest.mark.parametrize("content", ["", "{", '{"format": 9}', "[]"])
def test_a_restart_with_a_damaged_document_keeps_the_last_good(lab: Lab, content: str) -> None:
    revision = lab.tell(registry())
    lab.run(1)
    lab.put("trust.json", content)
    lab.restart()
    assert lab.run() == Report(revision, RUNTIME, {})
    lab.node.write(CONFIG, HIS)
    assert lab.run(CHECK_SECONDS) == Report(revision, RUNTIME, {})
    assert b"registry.example.internal" in lab.node.read(CONFIG)
    assert "nothing is changed" in lab.agent.complaint
    assert len([line for line in lab.logged if "nothing is changed" in line]) == 1


def test_a_restart_without_a_task_does_nothing_yet(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    lab.put("task", "")
    lab.node.write(CONFIG, HIS)
    lab.restart()
    assert lab.run(CHECK_SECONDS) == Report("")
    assert lab.node.read(CONFIG).decode() == HIS


def test_the_last_good_is_gone_once_nothing_is_ours(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    assert (lab.directory / "state/goal.json").exists()
    lab.tell()
    lab.run(1)
    assert not (lab.directory / "state").exists()


@pytest.mark.parametrize("later", ["none", "another", "excluded"])
def test_a_node_that_was_off_during_a_withdrawal_cleans_itself(lab: Lab, later: str) -> None:
    lab.tell(registry())
    lab.run(1)
    lab.daemon.start(at=2000)  # the node starts again: all it has is on its disk
    lab.restart()
    match later:
        case "none":
            lab.tell()
        case "another":
            lab.tell(registry("u2", "other.example"))
        case _:
            lab.tell(registry(), excluded=("u1",))
    assert lab.run(1).exceptions == {}
    for path in (CONFIG, "/etc/hosts"):
        assert b"registry.example.internal" not in lab.node.read(path)
    assert "registry.example.internal" not in lab.daemon.insecure
    if later != "another":
        assert lab.node.snapshot() == lab.before
        assert not (lab.directory / "state").exists()


def test_a_node_whose_daemon_is_down_cleans_itself_when_it_is_up(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    lab.daemon.serving = False
    lab.restart()
    lab.tell()
    assert lab.run(1).exceptions["u1"].reason is NodeReason.PENDING
    lab.daemon.serving = True
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.node.snapshot() == lab.before


def test_a_journal_of_a_newer_agent_is_left_alone(lab: Lab) -> None:
    lab.tell(registry())
    lab.run(1)
    journal = lab.directory / "state/journal.json"
    newer = journal.read_text().replace('"format": 1', '"format": 2')
    journal.write_text(newer)
    lab.restart()
    for wanted in ((), (registry(),), (registry("u2", "other.example"),)):
        lab.tell(*wanted)
        report = lab.run(CHECK_SECONDS)
        assert {r.reason for r in report.exceptions.values()} <= {NodeReason.UNSUPPORTED}
        assert report.exceptions.keys() == {"u1", *(r.uid for r in wanted)}
        assert "newer agent" in lab.agent.complaint
        assert journal.read_text() == newer
        assert b"registry.example.internal" in lab.node.read(CONFIG)
    journal.write_text(newer.replace('"format": 2', '"format": 1'))
    lab.tell()
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.node.snapshot() == lab.before


@pytest.mark.parametrize("task", [True, False], ids=["with a task", "before there is a task"])
def test_a_start_after_a_kill_mends_what_was_torn(lab: Lab, task: bool) -> None:
    lab.tell(registry())
    lab.run(1)
    good = lab.node.read("/etc/hosts")
    other = good.replace(b"10.96.0.7", b"10.96.0.8").replace(b"localhost", b"LOCALHOST")
    journal = State(lab.directory / "state").journal
    record = journal.get("/etc/hosts")
    assert record is not None
    torn = (journal.keep(good), journal.keep(other))
    journal.put("/etc/hosts", replace(record, torn=torn))
    lab.node.write("/etc/hosts", other[:30] + good[30:])
    lab.node.write("/etc/.localregistry.tmp", b"half")
    if not task:
        lab.put("task", "")
    lab.restart()
    lab.run(1)
    assert lab.node.read("/etc/hosts") == good
    assert not (lab.node.root / "etc/.localregistry.tmp").exists()


def test_a_runtime_that_is_not_there_is_looked_for_less_often_after_a_minute(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    named = Signalled.named

    def look(self: Signalled, comm: str) -> list[Process]:
        looks.append(lab.clock.now)
        return named(self, comm)

    monkeypatch.setattr(Signalled, "named", look)
    lab.daemon.serving = False
    lab.tell(registry())
    start = lab.clock.now
    lab.run(120)
    assert len([at for at in looks if at <= start + 50]) > 40
    assert len([at for at in looks if at > start + 70]) <= 11
    lab.daemon.serving = True
    assert lab.run(CHECK_SECONDS + 1).exceptions == {}
