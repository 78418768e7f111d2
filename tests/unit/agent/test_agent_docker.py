"""The Docker writer, against a dockerd that reloads as the real one was measured to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import dockerwords, files
from localregistry.agent.docker import Docker
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

from .standins import Calls, Clock, Dockerd, Node, Signalled, listen, registry

CONFIG = "/etc/docker/daemon.json"
HIS = '{\n    "exec-opts": ["native.cgroupdriver=cgroupfs"],\n    "mtu": 1450\n}\n'


class Lab:
    """A node with a dockerd and the writer for it."""

    def __init__(self, directory: Path, *flags: str, content: str | None = HIS) -> None:
        self.directory = directory
        self.node = Node(directory)
        if content is not None:
            self.node.write(CONFIG, content)
        self.daemon = Dockerd(self.node, *flags)
        self.clock = Clock()
        self._cri = listen(self.node.root / "run/cri-dockerd.sock")
        self.restart_agent()
        self.before = self.node.snapshot()

    def restart_agent(self) -> None:
        self.journal = Journal(self.directory / "state")
        guest = Guest(HostRoot(self.node.root), self.journal)
        calls = Calls("docker", "26.1.5")
        self.writer = Docker(guest, Signalled(self.daemon), calls, self._tick)

    def _tick(self) -> float:
        self.clock.now += 1.0
        return self.clock.now

    def bring(self, *wanted: TrustedRegistry) -> Mapping[str, NodeResult]:
        found = self.writer.detect()
        plan = self.writer.plan(wanted, found)
        failed = {} if plan.idle else self.writer.apply(plan, found)
        return {**plan.refused, **failed}

    def idle(self, *wanted: TrustedRegistry) -> bool:
        return self.writer.plan(wanted, self.writer.detect()).idle

    def config(self) -> dict[str, Any]:
        return dict(json.loads(self.node.read(CONFIG)))

    def close(self) -> None:
        self.daemon.close()
        self._cri.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


def test_a_registry_comes_and_goes_without_a_trace(lab: Lab) -> None:
    assert lab.bring(registry()) == {}
    assert lab.node.read(CONFIG).decode() == (
        '{\n    "exec-opts": ["native.cgroupdriver=cgroupfs"],\n    "mtu": 1450,\n'
        '    "insecure-registries": ["127.0.0.0/8", "::1/128", "registry.example.internal"]\n}\n'
    )
    assert lab.node.read("/etc/hosts").decode() == (
        "127.0.0.1 localhost\n# BEGIN localregistry\n10.96.0.7\tregistry.example.internal\n"
        "# END localregistry\n"
    )
    assert "registry.example.internal" in lab.daemon.insecure
    assert lab.idle(registry())
    assert lab.daemon.signals == 1

    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.daemon.insecure == {"127.0.0.0/8", "::1/128"}
    assert lab.daemon.signals == 2
    assert lab.journal.empty
    assert lab.idle()


def test_many_registries_are_one_signal(lab: Lab) -> None:
    many = [registry(f"u{i}", f"r{i}.example", f"r{i}.example:5000") for i in range(20)]
    assert lab.bring(*many) == {}
    assert lab.daemon.signals == 1
    assert lab.bring(*many[1:]) == {}
    assert lab.daemon.signals == 2
    assert not {"r0.example", "r0.example:5000"} & lab.daemon.insecure
    assert b"r0.example" not in lab.node.read("/etc/hosts")
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_file_of_ours_goes_as_it_came(tmp_path: Path) -> None:
    lab = Lab(tmp_path, content=None)
    assert lab.bring(registry()) == {}
    assert lab.config()["insecure-registries"][-1] == "registry.example.internal"
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    lab.close()


def test_the_administrators_list_and_entries_stay(tmp_path: Path) -> None:
    lab = Lab(tmp_path, content='{"insecure-registries":["his.example","b.example"],"mtu":1}')
    assert lab.bring(registry("u1", "b.example"), registry("u2", "c.example")) == {}
    assert lab.config()["insecure-registries"] == ["his.example", "b.example", "c.example"]
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.daemon.insecure == {"127.0.0.0/8", "::1/128", "his.example", "b.example"}
    lab.close()


def test_an_administrators_edit_after_ours_survives_withdrawal(lab: Lab) -> None:
    lab.bring(registry())
    edited = (
        lab.node.read(CONFIG).replace(b"1450", b"9000").replace(b'"::1/128"', b'"::1/128", "his"')
    )
    lab.node.write(CONFIG, edited)
    assert lab.bring() == {}
    assert lab.config()["mtu"] == 9000
    assert lab.config()["insecure-registries"] == ["127.0.0.0/8", "::1/128", "his"]
    assert "registry.example.internal" not in lab.daemon.insecure


def test_drift_is_repaired(lab: Lab) -> None:
    lab.bring(registry())
    good = lab.node.snapshot()
    lab.node.write(CONFIG, HIS)
    lab.node.write("/etc/hosts", "127.0.0.1 localhost\n")
    assert not lab.idle(registry())
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() == good
    # The running daemon still had it: no signal was needed.
    assert lab.daemon.signals == 1


def test_a_daemon_that_was_told_otherwise_in_between_is_told_again(lab: Lab) -> None:
    lab.bring(registry())
    assert lab.idle(registry())
    ours = lab.node.read(CONFIG)
    lab.node.write(CONFIG, '{"insecure-registries": []}')
    lab.daemon.reload()
    lab.node.write(CONFIG, ours)
    assert lab.bring(registry()) == {}
    assert "registry.example.internal" in lab.daemon.insecure


def test_the_name_of_a_registry_that_was_made_anew_is_the_new_ones(lab: Lab) -> None:
    lab.bring(registry("old"))
    assert lab.bring(registry("new")) == {}
    for path in lab.journal.paths():
        record = lab.journal.get(path)
        assert record is not None
        assert set(record.entries.values()) == {"new"}
    assert lab.daemon.signals == 1


def test_a_new_address_is_a_hosts_line_and_no_signal(lab: Lab) -> None:
    lab.bring(registry())
    assert lab.bring(registry(address="10.96.0.99")) == {}
    assert b"10.96.0.99\tregistry.example.internal" in lab.node.read("/etc/hosts")
    assert lab.daemon.signals == 1


def test_another_agent_process_goes_on_where_the_first_ended(lab: Lab) -> None:
    lab.bring(registry())
    lab.restart_agent()
    assert lab.idle(registry())
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_restarted_daemon_needs_no_signal(lab: Lab) -> None:
    lab.bring(registry())
    lab.daemon.start(at=2000)
    assert lab.idle(registry())


@pytest.mark.parametrize("step", range(1, 9))
def test_a_kill_between_two_writes_is_made_good(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, step: int
) -> None:
    """The process ends before its n-th change of a file, on the way there and on the way back."""
    for wanted in ((registry(),), ()):
        count = 0
        rename = Path.rename

        def die(self: Path, target: Path, rename: Any = rename) -> Path:
            nonlocal count
            count += 1
            if count == step:
                raise KeyboardInterrupt
            return Path(rename(self, target))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", die)
            try:
                lab.bring(*wanted)
            except KeyboardInterrupt:
                lab.restart_agent()
        assert lab.bring(*wanted) == {}
        assert lab.idle(*wanted)
        assert ("registry.example.internal" in lab.daemon.insecure) is bool(wanted)
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


def test_what_the_daemon_refuses_is_rolled_back_and_not_asked_again_at_once(lab: Lab) -> None:
    lab.daemon.refusing = True
    results = lab.bring(registry())
    assert results["u1"].reason is NodeReason.ROLLED_BACK
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty
    signals = lab.daemon.signals
    assert lab.bring(registry())["u1"].reason is NodeReason.ROLLED_BACK
    assert lab.daemon.signals == signals
    lab.daemon.refusing = False
    lab.clock.now += 60
    assert lab.bring(registry()) == {}


def test_a_refused_withdrawal_stays_reported(lab: Lab) -> None:
    lab.bring(registry())
    trusted = lab.node.snapshot()
    lab.daemon.refusing = True
    assert lab.bring()["u1"].reason is NodeReason.ROLLED_BACK
    assert lab.node.read(CONFIG) == trusted["etc/docker/daemon.json"]
    lab.daemon.refusing = False
    lab.clock.now += 60
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


UNTOUCHED = {
    "broken JSON": ('{"a": 1', (), NodeReason.FOREIGN_CONFIG_INVALID),
    "an empty file": ("", (), NodeReason.FOREIGN_CONFIG_INVALID),
    "an authorization plugin": (HIS, ("--authorization-plugin=x",), NodeReason.RELOAD_BLOCKED),
    "a flag that does not cover": (
        HIS,
        ("--insecure-registry=192.168.0.0/16",),
        NodeReason.FLAG_CONFLICT,
    ),
    "a relative config file": (HIS, ("--config-file=x.json",), NodeReason.UNSUPPORTED),
}


@pytest.mark.parametrize(("content", "flags", "reason"), UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_a_node_is_left_alone_with(
    tmp_path: Path, content: str, flags: tuple[str, ...], reason: NodeReason
) -> None:
    node = Node(tmp_path)
    node.write(CONFIG, "{}")
    lab = Lab.__new__(Lab)
    lab.directory, lab.node, lab.clock = tmp_path, node, Clock()
    lab.daemon = Dockerd(node, *flags)
    lab._cri = listen(node.root / "run/cri-dockerd.sock")
    node.write(CONFIG, content)
    lab.restart_agent()
    before = node.snapshot()
    assert lab.bring(registry())["u1"].reason is reason
    assert node.snapshot() == before
    assert lab.daemon.signals == 0
    assert not (tmp_path / "state").exists()
    lab.close()


def test_a_flag_that_covers_needs_the_hosts_line_alone(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "--insecure-registry", "10.96.0.0/12")
    assert lab.bring(registry()) == {}
    assert lab.node.read(CONFIG).decode() == HIS
    assert b"registry.example.internal" in lab.node.read("/etc/hosts")
    assert lab.daemon.signals == 0
    assert lab.idle(registry())
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    lab.close()


def test_a_daemon_that_does_not_serve_yet_is_waited_for(lab: Lab) -> None:
    lab.daemon.serving = False
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.daemon.signals == 0
    assert lab.node.snapshot() == lab.before


def test_a_file_that_breaks_later_keeps_what_works(lab: Lab) -> None:
    lab.bring(registry())
    lab.node.write(CONFIG, '{"mtu": ')
    assert lab.bring(registry())["u1"].reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert lab.bring()["u1"].reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert lab.node.read(CONFIG) == b'{"mtu": '
    lab.node.write(CONFIG, HIS)
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_name_that_the_node_resolves_otherwise_is_not_fought_over(lab: Lab) -> None:
    lab.node.write("/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 registry.example.internal\n")
    before = lab.node.snapshot()
    result = lab.bring(registry(), registry("u2", "other.example"))
    assert result.keys() == {"u1"}
    assert result["u1"].reason is NodeReason.CONTENDED
    assert "10.0.0.1" in result["u1"].message
    assert "other.example" in lab.daemon.insecure
    assert "registry.example.internal" not in lab.daemon.insecure
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_bad_name_does_not_hold_up_the_others(lab: Lab) -> None:
    result = lab.bring(registry("u1", "bad/name"), registry("u2", "good.example"))
    assert result.keys() == {"u1"}
    assert lab.config()["insecure-registries"][-1] == "good.example"


def test_without_a_journal_only_what_carries_our_mark_is_ours(lab: Lab) -> None:
    lab.bring(registry())
    (lab.directory / "state/journal.json").unlink()
    lab.restart_agent()
    assert lab.bring() == {}
    assert lab.node.read("/etc/hosts") == b"127.0.0.1 localhost\n"
    assert "registry.example.internal" in lab.config()["insecure-registries"]


def test_a_nested_daemon_is_not_this_nodes(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.node.process(lab.daemon.pid, "dockerd", nspid=f"{lab.daemon.pid}\t12")
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    lab.node.process(lab.daemon.pid, "dockerd", uid=1000)
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before
    lab.close()


def test_a_config_file_of_another_name_is_the_one_that_is_edited(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.write("/var/snap/docker/daemon.json", "{}")
    lab = Lab.__new__(Lab)
    lab.directory, lab.node, lab.clock = tmp_path, node, Clock()
    lab.daemon = Dockerd(node, "--config-file", "/var/snap/docker/daemon.json")
    lab.daemon.refusing = True  # it would read the default file in these tests
    lab._cri = listen(node.root / "run/cri-dockerd.sock")
    lab.restart_agent()
    plan = lab.writer.plan([registry()], lab.writer.detect())
    assert [change.path for change in plan.changes] == [
        "/etc/hosts",
        "/var/snap/docker/daemon.json",
    ]
    lab.close()


def test_what_a_reload_takes_from_others_is_given_back(tmp_path: Path) -> None:
    lab = Lab(tmp_path, content='{"insecure-registries": ["his.example"]}')
    lab.daemon.losing = {"his.example"}
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.ROLLED_BACK
    assert "trusts his.example no longer" in result.message
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty
    lab.close()


def test_loopback_that_his_own_list_does_not_name_is_not_ours_to_keep(lab: Lab) -> None:
    """Docker 20.10 trusts ::1 only by a list, such as we left for a while; he makes another one."""
    lab.bring(registry())
    lab.bring()
    lab.daemon.losing = {"::1/128"}
    lab.node.write(CONFIG, '{"insecure-registries": ["his.example"]}')
    assert "::1/128" in lab.daemon.insecure
    assert lab.bring(registry()) == {}
    assert {"his.example", "registry.example.internal"} <= lab.daemon.insecure


def test_a_roll_back_lets_the_daemon_forget_what_it_took(lab: Lab) -> None:
    lab.daemon.losing = {"127.0.0.0/8"}  # as 29.10 does where the list does not name it
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.ROLLED_BACK
    assert "127.0.0.0/8" in result.message
    assert "registry.example.internal" not in lab.daemon.insecure
    assert lab.node.snapshot() == lab.before


def test_a_roll_back_keeps_what_was_ours_before(lab: Lab) -> None:
    lab.bring(registry())
    lab.node.write(CONFIG, HIS)
    lab.daemon.losing = {"new.example"}
    result = lab.bring(registry(), registry("u2", "new.example"))
    assert result["u2"].reason is NodeReason.ROLLED_BACK
    assert "registry.example.internal" in lab.daemon.insecure
    assert lab.node.read(CONFIG).decode() == HIS
    lab.daemon.losing = set()
    lab.clock.now += 60
    assert lab.bring(registry(), registry("u2", "new.example")) == {}


def test_an_edit_that_the_administrator_left_pending_is_his(lab: Lab) -> None:
    lab.node.write(CONFIG, '{"insecure-registries": ["old.example", "kept.example"]}')
    lab.daemon.start(at=2000)
    lab.node.write(CONFIG, '{"insecure-registries": ["kept.example"]}')
    assert lab.bring(registry()) == {}
    assert "old.example" not in lab.daemon.insecure
    assert {"kept.example", "registry.example.internal"} <= lab.daemon.insecure


@pytest.mark.parametrize("words", ["the following directives don't match any option: foo"])
def test_a_file_that_the_daemon_refuses_is_neither_written_nor_signalled(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    asked: list[str] = []

    def ask(*_: object) -> str:
        asked.append(words)
        return words

    monkeypatch.setattr(dockerwords, "ask", ask)
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert words in result.message
    assert lab.node.snapshot() == lab.before
    assert lab.daemon.signals == 0
    assert lab.bring(registry())["u1"] == result
    assert len(asked) == 1  # not again for the same file
    monkeypatch.setattr(dockerwords, "ask", lambda *_: "")
    lab.node.write(CONFIG, HIS.replace("1450", "1400"))
    assert lab.bring(registry()) == {}


def test_a_verdict_on_another_content_is_none_on_what_was_planned(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The administrator breaks the file between our look and the daemon's, and mends it again."""

    def ask(*_: object) -> str:
        lab.node.write(CONFIG, "{ this is no JSON")
        return "unable to configure the Docker daemon"

    with monkeypatch.context() as patch:
        patch.setattr(dockerwords, "ask", ask)
        with pytest.raises(files.Outrun):
            lab.bring(registry())
    assert lab.node.read(CONFIG) == b"{ this is no JSON"
    assert lab.bring(registry())["u1"].reason is NodeReason.FOREIGN_CONFIG_INVALID
    lab.node.write(CONFIG, HIS)
    assert lab.bring(registry()) == {}


