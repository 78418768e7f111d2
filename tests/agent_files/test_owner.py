"""Whose a file is stays so: only root can give files away."""

from __future__ import annotations

import os
from pathlib import Path

from localregistry.agent import files


def test_a_replaced_file_keeps_its_owner_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    os.chown(path, 12, 34)
    os.setxattr(path, "user.label", b"his")
    files.replace(path, expected=b"old", content=b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)
    assert os.getxattr(path, "user.label") == b"his"
