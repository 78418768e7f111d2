"""Docker with either image store, and from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import dockerapi, endpoint
from localregistry.trust import NodeReason, NodeResult

from .labs import DAEMON, NAME, RuntimeLab, peer
from .standins import registry

HIS = b'{\n  "mtu": 1450\n}\n'
FILE = f"/etc/docker/certs.d/{NAME}/hosts.toml"
LOOPBACK = {"127.0.0.0/8", "::1/128"}


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuntimeLab]:
    yield from _lab(tmp_path, monkeypatch, "docker, graphdriver store")


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuntimeLab]:
    yield from _lab(tmp_path, monkeypatch, "docker, containerd store")


def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, label)
    yield made
    made.close()


def _restart(lab: RuntimeLab, *, containerd: bool, at: int) -> None:
    assert lab.dockerd is not None
    lab.switch_store(containerd=containerd)
    lab.dockerd.start(at=at)


def test_the_containerd_store_needs_one_file_and_no_signal(new: RuntimeLab) -> None:
    assert new.bring(registry()) == {}
    assert new.node.read(FILE).endswith(
        b'server = "http://10.96.0.7"\n\n[host."http://10.96.0.7"]\n'
        b'  capabilities = ["pull", "resolve"]\n'
    )
    assert new.node.read("/etc/docker/daemon.json") == HIS
    assert new.node.read("/etc/hosts") == b"127.0.0.1 localhost\n"
    assert new.signals == 0
    assert new.dockerd is not None
    assert new.dockerd.insecure == LOOPBACK


def test_a_daemon_that_comes_back_with_the_containerd_store_forgets_the_old_way(
    old: RuntimeLab,
) -> None:
    old.bring(registry())
    assert old.dockerd is not None
    _restart(old, containerd=True, at=2000)
    assert NAME in old.dockerd.insecure
    assert old.bring(registry()) == {}
    assert old.dockerd.insecure == LOOPBACK
    assert old.node.read(FILE)
    assert old.node.read("/etc/docker/daemon.json") == HIS
    assert b"localregistry" not in old.node.read("/etc/hosts")
    assert old.plan(registry()).idle
    assert old.bring() == {}
    assert old.node.snapshot() == old.before
    assert old.journal.empty


def test_and_back_again(new: RuntimeLab) -> None:
    new.bring(registry())
    _restart(new, containerd=False, at=2000)
    assert new.bring(registry()) == {}
    assert not new.path("/etc/docker/certs.d").exists()
    assert new.dockerd is not None
    assert NAME in new.dockerd.insecure
    assert NAME.encode() in new.node.read("/etc/hosts")
    assert new.plan(registry()).idle
    assert new.bring() == {}
    assert new.node.snapshot() == new.before


def test_a_switch_by_the_administrators_edit_keeps_his_edit(old: RuntimeLab) -> None:
    old.bring(registry())
    edited = old.node.read("/etc/docker/daemon.json").replace(
        b"{\n", b'{\n  "features": {"containerd-snapshotter": true},\n', 1
    )
    old.node.write("/etc/docker/daemon.json", edited)
    _restart(old, containerd=True, at=2000)
    assert old.bring(registry()) == {}
    assert old.node.read("/etc/docker/daemon.json") == HIS.replace(
        b"{\n", b'{\n  "features": {"containerd-snapshotter": true},\n', 1
    )


def test_the_new_way_is_there_before_the_old_one_goes(
    old: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.bring(registry())
    _restart(old, containerd=True, at=2000)
    order: list[str] = []
    rename = Path.rename

    def watch(self: Path, target: Path) -> Path:
        if old.node.root in target.parents:
            order.append(target.name)
        return Path(rename(self, target))

    monkeypatch.setattr(Path, "rename", watch)
    old.bring(registry())
    assert order[0] == "hosts.toml"
    assert set(order) == {"hosts.toml", "hosts", "daemon.json"}


def test_what_the_old_way_cannot_take_back_hinders_no_served_registry(old: RuntimeLab) -> None:
    old.bring(registry(), registry("u2", "b.example"))
    _restart(old, containerd=True, at=2000)
    old.node.write("/etc/docker/daemon.json", '{"mtu": ')
    results = old.bring(registry())
    assert results.keys() == {"u2"}
    assert results["u2"].reason is NodeReason.FOREIGN_CONFIG_INVALID
    plan = old.plan(registry())
    assert plan.entries.keys() == {"u1"}
    assert old.node.read(FILE)
    # Served it is; that something of ours stays is told all the same.
    assert plan.left.keys() == {"u1"}
    assert plan.left["u1"].reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert "daemon.json" in plan.left["u1"].message
    old.node.write("/etc/docker/daemon.json", HIS)
    assert old.bring(registry()) == {}
    assert old.plan(registry()).left == {}


def test_a_daemon_that_does_not_answer_keeps_both_ways(old: RuntimeLab) -> None:
    old.bring(registry())
    good = old.node.snapshot()
    assert old.dockerd is not None
    old.dockerd.serving = False
    assert old.bring(registry())["u1"].reason is NodeReason.PENDING
    assert old.node.snapshot() == good


def test_up_to_27_the_containerd_store_goes_by_daemon_json(new: RuntimeLab) -> None:
    assert new.dockerd is not None
    new.dockerd.version = "27.5.1"
    assert new.bring(registry()) == {}
    assert NAME in new.dockerd.insecure
    assert not new.path(FILE).exists()


def test_certificates_beside_ours_stay(new: RuntimeLab) -> None:
    new.node.write(f"/etc/docker/certs.d/{NAME}/ca.crt", "his")
    before = new.node.snapshot()
    new.bring(registry())
    assert new.bring() == {}
    assert new.node.snapshot() == before


def test_an_authorization_plugin_does_not_matter_where_nothing_is_signalled(
    new: RuntimeLab,
) -> None:
    new.node.process(DAEMON, "/usr/bin/dockerd", "--authorization-plugin=opa")
    assert new.bring(registry()) == {}
    assert new.node.read(FILE)


def test_several_daemons_are_reported_by_pid(
    old: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "peer", lambda _: None)
    old.node.process(77, "/usr/bin/dockerd", "-H", "unix:///run/build.sock")
    result = old.bring(registry())["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert f"77, {DAEMON}" in result.message
    assert old.node.snapshot() == old.before


def test_an_info_that_is_not_understood_is_waited_for(
    old: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> dockerapi.Info:
        raise dockerapi.NoAnswer("its answer does not end")

    monkeypatch.setattr(dockerapi, "info", fail)
    found = old.writer.detect()
    assert isinstance(found, NodeResult)
    assert "does not end" in found.message
