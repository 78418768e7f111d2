"""File systems that do not take a write, and mounts that no rename may cover: real ones."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localregistry.agent import files, hostsblock
from localregistry.agent.guest import Guest
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import State
from localregistry.agent.writer import Change
from localregistry.trust import NodeReason

from .killer import OLD, REGISTRY

WHOLE = b"x" * 4096


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", path)
    yield path
    subprocess.run(["umount", path], check=True)


def _listing(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def _fill(directory: Path) -> Path:
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            return filler


def test_a_full_disk_is_reported_and_changes_nothing(disk: Path) -> None:
    path = disk / "daemon.json"
    path.write_bytes(b"{}")
    filler = _fill(disk)
    before = _listing(disk)
    with pytest.raises(files.Refused, match="No space is left") as caught:
        files.replace(path, expected=b"{}", content=WHOLE)
    assert caught.value.transient
    result = caught.value.result()
    assert result.reason is NodeReason.PENDING
    assert "No space is left" in result.message
    assert _listing(disk) == before
    filler.unlink()
    files.replace(path, expected=b"{}", content=WHOLE)
    assert path.read_bytes() == WHOLE


def test_a_read_only_disk_is_reported_and_changes_nothing(disk: Path) -> None:
    path = disk / "daemon.json"
    path.write_bytes(b"{}")
    _mount("-o", "remount,ro", disk)
    writes: tuple[Callable[[], None], ...] = (
        lambda: files.replace(path, expected=b"{}", content=b"new"),
        lambda: files.replace(disk / "other", expected=None, content=b"new"),
        lambda: files.overwrite(path, expected=b"{}", content=b"new"),
        lambda: files.remove(path, expected=b"{}"),
        lambda: files.make_directory(disk / "certs.d"),
    )
    for write in writes:
        with pytest.raises(files.Refused, match="read-only file system") as caught:
            write()
        assert caught.value.result().reason is NodeReason.UNSUPPORTED
    assert _listing(disk) == {"daemon.json": b"{}"}


@pytest.mark.parametrize("where", ["file", "directory"])
def test_an_immutable_file_is_named_so(disk: Path, where: str) -> None:
    path = disk / "daemon.json"
    path.write_bytes(b"{}")
    target = path if where == "file" else disk
    subprocess.run(["chattr", "+i", target], check=True)
    try:
        with pytest.raises(files.Refused, match=r"immutable: chattr -i") as caught:
            files.replace(path, expected=b"{}", content=b"new")
        assert not caught.value.transient
        with pytest.raises(files.Refused, match=r"immutable: chattr -i"):
            files.remove(path, expected=b"{}")
    finally:
        subprocess.run(["chattr", "-i", target], check=True)
    assert _listing(disk) == {"daemon.json": b"{}"}


def test_a_bind_mount_is_written_in_place_and_given_back(tmp_path: Path) -> None:
    hosts, other = tmp_path / "root/etc/hosts", tmp_path / "other"
    hosts.parent.mkdir(parents=True)
    hosts.touch()
    other.write_bytes(OLD)
    other.chmod(0o640)
    os.setxattr(other, "user.label", b"his")
    _mount("--bind", other, hosts)
    try:
        inode = other.stat().st_ino
        state = State(tmp_path / "state")
        guest = Guest(HostRoot(tmp_path / "root"), state.journal)
        for wanted in ([REGISTRY], []):
            with state.held():
                block = hostsblock.plan(guest, wanted)
                assert block is not None
                hostsblock.apply(guest, block)
            assert (b"10.96.0.7\tregistry.example.internal" in other.read_bytes()) is bool(wanted)
            assert [path.name for path in hosts.parent.iterdir()] == ["hosts"]
        status = other.stat()
        assert (other.read_bytes(), status.st_ino, status.st_mode & 0o777) == (OLD, inode, 0o640)
        assert os.getxattr(other, "user.label") == b"his"
        assert not (tmp_path / "state").exists()
    finally:
        subprocess.run(["umount", hosts], check=True)


def test_a_full_disk_behind_a_bind_mount_keeps_the_old_content(disk: Path, tmp_path: Path) -> None:
    hosts, other = tmp_path / "root/etc/hosts", disk / "other"
    hosts.parent.mkdir(parents=True)
    hosts.touch()
    other.write_bytes(OLD)
    _fill(disk)
    _mount("--bind", other, hosts)
    try:
        state = State(tmp_path / "state")
        guest = Guest(HostRoot(tmp_path / "root"), state.journal)
        with state.held(), pytest.raises(files.Refused, match="No space is left"):
            guest.put(Change("/etc/hosts", OLD, OLD + WHOLE * 4))
        assert other.read_bytes() == OLD
        assert not guest.interrupted
    finally:
        subprocess.run(["umount", hosts], check=True)
