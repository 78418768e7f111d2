"""The sum of the blobs, on trees as the engine makes them and on others."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.usage.blobs import Sum, Walk

Names = tuple[str, ...]


class Tree:
    """A volume below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / "docker" / "registry" / "v2"
        self.steps = 0

    def folder(self, digest: str) -> Path:
        return self.base / "blobs" / "sha256" / digest[:2] / digest

    def blob(self, size: int, name: str = "") -> Path:
        """Another one for each size and name."""
        folder = self.folder(hashlib.sha256(f"{size} {name}".encode()).hexdigest())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_bytes(b"x" * size)
        return folder / "data"

    def upload(self, repository: str, size: int) -> Path:
        folder = self.base / "repositories" / repository / "_uploads" / "a1b2"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "startedat").write_text("2026-01-02T03:04:05Z")
        (folder / "data").write_bytes(b"x" * size)
        return folder / "data"

    def link(self, repository: str) -> None:
        folder = self.base / "repositories" / repository / "_layers" / "sha256" / "aa"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "link").write_text("sha256:aa")

    def walk(self) -> Walk:
        return Walk(str(self.root), self._step)

    def _step(self) -> None:
        self.steps += 1

    def sum(self) -> Sum:
        return self.walk().sum()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_new_volume_is_empty(tree: Tree) -> None:
    assert tree.sum() == Sum(0, 0)
    (tree.root / "lost+found").mkdir()
    (tree.base / "blobs").mkdir(parents=True)
    assert tree.sum() == Sum(0, 0)


def test_blobs_and_uploads_are_summed_and_links_of_repositories_are_not(tree: Tree) -> None:
    sizes = [0, 1, 4096, 100_000]
    for size in sizes:
        tree.blob(size)
    tree.link("app")
    tree.upload("app", 500)
    tree.upload("team/deep/app", 7)
    assert tree.sum() == Sum(sum(sizes) + 507, 4)


def test_an_upload_under_a_blobs_way_is_not_counted_as_a_blob(tree: Tree) -> None:
    tree.upload("_odd/app", 9)
    tree.upload("app", 5)
    (tree.base / "repositories" / "app" / "_uploads" / "empty").mkdir()
    (tree.base / "repositories" / "app" / "_uploads" / "file").write_text("no folder")
    assert tree.sum() == Sum(5, 0)


def test_a_file_of_two_names_counts_once(tree: Tree) -> None:
    first = tree.blob(1000)
    second = tree.folder("ff" * 32)
    second.mkdir(parents=True)
    os.link(first, second / "data")
    assert tree.sum() == Sum(1000, 2)


@pytest.mark.parametrize(
    "place",
    [
        ("docker",),
        ("docker", "registry", "v2", "blobs"),
        ("docker", "registry", "v2", "blobs", "sha256"),
        ("docker", "registry", "v2", "blobs", "sha256", "aa"),
        ("docker", "registry", "v2", "blobs", "sha256", "aa", "aa11"),
        ("docker", "registry", "v2", "repositories"),
        ("docker", "registry", "v2", "repositories", "app"),
        ("docker", "registry", "v2", "repositories", "app", "_uploads"),
    ],
    ids=lambda place: "/".join(place),
)
def test_no_link_leads_out_of_the_volume(tmp_path: Path, place: Names) -> None:
    outside, tree = Tree(tmp_path / "outside"), Tree(tmp_path / "volume")
    for size in (5000, 6000):
        outside.blob(size)
    # Whatever part of the engine's layout the link stands for, there is something behind it.
    for depth in range(len(place)):
        target = outside.root.joinpath(*place[depth + 1 :], "a1", "data")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"x" * 9000)
    (outside.root / "data").write_bytes(b"x" * 9000)
    (outside.root / "aa11").mkdir(exist_ok=True)
    (outside.root / "aa11" / "data").write_bytes(b"x" * 9000)
    link = tree.root.joinpath(*place)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside.root, target_is_directory=True)
    assert tree.sum() == Sum(0, 0)


