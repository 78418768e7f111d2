"""A file system of its own that can be cut off from its device, as by a loss of power."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# EXT4_IOC_SHUTDOWN of include/uapi/linux/ext4.h: _IOR('X', 125, __u32). With the flag for "no log
# flush" nothing that the kernel still holds, neither data nor journal, reaches the device.
_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2

MIB = 256


@dataclass(frozen=True)
class Disk:
    """An ext4 on a file, mounted at `path` with the defaults."""

    image: Path
    path: Path

    def cut(self) -> None:
        """Everything that was not written to the device is gone; every access fails from now on."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True, timeout=60)

    def unmount(self) -> None:
        subprocess.run(["umount", self.path], check=True, timeout=60)


def make_ext4(image: Path, *, mib: int = MIB) -> None:
    """A file with an empty file system of this size, to be mounted as a loop device."""
    with image.open("wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True, timeout=60)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    image = folder / "disk.img"
    make_ext4(image)
    path = folder / "disk"
    path.mkdir()
    made = Disk(image, path)
    made.mount()
    try:
        yield made
    finally:
        made.unmount()
