"""Whose a file is stays so: only root can give files away."""

from __future__ import annotations

import os
from pathlib import Path

from localregistry.agent import files

LABELS = {
    "user.label": b"his",
    "trusted.label": b"root's",
    # Kept by the file system as it is, where the kernel has no SELinux that looks at it.
    "security.selinux": b"system_u:object_r:etc_t:s0",
}


def test_a_replaced_file_keeps_its_owner_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    os.chown(path, 12, 34)
    for name, value in LABELS.items():
        os.setxattr(path, name, value)
    files.replace(path, expected=b"old", content=b"new")
    assert path.read_bytes() == b"new"
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)
    assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == LABELS