def test_a_blob_that_is_a_link_or_a_pipe_counts_nothing(tree: Tree, tmp_path: Path) -> None:
    for digest, make in (("aa" * 32, os.mkfifo), ("ab" * 32, os.mkdir)):
        tree.folder(digest).mkdir(parents=True)
        make(tree.folder(digest) / "data")
    tree.folder("ac" * 32).mkdir(parents=True)
    (tree.folder("ac" * 32) / "data").symlink_to("/etc/passwd")
    assert tree.sum() == Sum(0, 0)


def test_a_loop_of_repositories_ends(tree: Tree) -> None:
    tree.upload("/".join(["a"] * 200), 3)
    tree.upload("/".join(["a"] * 100), 5)
    assert tree.sum() == Sum(5, 0)


def test_what_did_not_change_is_not_read_a_third_time(tree: Tree) -> None:
    for size in range(200):
        tree.blob(size)
    walk, counts = tree.walk(), []
    for _ in range(4):
        tree.steps = 0
        assert walk.sum() == Sum(sum(range(200)), 200)
        counts.append(tree.steps)
    assert counts[0] == counts[1] > 300
    assert counts[2] == counts[3] == counts[0] - 200


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_what_comes_and_goes_is_seen_by_the_next_walk(tree: Tree, passes: int) -> None:
    kept, gone = tree.blob(1000), tree.blob(10)
    walk = tree.walk()
    for _ in range(passes):
        assert walk.sum() == Sum(1010, 2)
    gone.unlink()
    gone.parent.rmdir()
    assert walk.sum() == Sum(1000, 1)
    tree.blob(30_000)
    assert walk.sum() == Sum(31_000, 2)
    kept.unlink()
    kept.parent.rmdir()
    assert walk.sum() == Sum(30_000, 1)


def test_a_blob_that_comes_after_its_folder_was_seen_is_counted(tree: Tree) -> None:
    walk, folder = tree.walk(), tree.folder("aa" * 32)
    folder.mkdir(parents=True)
    for _ in range(5):
        assert walk.sum() == Sum(0, 0)
    (folder / "data").write_bytes(b"x" * 77)
    assert walk.sum() == Sum(77, 1)


def test_a_full_walk_reads_what_no_time_shows(tree: Tree) -> None:
    blob = tree.blob(100)
    walk = tree.walk()
    for _ in range(3):
        walk.sum()
    blob.write_bytes(b"x" * 300)
    assert walk.sum() == Sum(100, 1), "the engine never does this"
    walk.forget()
    assert walk.sum() == Sum(300, 1)


def test_nothing_is_remembered_of_what_is_gone(tree: Tree) -> None:
    blob = tree.blob(100)
    walk = tree.walk()
    walk.sum()
    blob.unlink()
    blob.parent.rmdir()
    blob.parent.parent.rmdir()
    assert walk.sum() == Sum(0, 0)
    assert walk._known == {}


def test_a_volume_that_is_not_there_is_an_error(tree: Tree) -> None:
    walk = Walk(str(tree.root / "none"), lambda: None)
    with pytest.raises(FileNotFoundError):
        walk.sum()


@pytest.fixture
def somebody() -> Iterator[None]:
    """Root reads everything: be somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65532)
    yield
    os.seteuid(before)


def test_a_folder_that_may_not_be_read_is_an_error_and_no_smaller_sum(somebody: None) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as root:
        tree = Tree(Path(root))
        folder = tree.blob(100).parent.parent
        assert tree.sum() == Sum(100, 1)
        folder.chmod(0)
        with pytest.raises(PermissionError):
            tree.sum()
        folder.chmod(0o700)


def test_no_file_descriptor_is_left_open(tree: Tree) -> None:
    tree.blob(100)
    tree.upload("app", 5)
    (tree.root / "docker/registry/v2/blobs/sha512").symlink_to("/etc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        tree.sum()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
