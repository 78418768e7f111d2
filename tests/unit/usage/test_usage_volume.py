"""Whether the volume has its file system for itself, and whether that takes writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localregistry.usage import volume

DATA = "/var/lib/registry"
ROOT = "22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=x"


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        ([f"90 22 8:16 / {DATA} ro,relatime - ext4 /dev/sdb rw"], True),
        ([f"90 22 8:16 / {DATA} ro,relatime shared:1 master:2 - xfs /dev/sdb rw"], True),
        ([f"90 22 0:44 / {DATA} ro - tmpfs tmpfs rw,size=1048576k"], True),
        ([f"90 22 0:44 / {DATA} ro - ceph 10.0.0.1:/volumes/a rw"], True),
        # A folder of the node's disk: emptyDir, hostPath, a local provisioner.
        ([f"90 22 8:1 /var/lib/kubelet/pods/u/volumes/e {DATA} ro - ext4 /dev/sda1 rw"], False),
        ([f"90 22 0:30 /@data {DATA} ro - btrfs /dev/sda1 rw"], False),
        # One of many of a shared export.
        ([f"90 22 0:50 / {DATA} ro - nfs4 server:/export/pvc-1 rw"], False),
        ([f"90 22 0:51 / {DATA} ro - fuse.juicefs JuiceFS:x rw"], False),
        # Not mounted at all, or something else is.
        ([], False),
        (["90 22 8:16 / /var/lib ro - ext4 /dev/sdb rw"], False),
        ([f"90 22 8:16 / {DATA}2 ro - ext4 /dev/sdb rw"], False),
        # The last of several is the one that is seen.
        (
            [
                f"90 22 8:16 / {DATA} ro - ext4 /dev/sdb rw",
                f"91 90 8:1 /srv {DATA} ro - ext4 /dev/sda1 rw",
            ],
            False,
        ),
        (["garbage", "", " - ", f"90 22 8:16 / {DATA} ro", "1 2 3 - ext4"], False),
    ],
)
def test_only_a_whole_file_system_of_one_volume_is_its_own(lines: list[str], own: bool) -> None:
    assert volume.is_own_device("\n".join([ROOT, *lines]), DATA) is own


DISK = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,discard"
BROKEN = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro,emergency_ro"


@pytest.mark.parametrize(
    ("lines", "read_only"),
    [
        ([ROOT, f"90 22 8:16 / {DATA} ro,relatime - ext4 /dev/sdb rw,errors=remount-ro"], False),
        ([ROOT, f"90 22 8:16 / {DATA} ro,relatime - ext4 /dev/sdb ro,errors=remount-ro"], True),
        ([ROOT, f"90 22 8:16 / {DATA} rw - ext4 /dev/sdb rw,errors=remount-ro,emergency_ro"], True),
        ([ROOT, f"90 22 8:16 / {DATA} ro - ext4 /dev/sdb rw,shutdown"], True),
        ([ROOT, f"90 22 8:1 /var/lib/e {DATA} ro - ext4 /dev/sda1 ro"], True),
        ([ROOT, f"90 22 0:50 / {DATA} ro - nfs4 server:/export rw,hard,proto=tcp"], False),
        ([BROKEN], True),
        ([BROKEN, f"90 22 8:16 / {DATA} ro - ext4 /dev/sdb rw"], False),
        ([DISK, "90 22 8:16 / /var/lib ro - ext4 /dev/sdb ro"], True),
        ([DISK, "90 22 8:16 / /var/li ro - ext4 /dev/sdb ro"], False),
        ([DISK, f"90 22 8:16 / {DATA}/docker ro - ext4 /dev/sdb ro"], False),
        (
            [
                f"90 22 8:16 / {DATA} ro - ext4 /dev/sdb ro",
                f"91 90 8:17 / {DATA} ro - ext4 /dev/sdc rw",
            ],
            False,
        ),
        ([f"90 22 8:16 / {DATA} ro - ext4 /dev/sdb"], False),
        ([f"90 22 8:16 / {DATA} ro - ext4", "garbage", "", " - ro"], False),
        ([], False),
    ],
    ids=[
        "this mount is read-only, its file system is not",
        "the file system is",
        "as newer ext4 shows it after an error",
        "one that was shut down",
        "a folder of the node's disk, which is",
        "a share that takes writes",
        "a folder that is no mount is on what it is in",
        "the deepest mount counts, not what it is mounted on",
        "a mount above the folder",
        "one whose name only begins so",
        "one below the folder",
        "of two on one place the last",
        "a line that tells no options",
        "garbage",
        "nothing at all",
    ],
)
def test_read_only_is_what_the_file_system_says_of_itself(
    lines: list[str], read_only: bool
) -> None:
    assert volume.is_read_only("\n".join(lines), DATA) is read_only


def test_blanks_in_a_mount_point_are_read() -> None:
    line = r"90 22 8:16 / /my\040disk\011x ro - ext4 /dev/sdb rw"
    assert volume.is_own_device(line, "/my disk\tx")


def test_the_real_mounts_of_this_machine_are_read(tmp_path: Path) -> None:
    text = volume.read_mountinfo()
    assert not volume.is_own_device(text, str(tmp_path))
    assert not volume.is_read_only(text, str(tmp_path))
    mounted = [line.split(" ")[4] for line in text.splitlines() if " - tmpfs " in line]
    whole = [
        line for line in text.splitlines() if " - tmpfs " in line and line.split(" ")[3] == "/"
    ]
    assert mounted
    assert whole
    assert any(volume.is_own_device(text, line.split(" ")[4]) for line in whole)


def test_sizes_are_those_of_the_file_system_in_bytes(tmp_path: Path) -> None:
    found, raw = volume.sizes(str(tmp_path)), os.statvfs(tmp_path)
    assert found["capacity"] == raw.f_blocks * raw.f_frsize > 1 << 20
    assert 0 <= found["available"] <= found["free"] <= found["capacity"]
    assert 0 <= found["inodes_available"] <= found["inodes"]


def test_a_volume_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        volume.sizes(str(tmp_path / "none"))