BLOCKING = {
    "an authorization plugin": ("--authorization-plugin=x",),
    "a flag that a reload resets": ("--max-concurrent-downloads", "7"),
}


@pytest.mark.parametrize("flags", BLOCKING.values(), ids=BLOCKING.keys())
def test_what_the_daemon_trusts_already_needs_no_signal(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    content = '{"insecure-registries": ["registry.example.internal"]}'
    lab = Lab(tmp_path, *flags, content=content)
    result = lab.bring(registry(), registry("u2", "other.example"))
    assert result.keys() == {"u2"}
    assert result["u2"].reason is NodeReason.RELOAD_BLOCKED
    assert b"registry.example.internal" in lab.node.read("/etc/hosts")
    assert b"other.example" not in lab.node.read("/etc/hosts")
    assert lab.node.read(CONFIG).decode() == content
    assert lab.bring() == {}
    assert lab.daemon.signals == 0
    assert lab.node.snapshot() == lab.before
    lab.close()


def test_a_contended_file_leaves_the_node_to_its_administrator(lab: Lab) -> None:
    found = lab.writer.detect()
    plan = lab.writer.plan([registry()], found)
    assert plan.without(["/etc/hosts"]).idle
    assert plan.without([CONFIG]).idle
    assert plan.without(["/etc/other"]) == plan
