"""Files of others: replaced whole, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from localregistry.agent import files
from localregistry.agent.guest import Guest, Unknown
from localregistry.agent.inputs import Goal
from localregistry.agent.journal import Journal, Record, sha256
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import Busy, State
from localregistry.agent.writer import Change

from .standins import registry


def test_a_replaced_file_keeps_its_mode_and_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    files.replace(path, expected=b"old", content=b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["daemon.json"]


def test_a_new_file_is_readable_for_all(tmp_path: Path) -> None:
    files.replace(tmp_path / "x", expected=None, content=b"new")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("expected", [None, b"older"])
def test_what_somebody_wrote_meanwhile_is_not_lost(tmp_path: Path, expected: bytes | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"his")
    with pytest.raises(files.Outrun):
        files.replace(path, expected=expected, content=b"new")
    with pytest.raises(files.Outrun):
        files.remove(path, expected=b"older")
    with pytest.raises(files.Outrun):
        files.overwrite(path, expected=b"older", content=b"new")
    assert path.read_bytes() == b"his"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_litter_of_a_killed_write_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / files.TEMPORARY).write_bytes(b"half")
    files.replace(tmp_path / "x", expected=None, content=b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("number", "transient", "words"),
    [
        (errno.ENOSPC, True, "No space"),
        (errno.EROFS, False, "read-only"),
        (errno.EPERM, False, "lsattr"),
        (errno.EIO, True, "Input/output"),
    ],
)
def test_a_refusal_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, transient: bool, words: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(files.Refused, match=words) as caught:
        files.replace(tmp_path / "x", expected=None, content=b"new")
    assert caught.value.transient is transient
    assert [entry.name for entry in tmp_path.iterdir()] == []


OLD, NEW = b"127.0.0.1 localhost\nold\n", b"127.0.0.1 localhost\nnewer and longer\n"


@pytest.mark.parametrize(("before", "after"), [(OLD, NEW), (NEW, OLD), (b"", NEW), (b"ab", b"ba")])
def test_every_state_between_two_contents_is_known_as_torn(before: bytes, after: bytes) -> None:
    for done in range(len(after) + 1):
        state = after[:done] + before[done:]
        assert files.torn(state, before=before, after=after) is (state not in (before, after))


@pytest.mark.parametrize("edited", [OLD + b"his\n", b"", b"127.0.0.1 localhost\n", NEW + b"x"])
def test_an_edit_is_not_torn(edited: bytes) -> None:
    assert not files.torn(edited, before=OLD, after=NEW)


def test_links_are_followed_below_the_hosts_root(tmp_path: Path) -> None:
    (tmp_path / "data/docker").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/docker").symlink_to("/data/docker")
    (tmp_path / "data/docker/daemon.json").symlink_to("../real.json")
    host = HostRoot(tmp_path)
    assert host.resolve("/etc/docker/daemon.json") == tmp_path / "data/real.json"
    assert host.resolve("/etc/docker/../../../../x") == tmp_path / "x"
    assert host.resolve("/etc/none/y") == tmp_path / "etc/none/y"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/b")
    (tmp_path / "b").symlink_to("/a")
    with pytest.raises(OSError, match="symbolic links"):
        HostRoot(tmp_path).resolve("/a")
    guest = Guest(HostRoot(tmp_path), Journal(tmp_path / "state"))
    with pytest.raises(files.Refused):
        guest.read("/a")


def _guest(tmp_path: Path) -> Guest:
    return Guest(HostRoot(tmp_path), Journal(tmp_path / "state"))


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("/real")
    _guest(tmp_path).put(Change("/link", b"old", b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def _mounted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A rename over `name` fails as over a mount point."""
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target.name == name:
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)


def test_a_mount_point_is_written_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _mounted(monkeypatch, "hosts")
    path = tmp_path / "hosts"
    path.write_bytes(NEW)
    inode = path.stat().st_ino
    guest = _guest(tmp_path)
    guest.put(Change("/hosts", NEW, OLD))
    assert path.read_bytes() == OLD
    assert path.stat().st_ino == inode
    record = guest.journal.get("/hosts")
    assert record is not None
    assert record.torn is None


