"""What an administrator reads names the node's own paths, and says of no write what is not so."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import endpoint, files
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason

from .labs import peer
from .looplab import Lab
from .standins import registry
from .wholelabs import STATE, WholeLab

HOSTS_TOML = "/etc/containerd/certs.d/registry.example.internal/hosts.toml"


@pytest.mark.parametrize(
    ("root", "text", "known"),
    [
        ("/host", "/host/etc/hosts is full", "/etc/hosts is full"),
        ("/host", "it is full: /host/etc/hosts, '/host/a'", "it is full: /etc/hosts, '/a'"),
        ("/host", "/host: Input/output error", "/: Input/output error"),
        ("/host", "/srv/host/etc and /hosts/a", "/srv/host/etc and /hosts/a"),
        ("/host", "http://host/v2 of registry/host/a", "http://host/v2 of registry/host/a"),
        ("/a.b", "/a.b/c and /axb/c", "/c and /axb/c"),
        ("/", "/etc/hosts is full", "/etc/hosts is full"),
    ],
)
def test_paths_are_those_of_the_node(root: str, text: str, known: str) -> None:
    assert HostRoot(Path(root)).as_known(text) == known


@pytest.fixture(autouse=True)
def _of_the_node_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "peer", peer)


REFUSALS = {
    "read-only": (errno.EROFS, NodeReason.UNSUPPORTED),
    "full": (errno.ENOSPC, NodeReason.PENDING),
    "forbidden": (errno.EACCES, NodeReason.UNSUPPORTED),
}


@pytest.mark.parametrize(("number", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refused_write_is_told_by_the_nodes_path_and_not_logged_as_done(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int, reason: NodeReason
) -> None:
    replace = files.replace

    def refuse(path: Path, **arguments: Any) -> None:
        if path.name == "hosts.toml":
            raise files.refusal(OSError(number, "no"), path)
        replace(path, **arguments)

    monkeypatch.setattr(files, "replace", refuse)
    lab.tell(registry())
    result = lab.run().exceptions["u1"]
    assert result.reason is reason
    assert HOSTS_TOML in result.message
    for text in (result.message, *lab.logged):
        assert str(lab.directory) not in text
        assert not text.endswith(": written")

    monkeypatch.setattr(files, "replace", replace)
    assert lab.run(10).exceptions == {}
    assert f"{HOSTS_TOML}: written" in lab.logged
    lab.tell()
    assert lab.run().exceptions == {}
    assert lab.logged.count(f"{HOSTS_TOML}: removed") == 1


def test_a_complaint_of_the_journal_names_the_nodes_path(tmp_path: Path) -> None:
    lab = WholeLab(tmp_path, "containerd 1.7")
    lab.tell(registry())
    lab.run()
    journal = lab.node.root / STATE / "journal.json"
    journal.write_text('{"format": 99, "files": {}, "directories": []}')
    for words in (lab.run(10).exceptions["u1"].message, lab.agent.complaint):
        assert words.startswith(f"/{STATE}/journal.json is of a newer agent")
    lab.close()


def test_what_stays_of_another_store_is_told_once_the_pull_is_proved(tmp_path: Path) -> None:
    lab = WholeLab(tmp_path, "docker, graphdriver store")
    assert lab.dockerd is not None
    lab.tell(registry())
    assert lab.run().exceptions == {}
    # The administrator takes the other store, and a plugin that a reload would switch off.
    lab.dockerd.start("--authorization-plugin=opa", at=2000)
    lab.switch_store(containerd=True)
    result = lab.run(30).exceptions["u1"]
    assert result.reason is NodeReason.RELOAD_BLOCKED
    assert "Pulls work, but" in result.message
    assert lab.calls.pulls, "it is proved all the same"
    lab.dockerd.start(at=3000)
    assert lab.run(30).exceptions == {}
    assert lab.node.read("/etc/docker/daemon.json") == lab.before["etc/docker/daemon.json"]
    lab.close()
