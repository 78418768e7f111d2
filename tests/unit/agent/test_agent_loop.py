"""The agent as a whole, on a node of these tests: from the two files to the report."""

from __future__ import annotations

import fcntl
import os
import time

import pytest

from localregistry.agent import app, files
from localregistry.agent.agent import CHECK_SECONDS
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, Report

from .looplab import FILE, RUNTIME, Lab
from .standins import registry


def test_without_a_task_the_agent_does_nothing(lab: Lab) -> None:
    assert lab.run() == Report("")
    assert lab.calls.asked == []
    assert not (lab.directory / "state").exists()


def test_a_registry_is_configured_proved_and_withdrawn(lab: Lab) -> None:
    revision = lab.tell(registry())
    assert lab.run() == Report(revision, RUNTIME, {})
    assert lab.calls.pulls == ["registry.example.internal/localregistry-probe:1"]
    assert lab.agent.settled
    empty = lab.tell()
    assert lab.run() == Report(empty, RUNTIME, {})
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()


def test_a_node_that_leaves_the_selection_is_cleaned_and_comes_back_with_a_fresh_proof(
    lab: Lab,
) -> None:
    revision = lab.tell(registry(), registry("u2", "b.example"))
    assert lab.run().excluded == ()
    lab.tell(registry(), registry("u2", "b.example"), excluded="u1 u2")
    assert lab.run() == Report(revision, RUNTIME, {}, excluded=("u1", "u2"))
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()
    lab.tell(registry(), registry("u2", "b.example"), excluded="u2")
    assert lab.run() == Report(revision, RUNTIME, {}, excluded=("u2",))
    assert [image.split("/")[0] for image in lab.calls.pulls[2:]] == ["registry.example.internal"]


