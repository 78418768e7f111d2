"""Archives and checksums that are the same whenever they are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path


def settle(path: Path, epoch: int) -> None:
    """Writes a .tar.gz anew: members by name, of nobody, of one date. Folders, which a reader makes
    by itself, are left out."""
    raw = io.BytesIO()
    with (
        tarfile.open(path) as old,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            if member.isdir():
                continue
            content = old.extractfile(member) if member.isfile() else None
            member.mtime, member.uid, member.gid = epoch, 0, 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, content)
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed,
    ):
        packed.write(raw.getvalue())


def checksums(folder: Path, name: str) -> str:
    """What `sha256sum --check` reads, of all files but `name` itself."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != name
    ]
    return "".join(lines)
