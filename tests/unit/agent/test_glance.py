"""A glance tells of every change that somebody makes to what a pass looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from localregistry.agent.glance import Glance
from localregistry.agent.paths import HostRoot


def _replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    times = path.stat()
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.rename(path)


def _rewrite(path: Path) -> None:
    path.write_text("other")


def _append(path: Path) -> None:
    path.write_text("content and more")


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


CHANGES: dict[str, Callable[[Path], None]] = {
    "replaced by its like, times and all": _replace,
    "written in place": _rewrite,
    "made longer": _append,
    "made a link": _link,
    "removed": Path.unlink,
    "given another mode": lambda path: path.chmod(0o600),
}


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("content")
    # Later than the file by more than a tick of the kernel's clock.
    os.utime(tmp_path / "etc/file", (1, 1))
    return HostRoot(tmp_path)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_was_changed_is_noticed(host: HostRoot, change: Callable[[Path], None]) -> None:
    path = host.resolve("/etc/file")
    assert host.glance.same()
    change(path)
    assert not host.glance.same()


def test_a_file_that_comes_is_noticed(host: HostRoot) -> None:
    missing = host.resolve("/etc/missing")
    assert host.glance.same()
    missing.touch()
    assert not host.glance.same()


def test_a_new_name_in_a_directory_that_was_listed_is_noticed(host: HostRoot) -> None:
    assert list(host.children("/etc")) == ["file"]
    assert host.glance.same()
    (host.root / "etc/more").touch()
    assert not host.glance.same()


def test_what_was_never_looked_at_is_not_noticed(host: HostRoot) -> None:
    host.resolve("/etc/file")
    (host.root / "other").touch()
    assert host.glance.same()


def test_a_change_after_the_first_of_two_looks_is_noticed(host: HostRoot) -> None:
    host.resolve("/etc/file").write_text("other")
    host.resolve("/etc/file")
    assert not host.glance.same()


def test_a_link_is_followed_to_what_is_read(host: HostRoot) -> None:
    (host.root / "etc/link").symlink_to("/etc/file")
    host.resolve("/etc/link").write_text("other")
    assert not host.glance.same()


def test_nothing_is_the_same_before_the_first_look() -> None:
    glance = Glance()
    assert not glance.same()
    glance.look("/")
    assert glance.same()
    glance.begin()
    assert not glance.same()


def test_a_path_that_cannot_be_one_stays_what_it_is() -> None:
    glance = Glance()
    glance.look("/a\0b")
    assert glance.same()