def test_an_excluded_registry_that_cannot_be_withdrawn_stays_an_exception(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise files.Refused("It is immutable.", transient=False)

    lab.tell(registry())
    lab.run()
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", refuse)
        lab.tell(registry(), excluded="u1")
        report = lab.run()
    assert report.excluded == ("u1",)
    assert report.exceptions["u1"].message == "It is immutable."
    assert lab.run(CHECK_SECONDS).exceptions == {}


def test_while_it_is_withdrawn_an_excluded_registry_is_pending(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    descriptor = os.open(lab.directory / "state/lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    lab.tell(registry(), excluded="u1")
    result = lab.run().exceptions["u1"]
    assert result.reason is NodeReason.PENDING
    assert "withdrawn" in result.message
    os.close(descriptor)
    assert lab.run(1).exceptions == {}


def test_a_restart_of_the_agent_probes_nothing(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    lab.restart()
    assert lab.run().exceptions == {}
    assert len(lab.calls.pulls) == 1


@pytest.mark.parametrize("change", ["runtime restart", "address", "new registry of that name"])
def test_a_proof_holds_only_for_what_was_proved(lab: Lab, change: str) -> None:
    lab.tell(registry())
    lab.run()
    match change:
        case "runtime restart":
            lab.node.process(77, "/usr/bin/containerd", start=2000)
        case "address":
            lab.tell(registry(address="10.96.0.8"))
        case _:
            lab.tell(registry("u2"))
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert len(lab.calls.pulls) == 2


def test_a_failing_pull_is_reported_and_does_not_touch_the_others(lab: Lab) -> None:
    lab.calls.failing["dead.example"] = "connect: connection refused"
    lab.tell(registry(), registry("u2", "dead.example"))
    assert lab.run().exceptions.keys() == {"u2"}
    assert lab.agent.report.exceptions["u2"].reason is NodeReason.PENDING
    assert not lab.agent.settled
    assert lab.run(11).exceptions["u2"].reason is NodeReason.PULL_FAILED
    del lab.calls.failing["dead.example"]
    assert lab.run(11).exceptions == {}


def test_a_damaged_document_leaves_the_node_and_its_drift_repair(lab: Lab) -> None:
    revision = lab.tell(registry())
    lab.run()
    (lab.directory / "trust.json").write_text("{}")
    (lab.node.root / FILE.lstrip("/")).unlink()
    assert lab.run(CHECK_SECONDS) == Report(revision, RUNTIME, {})
    assert lab.node.read(FILE)
    assert "nothing is changed" in lab.agent.complaint


@pytest.mark.parametrize("runtime", ["rkt://1.30", "x://1", ""])
def test_an_unknown_runtime_is_unsupported_and_untouched(lab: Lab, runtime: str) -> None:
    lab.tell(registry(), runtime=runtime)
    result = lab.run().exceptions["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert result.message.endswith(".")
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()


def test_a_node_with_another_runtime_now_is_cleaned_of_the_first(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    lab.tell(registry(), runtime="cri-o://1.34")
    assert lab.run().exceptions["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()


def test_two_agents_take_turns(lab: Lab) -> None:
    (lab.directory / "state").mkdir()
    descriptor = os.open(lab.directory / "state/lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    lab.tell(registry())
    result = lab.run().exceptions["u1"]
    assert result.reason is NodeReason.PENDING
    assert "Another agent" in result.message
    assert lab.node.snapshot() == lab.before
    os.close(descriptor)
    assert lab.run(1).exceptions == {}


def test_a_node_that_takes_no_writes_is_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise files.Refused("/etc is on a read-only file system.", transient=False)

    with monkeypatch.context() as patch:
        patch.setattr(files, "make_directory", refuse)
        lab.tell(registry())
        result = lab.run().exceptions["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "read-only" in result.message
    assert lab.run(CHECK_SECONDS).exceptions == {}


def test_a_file_that_changes_under_the_agent_is_read_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outrun(*_: object, **__: object) -> None:
        raise files.Outrun("/etc/x")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", outrun)
        lab.tell(registry())
        result = lab.run().exceptions["u1"]
    assert result.reason is NodeReason.PENDING
    assert "/etc/x changed meanwhile" in result.message
    assert lab.run(1).exceptions == {}


def test_an_error_of_the_node_ends_a_pass_and_not_the_agent(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "/host/etc/x")

    with monkeypatch.context() as patch:
        patch.setattr(HostRoot, "resolve", fail)
        lab.tell(registry())
        assert "/host/etc/x: Input/output error" in lab.run().exceptions["u1"].message
    assert lab.run(CHECK_SECONDS).exceptions == {}


def test_what_cannot_be_withdrawn_stays_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise files.Refused("It is immutable.", transient=False)

    lab.tell(registry())
    lab.run()
    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", refuse)
        lab.tell()
        assert lab.run().exceptions["u1"].reason is NodeReason.UNSUPPORTED
    assert lab.run(CHECK_SECONDS).exceptions == {}
    assert lab.node.snapshot() == lab.before


def test_while_it_works_a_registry_is_pending(lab: Lab) -> None:
    lab.tell(registry())
    lab.agent.step()
    assert lab.agent.report.exceptions["u1"].reason is NodeReason.PENDING
    assert lab.run().exceptions == {}


def test_each_change_of_a_result_is_one_line(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    for _ in range(10):
        lab.run(CHECK_SECONDS)
    assert [line for line in lab.logged if line.startswith("u1: ")][-1] == "u1: done"
    assert len(lab.logged) <= 4


def test_spegel_is_named_and_the_other_registries_are_still_repaired(lab: Lab) -> None:
    other = FILE.replace("registry.example.internal", "other.example")
    lab.tell(registry(), registry("u2", "other.example"))
    lab.run()
    (lab.node.root / "etc/containerd/certs.d/_backup").mkdir()
    for _ in range(3):
        (lab.node.root / FILE.lstrip("/")).unlink()
        (lab.node.root / FILE.lstrip("/")).parent.rmdir()
        lab.run(CHECK_SECONDS)
    (lab.node.root / other.lstrip("/")).unlink()
    exceptions = lab.run(CHECK_SECONDS).exceptions
    assert exceptions.keys() == {"u1"}
    assert exceptions["u1"].reason is NodeReason.CONTENDED
    assert "Spegel" in exceptions["u1"].message
    assert lab.node.read(other)
    assert not (lab.node.root / FILE.lstrip("/")).exists()
    assert lab.run(600).exceptions == {}
    assert lab.node.read(FILE)


def test_a_complaint_is_logged_once_and_its_end_too(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    good = (lab.directory / "trust.json").read_text()
    (lab.directory / "trust.json").write_text("{}")
    for _ in range(5):
        lab.run(CHECK_SECONDS)
    assert len([line for line in lab.logged if "nothing is changed" in line]) == 1
    (lab.directory / "trust.json").write_text(good)
    lab.run()
    assert lab.logged[-1] == "What was complained of is mended."


def test_the_health_answer_carries_the_complaint(lab: Lab) -> None:
    lab.tell(registry())
    (lab.directory / "trust.json").write_text("{}")
    lab.run()
    lab.agent.heartbeat = time.monotonic()
    status, _, text = app._health(lab.agent)
    assert (status, text.startswith("ok nothing is changed")) == (200, True)
    lab.agent.heartbeat -= app.STALLED_SECONDS + 1
    assert app._health(lab.agent)[0] == 503
