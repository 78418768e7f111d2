"""Which writer a node gets, and the agent with each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import app, endpoint, runtimes
from localregistry.agent.agent import CHECK_SECONDS
from localregistry.agent.journal import Journal, Record
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, Report, Task, TrustDocument, TrustedRegistry

from .labs import KINDS, RuntimeLab, SignalledLab, peer
from .standins import put, registry


@pytest.mark.parametrize(
    ("runtime", "kind"),
    [
        ("docker://26.1.5", "docker"),
        ("containerd://1.7.24", "containerd"),
        ("containerd://2.1.4-k3s1", "k3s"),
        ("containerd://1.7.23+rke2", "k3s"),
        ("k3s://", "k3s"),
        ("cri-o://1.34.0", "cri-o"),
        ("", ""),
    ],
)
def test_the_kind_of_a_reported_runtime(runtime: str, kind: str) -> None:
    assert runtimes.kind(runtime) == kind


def test_a_journal_tells_whose_files_it_names(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    assert runtimes.kinds_of(journal) == set()
    journal.put("/etc/hosts", Record(entries={"a": "u"}))
    journal.put("/etc/docker/certs.d/a/hosts.toml", Record(writer="docker"))
    journal.put("/etc/containerd/certs.d/a/hosts.toml", Record(writer="containerd"))
    journal.put("/x/50-localregistry-a.conf", Record(writer="cri-o"))
    assert runtimes.kinds_of(journal) == {"docker", "containerd", "cri-o"}
    assert runtimes.kinds_of(Journal(tmp_path / "state")) == {"docker", "containerd", "cri-o"}


class Node:
    """A node of one runtime, with the whole agent on it."""

    def __init__(self, directory: Path, label: str) -> None:
        self.lab = RuntimeLab(directory, label)
        self.directory = directory
        self.agent = app.assemble(
            host=HostRoot(self.lab.node.root),
            state_dir=directory / "state",
            trust_file=directory / "trust.json",
            task_file=directory / "task",
            processes=SignalledLab(self.lab),
            calls=self.lab.calls,
            clock=self.lab.clock,
            log=lambda _: None,
        )

    def tell(self, *wanted: TrustedRegistry, runtime: str = "") -> Report:
        document = TrustDocument(wanted)
        task = Task(document.revision, runtime or self.lab.kind.runtime)
        put(self.directory / "trust.json", document.to_json())
        put(self.directory / "task", task.to_json())
        return self.run()

    def run(self) -> Report:
        for _ in range(4):
            self.lab.clock.now += 1.0
            self.agent.step()
        return self.agent.report


@pytest.fixture(params=KINDS)
def node(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Node]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = Node(tmp_path, request.param)
    yield made
    made.agent.close()
    made.lab.close()


def test_a_registry_is_proved_by_a_pull_and_withdrawn_without_a_trace(node: Node) -> None:
    report = node.tell(registry())
    assert report.exceptions == {}
    assert report.runtime == node.lab.kind.runtime
    assert node.lab.calls.pulls == ["registry.example.internal/localregistry-probe:1"]
    assert node.tell().exceptions == {}
    assert node.lab.node.snapshot() == node.lab.before
    assert not (node.directory / "state").exists()


def test_an_idle_node_is_left_in_peace(node: Node) -> None:
    node.tell(registry())
    good, signals = node.lab.node.snapshot(), node.lab.signals
    asked = list(node.lab.calls.asked)
    for _ in range(5):
        node.lab.clock.now += CHECK_SECONDS
        assert node.run().exceptions == {}
    assert node.lab.node.snapshot() == good
    assert node.lab.signals == signals
    assert node.lab.calls.asked == asked
    assert len(node.lab.calls.pulls) == 1


def test_what_was_written_for_a_runtime_goes_when_the_node_has_another(node: Node) -> None:
    node.tell(registry())
    other = "containerd://1.7.24" if "cri-o" in node.lab.kind.runtime else "cri-o://1.34.0"
    assert node.tell(registry(), runtime=other).exceptions["u1"].reason is NodeReason.PENDING
    assert node.lab.node.snapshot() == node.lab.before
    node.tell(runtime=other)
    assert not (node.directory / "state").exists()
