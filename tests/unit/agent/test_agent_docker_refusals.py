"""What the daemon refuses or takes from others, and when the node is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import dockerwords, files
from localregistry.trust import NodeReason

from .dockerlab import CONFIG, HIS, Lab
from .standins import Clock, Dockerd, Node, listen, registry


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


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
