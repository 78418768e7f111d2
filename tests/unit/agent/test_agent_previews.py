"""The agent as a whole with registries in Preview: it tells what it would do, and does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import endpoint, files
from localregistry.agent.agent import CHECK_SECONDS
from localregistry.agent.paths import HostRoot
from localregistry.agent.preview import preview
from localregistry.agent.previews import AFRESH_SECONDS, LOOK_SECONDS, MAX_BYTES, SLICE_SECONDS
from localregistry.trust import NodeReason, Report, TrustedRegistry

from .labs import DAEMON, KINDS, NAME, peer
from .standins import registry
from .wholelabs import STATE, WholeLab

OTHER = "other.example"


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WholeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = WholeLab(tmp_path, request.param)
    yield made
    made.agent.close()
    made.close()


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[WholeLab]:
    made = WholeLab(tmp_path, "docker, graphdriver store")
    yield made
    made.agent.close()
    made.close()


def looked_at(*arguments: Any, **options: Any) -> TrustedRegistry:
    return registry(*arguments, preview=True, **options)


def test_a_preview_is_told_and_leaves_no_trace_of_any_kind(lab: WholeLab) -> None:
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


def test_dns_is_previewed_as_it_would_be_done(lab: WholeLab) -> None:
    lab.tell(looked_at(dns=True))
    assert lab.run().previews == {"u1": tuple(preview(lab.plan(registry(dns=True))))}
    assert "10.96.0.7" not in "".join(lab.agent.report.previews["u1"])
    assert lab.fingerprint() == lab.untouched


def test_each_preview_is_by_itself_beside_what_is_served(lab: WholeLab) -> None:
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


def test_a_registry_that_turns_to_preview_stays_as_it_is(lab: WholeLab) -> None:
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
def test_what_a_frozen_registry_would_become_is_previewed(lab: WholeLab, restart: bool) -> None:
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


def test_a_name_that_a_preview_has_no_longer_is_withdrawn(lab: WholeLab) -> None:
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
def test_a_frozen_registry_goes_with_its_reason(lab: WholeLab, how: str) -> None:
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


def test_drift_of_a_frozen_registry_is_repaired(lab: WholeLab) -> None:
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


def test_what_would_be_refused_is_one_line_with_the_sentence(lab: WholeLab) -> None:
    lab.tell(looked_at("u1", "docker.io"), looked_at("u2", OTHER))
    report = lab.run()
    assert report.exceptions == {}
    (line,) = report.previews["u1"]
    assert line.startswith("! Unsupported: 'docker.io' is never redirected")
    assert OTHER in "\n".join(report.previews["u2"])
    assert lab.fingerprint() == lab.untouched


def test_a_runtime_that_is_down_is_told_and_looked_at_when_it_is_up(lab: WholeLab) -> None:
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


def test_a_refused_registry_is_not_frozen_and_not_on_the_node(docker: WholeLab) -> None:
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


def test_an_administrators_edit_changes_the_preview_within_a_minute(docker: WholeLab) -> None:
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


def test_a_hundred_previews_cost_one_plan_per_look(docker: WholeLab) -> None:
    docker.tell(*(looked_at(f"u{n:03}", f"r{n}.example") for n in range(100)))
    assert len(docker.run().previews) == 100
    docker.run(LOOK_SECONDS)
    docker.plans = 0
    docker.run(AFRESH_SECONDS / 2)
    looks = AFRESH_SECONDS / 2 / LOOK_SECONDS
    checks = AFRESH_SECONDS / 2 / CHECK_SECONDS
    assert docker.plans <= 2 * looks + checks + 2
    assert docker.fingerprint() == docker.untouched


def test_many_previews_leave_time_for_pulls(
    docker: WholeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    docker: WholeLab, monkeypatch: pytest.MonkeyPatch
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


def test_a_memory_of_a_newer_agent_freezes_what_it_served(docker: WholeLab) -> None:
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


def test_a_damaged_document_at_a_start_leaves_what_is_frozen(docker: WholeLab) -> None:
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


def test_a_preview_that_never_was_on_the_node_leaves_nothing_beside_others(
    docker: WholeLab,
) -> None:
    docker.tell(registry("u2", OTHER), looked_at())
    docker.run(LOOK_SECONDS)
    memory = b"".join(p.read_bytes() for p in (docker.node.root / STATE).rglob("*") if p.is_file())
    assert OTHER.encode() in memory
    assert NAME.encode() not in memory


def test_a_long_preview_ends_with_a_line_that_says_so(docker: WholeLab) -> None:
    names = [f"{'x' * 60}-{n}.{'y' * 60}.example" for n in range(16)]
    docker.tell(looked_at("u1", *names))
    lines = docker.run().previews["u1"]
    assert sum(len(line.encode()) + 1 for line in lines) <= MAX_BYTES
    assert "left out" in lines[-1]
    assert lines[:-1] == tuple(preview(docker.plan(registry("u1", *names))))[: len(lines) - 1]


def test_an_excluded_registry_is_neither_previewed_nor_frozen(docker: WholeLab) -> None:
    entry = replace(looked_at(), uid="u9")
    docker.tell(entry, excluded=("u8", "u9"))
    report = docker.run()
    assert (report.previews, report.exceptions) == ({}, {})
    assert report.excluded == ("u8", "u9")
    assert docker.fingerprint() == docker.untouched
