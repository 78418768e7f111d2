"""Archives of a release: whoever makes them, whenever, makes the same."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from manifests import archives

EPOCH = 1_700_000_000


def packed(path: Path, names: list[str], *, mtime: int, owner: int, folder: bool) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        if folder:
            info = tarfile.TarInfo("a")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid, info.uname = len(name), mtime, owner, f"u{owner}"
            info.mode = 0o700 if name.endswith("run") else 0o600
            archive.addfile(info, io.BytesIO(name.encode()))
    archives.settle(path, EPOCH)
    return path


def test_neither_order_nor_date_nor_owner_shows(tmp_path: Path) -> None:
    one = packed(tmp_path / "1.tgz", ["a/x", "a/run"], mtime=1, owner=0, folder=False)
    two = packed(tmp_path / "2.tgz", ["a/run", "a/x"], mtime=2, owner=7, folder=True)
    assert one.read_bytes() == two.read_bytes()


def test_content_and_the_right_to_run_it_stay(tmp_path: Path) -> None:
    path = packed(tmp_path / "1.tgz", ["a/x", "a/run"], mtime=1, owner=0, folder=True)
    with tarfile.open(path) as archive:
        found = {member.name: member for member in archive.getmembers()}
        content = archive.extractfile("a/x")
        assert content is not None
        assert content.read() == b"a/x"
    assert {name: member.mode for name, member in found.items()} == {"a/run": 0o755, "a/x": 0o644}
    assert {member.mtime for member in found.values()} == {EPOCH}


def test_the_checksums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").write_text("a")
    sums = tmp_path / "SHA256SUMS"
    sums.write_text("of before")
    sums.write_text(archives.checksums(tmp_path, sums.name))
    check = ["sha256sum", "--check", "--strict", sums.name]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "a: OK\nb: OK\n")
