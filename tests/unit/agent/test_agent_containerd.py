"""The containerd writer, and where it learns its directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import endpoint
from localregistry.agent.containerd import Containerd
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

from .standins import Calls, Node, listen, registry

CERTS = "/etc/containerd/certs.d"
FILE = f"{CERTS}/registry.example.internal/hosts.toml"


class Lab:
    """A node with a containerd 1.7 and the writer for it."""

    def __init__(self, directory: Path, config_path: str = CERTS, **registry_table: Any) -> None:
        self.directory = directory
        self.node = Node(directory)
        self.node.process(77, "/usr/bin/containerd")
        self.socket = listen(self.node.root / "run/containerd/containerd.sock")
        table = {"configPath": config_path, **registry_table}
        self.calls = Calls("containerd", "1.7.24", {"registry": table})
        self.restart_agent()
        self.before = self.node.snapshot()

    def restart_agent(self) -> None:
        self.journal = Journal(self.directory / "state")
        guest = Guest(HostRoot(self.node.root), self.journal)
        self.writer = Containerd(guest, self.node.processes, self.calls)

    def bring(self, *wanted: TrustedRegistry) -> Mapping[str, NodeResult]:
        found = self.writer.detect()
        plan = self.writer.plan(wanted, found)
        failed = {} if plan.idle else self.writer.apply(plan, found)
        return {**plan.refused, **failed}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    made = Lab(tmp_path)
    yield made
    made.socket.close()


def test_a_registry_comes_and_goes_without_a_trace(lab: Lab) -> None:
    wanted = registry("u1", "registry.example.internal", "a.example:5000", port=5000)
    assert lab.bring(wanted) == {}
    assert b'server = "http://10.96.0.7:5000"\n' in lab.node.read(FILE)
    assert lab.node.read(f"{CERTS}/a.example:5000/hosts.toml") == lab.node.read(FILE)
    assert lab.writer.plan([wanted], lab.writer.detect()).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


def test_directories_of_others_stay(lab: Lab) -> None:
    lab.node.write(f"{CERTS}/docker.io/hosts.toml", "server = 'x'\n")
    (lab.node.root / FILE.lstrip("/")).parent.mkdir()
    before = lab.node.snapshot()
    assert lab.bring(registry(), registry("u2", "b.example")) == {}
    assert lab.bring(registry("u2", "b.example")) == {}
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_new_address_and_an_edit_are_written_over(lab: Lab) -> None:
    lab.bring(registry())
    good = lab.node.read(FILE)
    lab.node.write(FILE, good + b"  skip_verify = true\n")
    assert lab.bring(registry()) == {}
    assert lab.node.read(FILE) == good
    assert lab.bring(registry(address="fd00::7")) == {}
    assert b'[host."http://[fd00::7]"]' in lab.node.read(FILE)


def test_a_cleared_directory_is_filled_again(lab: Lab) -> None:
    lab.bring(registry())
    good = lab.node.snapshot()
    for path in sorted((lab.node.root / CERTS.lstrip("/")).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() == good
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


@pytest.mark.parametrize("wanted", [(), (registry("u1", "other.example"),)])
def test_without_a_journal_our_header_tells(lab: Lab, wanted: tuple[TrustedRegistry, ...]) -> None:
    lab.bring(registry())
    (lab.directory / "state/journal.json").unlink()
    lab.restart_agent()
    assert lab.bring(*wanted) == {}
    assert not (lab.node.root / FILE.lstrip("/")).parent.exists()


def test_a_foreign_file_for_the_name_is_a_conflict_that_names_it(lab: Lab) -> None:
    lab.node.write(FILE, 'server = "https://his"\n')
    before = lab.node.snapshot()
    result = lab.bring(registry(), registry("u2", "b.example"))
    assert result.keys() == {"u1"}
    assert result["u1"].reason is NodeReason.CONTENDED
    assert FILE in result["u1"].message
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_directory_that_hides_ours_is_a_conflict(lab: Lab) -> None:
    lab.node.write(f"{CERTS}/a.example_5000_/hosts.toml", "")
    result = lab.bring(registry("u1", "a.example:5000"))
    assert result["u1"].reason is NodeReason.CONTENDED
    assert "a.example_5000_" in result["u1"].message


def test_a_link_out_of_the_directory_is_not_followed(lab: Lab) -> None:
    (lab.node.root / CERTS.lstrip("/")).mkdir()
    (lab.node.root / FILE.lstrip("/")).parent.symlink_to("/etc")
    before = lab.node.snapshot()
    assert lab.bring(registry())["u1"].reason is NodeReason.CONTENDED
    assert lab.node.snapshot() == before


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "_default", "*", "UPPER", ""])
def test_a_bad_name_changes_nothing(lab: Lab, name: str) -> None:
    assert lab.bring(registry("u1", name))["u1"].reason is NodeReason.UNSUPPORTED
    assert lab.node.snapshot() == lab.before


def test_no_config_path_is_reported_with_the_line_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    lab = Lab(tmp_path, "")
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.CONFIG_PATH_MISSING
    assert '[plugins."io.containerd.grpc.v1.cri".registry]' in result.message
    assert 'config_path = "/etc/containerd/certs.d"' in result.message
    assert "/etc/containerd/config.toml" in result.message
    assert lab.node.snapshot() == lab.before


def test_what_was_written_goes_even_if_config_path_went_before(lab: Lab) -> None:
    lab.bring(registry())
    lab.calls.answers["status"] = Calls("", "", {"registry": {}}).answers["status"]
    assert lab.bring(registry())["u1"].reason is NodeReason.CONFIG_PATH_MISSING
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_containerd_that_is_down_hinders_no_withdrawal(lab: Lab) -> None:
    lab.bring(registry())
    lab.calls.answers["version"] = {"error": {"message": "connection refused"}}
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.read(FILE)
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_dockers_containerd_is_not_the_kubelets(lab: Lab) -> None:
    lab.node.process(9, "/usr/bin/kubelet", "--container-runtime-endpoint=unix:///run/x.sock")
    other = listen(lab.node.root / "run/x.sock")
    found = lab.writer.detect()
    assert not isinstance(found, NodeResult)
    assert found.cri == lab.node.root / "run/x.sock"
    other.close()


def test_a_nested_containerd_is_not_this_nodes(lab: Lab) -> None:
    lab.node.process(77, "/usr/bin/containerd", nspid="77\t5")
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before


def test_two_containerds_that_answer_are_not_chosen_from(lab: Lab) -> None:
    other = listen(lab.node.root / "run/k0s/containerd.sock")
    before = lab.node.snapshot()
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "/run/containerd/containerd.sock, /run/k0s/containerd.sock" in result.message
    assert lab.node.snapshot() == before
    lab.node.write(
        "/var/lib/kubelet/c.yaml",
        'a: 1\ncontainerRuntimeEndpoint: "unix:///run/k0s/containerd.sock"\n',
    )
    lab.node.process(9, "/usr/bin/kubelet", "--config=/var/lib/kubelet/c.yaml")
    found = lab.writer.detect()
    assert not isinstance(found, NodeResult)
    assert found.cri == lab.node.root / "run/k0s/containerd.sock"
    other.close()
