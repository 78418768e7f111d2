"""What every writer must do, on a node of its runtime. The daemons are stand-ins here; the same
promises are kept against the real ones elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import endpoint
from localregistry.trust import NodeReason

from .labs import DAEMON, KINDS, NAME, RuntimeLab, SignalledLab, peer
from .standins import registry

FOREIGN = {
    "docker, graphdriver store": ("/etc/hosts", f"10.0.0.1 {NAME}\n"),
    "CRI-O": (
        "/etc/containers/registries.conf.d/95-site.conf",
        f'[[registry]]\nlocation = "{NAME}"\n',
    ),
}


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, request.param)
    yield made
    made.close()


def test_a_registry_is_configured_once_and_withdrawn_byte_by_byte(lab: RuntimeLab) -> None:
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() != lab.before
    assert lab.signals == lab.kind.signals
    assert lab.plan(registry()).idle
    assert lab.plan(registry()).entries.keys() == {"u1"}
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.signals == 2 * lab.kind.signals
    assert lab.journal.empty
    assert lab.plan().idle


def test_planning_touches_nothing(lab: RuntimeLab) -> None:
    assert not lab.plan(registry()).idle
    lab.writer.detect()
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()
    assert lab.signals == 0


def test_another_agent_process_goes_on_where_the_first_ended(lab: RuntimeLab) -> None:
    lab.bring(registry())
    lab.restart_agent()
    assert lab.plan(registry()).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_new_address_is_brought_over(lab: RuntimeLab) -> None:
    lab.bring(registry())
    assert lab.bring(registry(address="10.96.0.99")) == {}
    text = b"".join(lab.node.snapshot().values())
    assert b"10.96.0.99" in text
    assert b"10.96.0.7" not in text
    assert lab.plan(registry(address="10.96.0.99")).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_many_registries_come_and_go_together(lab: RuntimeLab) -> None:
    many = [registry(f"u{i}", f"r{i}.example", f"r{i}.example:5000") for i in range(8)]
    assert lab.bring(*many) == {}
    assert lab.signals == lab.kind.signals
    assert lab.bring(*many[1:]) == {}
    assert b"r0.example" not in b"".join(lab.node.snapshot().values())
    assert lab.plan(*many[1:]).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_drift_is_seen_and_repaired(lab: RuntimeLab) -> None:
    lab.bring(registry())
    good = lab.node.snapshot()
    for path, content in good.items():
        if lab.before.get(path) != content and lab.path(path).is_file():
            old = lab.before.get(path)
            lab.path(path).unlink() if old is None else lab.node.write(path, old)
    assert not lab.plan(registry()).idle
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() == good


def test_somebody_elses_entry_for_the_name_is_a_conflict_that_names_it(lab: RuntimeLab) -> None:
    path, content = FOREIGN.get(lab.label, (lab.kind.file, 'server = "https://his"\n'))
    lab.node.write(path, content)
    before = lab.node.snapshot()
    results = lab.bring(registry(), registry("u2", "other.example"))
    assert results.keys() == {"u1"}
    assert results["u1"].reason is NodeReason.CONTENDED
    assert path in results["u1"].message
    assert lab.plan(registry(), registry("u2", "other.example")).entries.keys() == {"u2"}
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


@pytest.mark.parametrize("step", range(1, 15))
def test_a_kill_between_two_steps_is_made_good(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The process ends before its n-th rename, removal or signal, on both ways."""
    for wanted in ((registry(),), ()):
        count = 0

        def dying(original: Any) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    raise KeyboardInterrupt
                return original(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for name in ("rename", "unlink", "mkdir"):
                patch.setattr(Path, name, dying(getattr(Path, name)))
            patch.setattr(SignalledLab, "signal_hup", dying(SignalledLab.signal_hup))
            try:
                lab.bring(*wanted)
            except KeyboardInterrupt:
                lab.restart_agent()
        assert lab.bring(*wanted) == {}
        assert lab.plan(*wanted).idle
        if lab.dockerd is not None and not lab.kind.store:
            assert (NAME in lab.dockerd.insecure) is bool(wanted)
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "_default", "*", "UPPER", "", 'a"]\n'])
def test_a_bad_name_changes_nothing(lab: RuntimeLab, name: str) -> None:
    assert lab.bring(registry("u1", name))["u1"].reason is NodeReason.UNSUPPORTED
    assert lab.node.snapshot() == lab.before
    assert lab.signals == 0


@pytest.mark.parametrize("nested", [{"nspid": f"{DAEMON}\t12"}, {"uid": 1000}], ids=str)
def test_a_nested_or_rootless_daemon_is_not_this_nodes(
    lab: RuntimeLab, nested: dict[str, Any]
) -> None:
    lab.node.process(DAEMON, *lab.kind.command, **nested)
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before
    assert lab.signals == 0


def test_while_the_runtime_is_down_what_is_wanted_stays(lab: RuntimeLab) -> None:
    lab.bring(registry())
    good, signals = lab.node.snapshot(), lab.signals
    stat = (lab.node.proc / str(DAEMON) / "comm").read_text()
    (lab.node.proc / str(DAEMON) / "comm").write_text("gone\n")
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == good
    (lab.node.proc / str(DAEMON) / "comm").write_text(stat)
    assert lab.plan(registry()).idle
    assert lab.signals == signals


def test_a_proof_is_for_what_stands_on_the_node(lab: RuntimeLab) -> None:
    first = lab.plan(registry()).entries["u1"]
    lab.bring(registry())
    assert lab.plan(registry()).entries["u1"] == first
    assert lab.plan(registry(address="10.96.0.99")).entries["u1"] != first


def test_no_temporary_file_has_a_name_that_a_runtime_scans(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    rename = Path.rename

    def watch(self: Path, target: Path) -> Path:
        seen.append(self.name)
        return Path(rename(self, target))

    monkeypatch.setattr(Path, "rename", watch)
    lab.bring(registry())
    assert seen
    assert not [name for name in seen if name.endswith((".conf", ".toml", ".json"))]
