"""Files of others: replaced whole, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from localregistry.agent import files
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal, Record
from localregistry.agent.paths import HostRoot
from localregistry.agent.writer import Change


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


def test_a_file_whose_label_may_not_be_set_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    labels = {True: b"system_u:object_r:usr_t:s0", False: b"system_u:object_r:container_file_t:s0"}
    monkeypatch.setattr(os, "listxattr", lambda _: ["security.selinux"])
    monkeypatch.setattr(os, "getxattr", lambda file, _: labels[file == path])

    def forbid(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", forbid)
    with pytest.raises(files.Refused, match="does a security module forbid it"):
        files.replace(path, expected=b"old", content=b"new")
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["x"]


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
