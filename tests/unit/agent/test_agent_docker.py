"""The Docker writer, against a dockerd that reloads as the real one was measured to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localregistry.trust import NodeReason

from .dockerlab import CONFIG, HIS, Lab
from .standins import Clock, Dockerd, Node, listen, registry


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
