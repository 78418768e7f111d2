"""What is remembered of the node beside its files, and for how long."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from localregistry.agent import files
from localregistry.agent.guest import Guest, Unknown
from localregistry.agent.inputs import Goal
from localregistry.agent.journal import Journal, Record, sha256
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import Busy, State

from .standins import registry


def test_the_journal_remembers_over_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    record = Record(journal.keep(b"pristine"), ("1",), {"a": "u"}, key_made=True)
    journal.put("/etc/docker/daemon.json", record)
    journal.put_directory("/etc/docker")
    again = Journal(tmp_path)
    assert again.get("/etc/docker/daemon.json") == record
    assert again.directories() == ["/etc/docker"]
    assert again.content(sha256(b"pristine")) == b"pristine"
    again.forget("/etc/docker/daemon.json")
    assert again.content(sha256(b"pristine")) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": {"a": {}}}', b"\xff"])
def test_a_damaged_journal_knows_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.json").write_bytes(content)
    assert Journal(tmp_path).empty


def test_only_what_nobody_edited_has_a_known_base(tmp_path: Path) -> None:
    guest = Guest(HostRoot(tmp_path), Journal(tmp_path / "state"))
    kept = guest.journal.keep(b"pristine")
    guest.journal.put("/x", Record(kept, (sha256(b"ours"),)))
    assert guest.base("/x", b"ours") == b"pristine"
    assert guest.base("/x", b"pristine") == b"pristine"
    assert guest.base("/x", b"edited") is Unknown
    assert guest.base("/y", b"other") == b"other"


def test_directories_of_ours_go_unless_others_use_them(tmp_path: Path) -> None:
    guest = Guest(HostRoot(tmp_path), Journal(tmp_path / "state"))
    guest.make_directories("/a/b/c/x")
    guest.make_directories("/a/d/x")
    (tmp_path / "a/d/his").touch()
    guest.clear_directories()
    assert (tmp_path / "a/d/his").exists()
    assert not (tmp_path / "a/b").exists()
    assert guest.journal.directories() == []


def test_two_agents_never_hold_a_node_at_once(tmp_path: Path) -> None:
    one, other = State(tmp_path / "state"), State(tmp_path / "state")
    with one.held(), pytest.raises(Busy), other.held():
        pass
    with other.held():
        other.save_proofs({"u": "k"})
    assert one.proofs() == {"u": "k"}


def test_nothing_is_left_once_nothing_is_ours(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with state.held():
        state.journal.put("/x", Record(state.journal.keep(b"p")))
    assert (tmp_path / "state/content").is_dir()
    with state.held():
        state.journal.forget("/x")
    assert not (tmp_path / "state").exists()


def test_a_journal_of_a_newer_agent_is_neither_read_nor_written(tmp_path: Path) -> None:
    newer = b'{"format": 2, "files": {"/x": {"how": "unknown"}}}'
    (tmp_path / "journal.json").write_bytes(newer)
    journal = Journal(tmp_path)
    assert "newer agent (format 2" in journal.problem
    assert not journal.empty
    with pytest.raises(files.Refused, match="newer agent"):
        journal.put("/y", Record())
    with State(tmp_path).held():
        pass
    assert (tmp_path / "journal.json").read_bytes() == newer


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1, "files": {"a": {}}}'])
def test_a_damaged_journal_is_complained_of_until_it_is_written_anew(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "journal.json").write_bytes(content)
    journal = Journal(tmp_path)
    assert "damaged" in journal.complaint
    assert not journal.problem
    journal.put("/x", Record())
    assert not journal.complaint
    assert Journal(tmp_path).get("/x") == Record()


def test_a_journal_that_cannot_be_read_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "journal.json").mkdir()
    journal = Journal(tmp_path)
    assert "not a file of configuration" in journal.problem
    assert not journal.empty


def test_a_journal_is_read_anew_only_where_another_wrote(tmp_path: Path) -> None:
    one, other = Journal(tmp_path), Journal(tmp_path)
    one.put("/x", Record(pristine="p"))
    assert other.get("/x") is None
    other.refresh()
    assert other.get("/x") == Record(pristine="p")
    (tmp_path / "journal.json").unlink()
    other.refresh()
    assert other.empty


def test_the_last_goal_outlives_a_process_and_damage_is_none(tmp_path: Path) -> None:
    goal = Goal("r1", "docker://26.1.5", (registry(),))
    state = State(tmp_path / "state")
    assert state.goal() is None
    with state.held():
        state.journal.put("/x", Record())
        state.save_goal(goal)
    path = tmp_path / "state/goal.json"
    assert State(tmp_path / "state").goal() == goal
    assert path.stat().st_mode & 0o777 == 0o600
    for damage in (b"", b"{}", b"[]", path.read_bytes().replace(b"10.96.0.7", b"10.96.0.8")):
        path.write_bytes(damage)
        assert State(tmp_path / "state").goal() is None


def test_a_directory_that_another_agent_removes_just_now_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make = Path.mkdir
    races = [FileExistsError(errno.EEXIST, "File exists"), FileNotFoundError()]

    def race(self: Path, *arguments: object, **options: object) -> None:
        if races:
            raise races.pop()
        make(self, mode=0o700, exist_ok=True)

    monkeypatch.setattr(Path, "mkdir", race)
    with State(tmp_path / "state").held():
        assert (tmp_path / "state/lock").exists()
    assert not races


def test_a_file_in_the_place_of_the_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    state = State(tmp_path / "state")
    with pytest.raises(files.Refused, match="File exists"), state.held():
        pass


def test_the_lock_goes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From then on another agent may write there, and nothing that it wrote may be removed."""
    state = State(tmp_path / "state")
    removed: list[str] = []
    unlink = Path.unlink

    def note(self: Path, missing_ok: bool = False) -> None:
        removed.append(self.name)
        unlink(self, missing_ok=missing_ok)

    with state.held():
        state.journal.put("/x", Record())
        state.save_goal(Goal("r", "x", ()))
        state.journal.forget("/x")
        monkeypatch.setattr(Path, "unlink", note)
    assert removed[-1] == "lock"
    assert {"journal.json", "goal.json"} <= set(removed)
    assert not (tmp_path / "state").exists()