def test_a_torn_mount_point_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _mounted(monkeypatch, "hosts")
    path = tmp_path / "hosts"
    path.write_bytes(OLD)
    write = os.pwrite

    def die(descriptor: int, content: bytes, offset: int) -> int:
        if content == NEW and os.path.samestat(os.fstat(descriptor), path.stat()):
            write(descriptor, content[:24], offset)
            raise KeyboardInterrupt
        return write(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", die)
    with pytest.raises(KeyboardInterrupt):
        _guest(tmp_path).put(Change("/hosts", OLD, NEW))
    monkeypatch.setattr(os, "pwrite", write)
    torn = path.read_bytes()
    assert torn not in (OLD, NEW)
    guest = _guest(tmp_path)
    assert guest.meant("/hosts") == OLD
    guest.put(Change("/hosts", torn, NEW))
    assert path.read_bytes() == NEW


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
    guest = _guest(tmp_path)
    kept = guest.journal.keep(b"pristine")
    guest.journal.put("/x", Record(kept, (sha256(b"ours"),)))
    assert guest.base("/x", b"ours") == b"pristine"
    assert guest.base("/x", b"pristine") == b"pristine"
    assert guest.base("/x", b"edited") is Unknown
    assert guest.base("/y", b"other") == b"other"


def test_directories_of_ours_go_unless_others_use_them(tmp_path: Path) -> None:
    guest = _guest(tmp_path)
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


@pytest.mark.parametrize("kind", ["directory", "pipe", "device", "too large"])
def test_what_is_no_file_of_configuration_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "daemon.json"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)  # reading it would wait for ever
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            with path.open("wb") as file:
                file.truncate(files.MAX_BYTES + 1)
    with pytest.raises(files.Refused, match="not a file of configuration") as caught:
        files.read(path)
    assert not caught.value.transient


def test_an_access_list_that_the_directory_hands_down_is_not_added(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    # POSIX ACL, version 2: user::rwx, user:12:rw-, group::r-x, mask::rwx, other::r-x
    entries = [(1, 7, -1), (2, 6, 12), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little")
        + perm.to_bytes(2, "little")
        + who.to_bytes(4, "little", signed=True)
        for tag, perm, who in entries
    )
    os.setxattr(tmp_path, "system.posix_acl_default", acl)
    before = (os.listxattr(path), path.stat().st_mode)
    files.replace(path, expected=b"old", content=b"new")
    assert (os.listxattr(path), path.stat().st_mode) == before


def test_a_label_that_is_right_already_needs_no_right_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    label = b"system_u:object_r:etc_t:s0"
    monkeypatch.setattr(os, "listxattr", lambda _: ["security.selinux", "security.ima"])
    monkeypatch.setattr(os, "getxattr", lambda *_: label)

    def forbid(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", forbid)
    files.replace(path, expected=b"old", content=b"new")
    assert path.read_bytes() == b"new"


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


def test_the_next_start_takes_back_a_torn_file_and_litter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_bytes(NEW[:24] + OLD[24:])
    (tmp_path / "etc" / files.TEMPORARY).write_bytes(b"half")
    journal = Journal(tmp_path / "state")
    torn = (journal.keep(OLD), journal.keep(NEW))
    journal.put("/etc/hosts", Record(pristine="p", torn=torn))
    guest = _guest(tmp_path)
    assert guest.interrupted
    assert guest.recover() == ["/etc/hosts"]
    assert (tmp_path / "etc/hosts").read_bytes() == OLD
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["hosts"]
    assert not guest.interrupted
    assert guest.journal.get("/etc/hosts") == Record(pristine="p")
    assert guest.recover() == []


@pytest.mark.parametrize("content", [OLD, NEW, OLD + b"10.0.0.9 his\n", b""])
def test_a_file_that_somebody_wrote_since_the_kill_is_his(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hosts").write_bytes(content)
    journal = Journal(tmp_path / "state")
    journal.put("/hosts", Record(torn=(journal.keep(OLD), journal.keep(NEW))))
    assert _guest(tmp_path).recover() == []
    assert (tmp_path / "hosts").read_bytes() == content


def test_a_write_in_place_that_runs_out_of_space_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _mounted(monkeypatch, "hosts")
    path = tmp_path / "hosts"
    path.write_bytes(OLD)
    write = os.pwrite
    full = True

    def run_out(descriptor: int, content: bytes, offset: int) -> int:
        if full and os.path.samestat(os.fstat(descriptor), path.stat()) and content in NEW:
            if offset:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, content[:24], offset)
        return write(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", run_out)
    guest = _guest(tmp_path)
    with pytest.raises(files.Refused, match="No space") as caught:
        guest.put(Change("/hosts", OLD, NEW))
    assert caught.value.transient
    assert path.read_bytes() == OLD
    assert not guest.interrupted
    full = False
    guest.put(Change("/hosts", OLD, NEW))
    assert path.read_bytes() == NEW


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
