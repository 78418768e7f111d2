"""CRI-O's drop-ins, and when it is told of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import cridropin, endpoint, words
from localregistry.agent.procs import Processes
from localregistry.trust import NodeReason, NodeResult

from .labs import DAEMON, NAME, RuntimeLab, SignalledLab, peer
from .standins import registry

DROP_INS = "/etc/containers/registries.conf.d"
CRIO = "/etc/crio/crio.conf"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, "CRI-O")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "address", "port", "location"),
    [
        (NAME, "10.96.0.7", 80, "10.96.0.7:80"),
        ("a.example:5000", "10.96.0.7", 5000, "10.96.0.7:5000"),
        (NAME, "fd00::7", 80, "[fd00::7]:80"),
    ],
)
def test_a_drop_in_says_where_the_name_is(
    name: str, address: str, port: int, location: str
) -> None:
    content = cridropin.render(registry("u1", name, address=address, port=port), name)
    assert tomllib.loads(content.decode()) == {
        "registry": [{"prefix": name, "location": location, "insecure": True}]
    }
    assert cridropin.prefixes(content) == {name}


def test_every_name_has_a_file_of_its_own_that_a_file_system_takes() -> None:
    label = "a" * 60
    long = [".".join([label] * 4), ".".join([label] * 3 + ["a" * 59])]
    names = ["a.example", "a.example:5000", "a.example-5000", *long, f"{long[0]}:5000"]
    files = [cridropin.file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert files[:2] == [
        "50-localregistry-a.example.conf",
        "50-localregistry-a.example_5000.conf",
    ]
    assert all(len(file) <= 255 and "/" not in file for file in files)


PREFIXES = {
    "the location counts where there is no prefix": ('[[registry]]\nlocation="a"\n', {"a"}),
    "the prefix counts": ('[[registry]]\nlocation="a"\nprefix="b"\n', {"b"}),
    "version 1": ('[registries.insecure]\nregistries = ["a"]\n', {"a"}),
    "a search list redirects nothing": ('[registries.search]\nregistries = ["a"]\n', set[str]()),
    "nothing": ("", set[str]()),
}


@pytest.mark.parametrize(("content", "expected"), PREFIXES.values(), ids=PREFIXES.keys())
def test_the_entries_of_others_are_known(content: str, expected: set[str]) -> None:
    assert cridropin.prefixes(content.encode()) == expected


@pytest.mark.parametrize("path", ["/etc/containers/registries.conf", f"{DROP_INS}/10-x.conf"])
def test_an_entry_anywhere_is_a_conflict(lab: RuntimeLab, path: str) -> None:
    lab.node.write(path, f'[[registry]]\nprefix = "{NAME}"\nlocation = "x"\n')
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.CONTENDED
    assert path in result.message
    lab.node.write(path, "")
    assert lab.bring(registry()) == {}


@pytest.mark.parametrize(
    "broken", ["[[reg", "registry = 1", "[[registry]]\ninsecure = true", "\xff"]
)
def test_a_broken_file_of_somebody_elses_is_named_and_nothing_is_signalled(
    lab: RuntimeLab, broken: str
) -> None:
    lab.bring(registry())
    lab.node.write(f"{DROP_INS}/20-his.conf", broken.encode("latin-1"))
    before, signals = lab.node.snapshot(), lab.signals
    for wanted in ((registry(), registry("u2", "b.example")), ()):
        results = lab.bring(*wanted)
        assert results.keys() == {r.uid for r in wanted} | {"u1"}
        assert results["u1"].reason is NodeReason.FOREIGN_CONFIG_INVALID
        assert "20-his.conf" in results["u1"].message
    assert lab.node.snapshot() == before
    assert lab.signals == signals
    lab.path(f"{DROP_INS}/20-his.conf").unlink()
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.signals == signals + 1


@pytest.mark.parametrize("name", [".localregistry.tmp", "notes.txt", "sub.d"])
def test_what_crio_does_not_read_is_not_judged(lab: RuntimeLab, name: str) -> None:
    lab.node.write(f"{DROP_INS}/{name}", "[[reg")
    assert lab.bring(registry()) == {}


WATCHES = {
    "its file": ({CRIO: "[crio.image]\nauto_reload_registries = true\n"}, (), True),
    "a drop-in wins": (
        {
            CRIO: "[crio.image]\nauto_reload_registries = true\n",
            f"{CRIO}.d/10.conf": "[crio.image]\nauto_reload_registries = false\n",
        },
        (),
        False,
    ),
    "a drop-in of something else says nothing": (
        {
            CRIO: "[crio.image]\nauto_reload_registries = true\n",
            f"{CRIO}.d/20.conf": "[crio.runtime]\nx = 1\n",
        },
        (),
        True,
    ),
    "its flag": ({}, ("--auto-reload-registries",), True),
    "another file": (
        {"/o.conf": "[crio.image]\nauto_reload_registries = true\n"},
        ("-c", "/o.conf"),
        True,
    ),
    "no word": ({}, (), False),
}


@pytest.mark.parametrize(("files", "flags", "watches"), WATCHES.values(), ids=WATCHES.keys())
def test_whether_crio_reads_by_itself_is_told_by(
    lab: RuntimeLab, files: dict[str, str], flags: tuple[str, ...], watches: bool
) -> None:
    for path, content in files.items():
        lab.node.write(path, content)
    lab.node.process(DAEMON, "/usr/bin/crio", *flags)
    assert lab.plan(registry()).reload is not watches
    assert lab.bring(registry()) == {}
    assert lab.signals == (0 if watches else 1)
    assert lab.plan(registry()).idle
    assert lab.bring() == {}
    assert lab.journal.empty


def test_a_crio_conf_that_would_fail_the_reload_is_named(lab: RuntimeLab) -> None:
    lab.node.write(CRIO, "[crio")
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.FOREIGN_CONFIG_INVALID
    assert CRIO in result.message
    assert lab.signals == 0


def test_another_directory_by_flag_is_the_one_that_is_written_to(lab: RuntimeLab) -> None:
    lab.node.process(DAEMON, "/usr/bin/crio", "--registries-conf-dir=/opt/r.d")
    assert lab.bring(registry()) == {}
    assert lab.path(f"/opt/r.d/50-localregistry-{NAME}.conf").is_file()
    assert lab.bring() == {}
    assert not lab.path("/opt").exists()


def test_openshifts_nodes_are_left_to_its_operator(lab: RuntimeLab) -> None:
    lab.node.write("/etc/os-release", 'NAME="Red Hat Enterprise Linux CoreOS"\nID="rhcos"\n')
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "image.config.openshift.io/cluster" in result.message
    assert not lab.path(lab.kind.file).exists()


def test_a_signal_that_is_not_allowed_is_no_success(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(SignalledLab, "signal_hup", refuse)
        result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.RELOAD_BLOCKED
    assert "Operation not permitted" in result.message
    assert not lab.plan(registry()).idle
    assert lab.bring(registry()) == {}
    assert lab.signals == 1


def _starting(monkeypatch: pytest.MonkeyPatch, lab: RuntimeLab) -> None:
    monkeypatch.setitem(lab.calls.answers, "version", {"error": {"message": "refused"}})


def test_a_withdrawal_while_crio_starts_is_told_when_it_answers(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.bring(registry())
    with monkeypatch.context() as patch:
        _starting(patch, lab)
        assert lab.bring()["u1"].reason is NodeReason.PENDING
        assert not lab.path(lab.kind.file).exists()
        assert lab.plan().idle
        assert lab.signals == 1
    assert lab.bring() == {}
    assert lab.signals == 2
    assert lab.journal.empty


def test_a_withdrawal_while_no_crio_runs_is_done(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.bring(registry())
    _starting(monkeypatch, lab)
    monkeypatch.setattr(Processes, "named", lambda *_: [])
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


def test_without_a_journal_our_header_tells(lab: RuntimeLab) -> None:
    lab.bring(registry())
    (lab.directory / "state/journal.json").unlink()
    lab.restart_agent()
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.signals == 2


def test_an_empty_directory_that_was_there_stays(lab: RuntimeLab) -> None:
    lab.path(f"{DROP_INS}/00-his.conf").unlink()
    before = lab.node.snapshot()
    lab.bring(registry())
    (lab.directory / "state/journal.json").unlink()
    lab.restart_agent()
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_contended_file_is_left_out_of_a_plan_and_what_was_untold_is_not(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = lab.plan(registry())
    assert plan.reload
    assert plan.without([lab.kind.file]).idle
    with monkeypatch.context() as patch:
        patch.setattr(SignalledLab, "signal_hup", lambda *_: False)
        lab.bring(registry())
    assert lab.plan(registry()).without([lab.kind.file]).reload


def test_a_crio_that_takes_no_ipv6_address_is_explained() -> None:
    message = 'docker://six.example/a:1": rewriting reference: invalid reference format'
    assert "IPv6" in words.failure({"kind": "call", "message": message}).sentence


def test_two_spellings_of_one_socket_are_one(lab: RuntimeLab) -> None:
    found = lab.writer.detect()
    assert not isinstance(found, NodeResult)
    assert found.cri == lab.path("/run/crio/crio.sock")  # /var/run is the same place
