"""`agent --clean`: a node whose operator is gone is as it was before, by its own journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from localregistry.agent import app
from localregistry.agent.agent import Agent

from .looplab import FILE, Lab
from .standins import registry


def cleaner(lab: Lab) -> Agent:
    """An agent without document and task, as after the operator's namespace went."""
    lab.agent.close()
    for name in ("trust.json", "task"):
        (lab.directory / name).unlink(missing_ok=True)
    lab.restart(clean=True)
    return lab.agent


def steps(agent: Agent) -> None:
    for _ in range(4):
        agent.step()


def configured(lab: Lab) -> None:
    lab.tell(registry())
    lab.run()
    assert (lab.node.root / FILE.lstrip("/")).is_file()


def test_what_agents_left_is_taken_away_and_their_own_directory_too(lab: Lab) -> None:
    configured(lab)
    agent = cleaner(lab)
    assert not agent.traceless
    steps(agent)
    assert agent.traceless
    assert agent.settled
    assert lab.node.snapshot() == lab.before
    assert not (lab.directory / "state").exists()


def test_a_second_cleaning_finds_nothing_and_writes_nothing(lab: Lab) -> None:
    configured(lab)
    steps(cleaner(lab))
    again = cleaner(lab)
    steps(again)
    assert again.traceless
    assert not (lab.directory / "state").exists()


def test_a_node_that_never_had_an_agent_is_clean_and_stays_as_it_is(lab: Lab) -> None:
    agent = cleaner(lab)
    steps(agent)
    assert agent.settled
    assert agent.traceless
    assert lab.node.snapshot() == lab.before


def test_without_the_last_goal_the_journal_tells_whose_files_they_are(lab: Lab) -> None:
    configured(lab)
    (lab.directory / "state/goal.json").unlink()
    agent = cleaner(lab)
    steps(agent)
    assert agent.report.runtime == "containerd://"
    assert lab.node.snapshot() == lab.before


def test_an_entry_that_somebody_else_edited_keeps_his_part(lab: Lab) -> None:
    configured(lab)
    path = lab.node.root / FILE.lstrip("/")
    path.write_text("# mine\nserver = 'http://10.0.0.1'\n")
    steps(cleaner(lab))
    assert path.read_text() == "# mine\nserver = 'http://10.0.0.1'\n"
    assert not (lab.directory / "state").exists()


def test_a_journal_that_cannot_be_read_is_told_and_nothing_is_touched(lab: Lab) -> None:
    configured(lab)
    (lab.directory / "state/journal.json").write_text('{"format": 99}')
    before = lab.node.snapshot()
    agent = cleaner(lab)
    steps(agent)
    assert not agent.traceless
    assert agent.complaint
    assert lab.node.snapshot() == before


def test_once_ends_with_0_where_the_node_is_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--once", "--clean", "--host-root", str(tmp_path), "--proc-root", str(tmp_path)]
    assert app.main(arguments) == 0
    assert '"revision"' in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_once_ends_with_1_and_the_reason_where_it_is_not(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app, "ONCE_SECONDS", 0.0)
    configured(lab)
    (lab.directory / "state/journal.json").write_text('{"format": 99}')
    lab.agent.close()
    arguments = ["--once", "--clean", "--host-root", str(lab.node.root)]
    assert app.main([*arguments, "--state-dir", str(lab.directory / "state")]) == 1
    assert "journal" in capsys.readouterr().err
