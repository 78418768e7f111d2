"""What the kernel tells about the node's directories."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent.watch import Watch


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    assert made.fileno() >= 0
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc/certs.d/r.example/hosts.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ours")
    return path


def _write(file: Path) -> None:
    file.write_bytes(b"his")


def _replace(file: Path) -> None:
    other = file.with_name("x")
    other.write_bytes(b"his")
    other.rename(file)


def _remove(file: Path) -> None:
    file.unlink()


def _move_away(file: Path) -> None:
    file.rename(file.with_name("x"))


def _clear_directory(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()


def _move_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("_backup"))


UNDOINGS = [_write, _replace, _remove, _move_away, _clear_directory, _move_directory]


@pytest.mark.parametrize("undo", UNDOINGS, ids=lambda undo: undo.__name__.strip("_"))
def test_an_undoing_wakes(watch: Watch, file: Path, undo: object) -> None:
    watch.follow([file])
    assert not watch.happened()
    assert callable(undo)
    undo(file)
    assert select.select([watch], [], [], 1)[0]
    assert watch.happened()
    assert not watch.happened()


def test_what_happens_beside_the_file_does_not_count(watch: Watch, file: Path) -> None:
    watch.follow([file])
    (file.parent / ".localregistry.tmp").write_bytes(b"")
    (file.parent.parent / "other.example").mkdir()
    (file.parent.parent / "other.example/hosts.toml").write_bytes(b"")
    file.read_bytes()
    assert not watch.happened()


def test_a_directory_that_comes_back_is_watched_again(watch: Watch, file: Path) -> None:
    watch.follow([file])
    _clear_directory(file)
    assert watch.happened()
    watch.follow([file])
    file.parent.mkdir()
    assert watch.happened()
    watch.follow([file])
    file.write_bytes(b"ours")
    assert watch.happened()


def test_a_missing_directory_is_seen_to_come_from_above(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    watch.follow([tmp_path / "etc/certs.d/r.example/hosts.toml"])
    (tmp_path / "etc/certs.d").mkdir()
    assert watch.happened()


def test_what_is_no_longer_followed_is_quiet(watch: Watch, file: Path) -> None:
    watch.follow([file])
    watch.follow([])
    _write(file)
    assert not watch.happened()


def test_files_of_one_directory_share_a_watch(watch: Watch, tmp_path: Path) -> None:
    watch.follow([tmp_path / "hosts", tmp_path / "other"])
    for name in ("hosts", "other"):
        (tmp_path / name).write_bytes(b"")
        assert watch.happened()


def test_a_storm_of_events_is_one_waking(watch: Watch, file: Path) -> None:
    watch.follow([file])
    for _ in range(2000):
        _write(file)
    assert watch.happened()
    assert not watch.happened()


def test_without_an_instance_the_agent_goes_on_without(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(ctypes, "CDLL", none_left)
    blind = Watch()
    assert blind.fileno() == -1
    blind.follow([file])
    _write(file)
    assert not blind.happened()
    blind.close()


def test_many_passes_hold_one_descriptor(watch: Watch, file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        watch.follow([file])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("undo", UNDOINGS, ids=lambda undo: undo.__name__.strip("_"))
def test_only_directories_that_come_or_go_make_following_due(
    watch: Watch, file: Path, undo: object
) -> None:
    watch.follow([file])
    assert callable(undo)
    undo(file)
    watch.happened()
    assert watch.stirred is (undo in (_clear_directory, _move_directory))
    watch.follow([file])
    assert not watch.stirred
