"""Files that belong to somebody else, changed so that a reader sees the old or the new, never half.

Every function takes a path that is resolved already (`HostRoot.resolve`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from localregistry.trust import NodeReason, NodeResult

# Not *.conf or *.toml: a scanned directory's reader would take it for a drop-in. One fixed name, so
# that what a kill leaves behind is overwritten or removed by the next run.
TEMPORARY = ".localregistry.tmp"

# A hosts file that blocks a million names has about 20 MB; what is larger is no configuration.
MAX_BYTES = 32 << 20

# They hold a hash or signature of the old content, and would make the new one look forged.
_OF_THE_CONTENT = {"security.ima", "security.evm"}

# linux/fs.h: FS_IOC_GETFLAGS for 64 bit, FS_IMMUTABLE_FL, FS_APPEND_FL.
_GET_FLAGS, _IMMUTABLE, _APPEND_ONLY = 0x80086601, 0x10, 0x20


class Outrun(Exception):
    """Somebody else wrote the file after it was read: read again, and plan anew."""


class NotReplaceable(Exception):
    """The file is a mount point of its own: no other file can take its place."""


class Refused(Exception):
    """The node's file system does not take the write. `transient`: it may, later."""

    def __init__(self, sentence: str, *, transient: bool) -> None:
        super().__init__(sentence)
        self.transient = transient

    def result(self) -> NodeResult:
        """As it is reported."""
        reason = NodeReason.PENDING if self.transient else NodeReason.UNSUPPORTED
        return NodeResult(reason, str(self))


def read(path: Path) -> bytes | None:
    """The content; None where there is no file. Raises Refused."""
    try:
        # A pipe that nobody writes to would be waited for at its opening.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal(error, path) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise Refused(f"{path} is not a file of configuration.", transient=False)
        pieces = []
        while piece := os.read(descriptor, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError as error:
        raise refusal(error, path) from error
    finally:
        os.close(descriptor)


def replace(path: Path, *, expected: bytes | None, content: bytes, mode: int = 0o644) -> None:
    """Puts `content` in place by a rename, durable when it returns; owner and mode are kept.

    `mode` is that of a new file. Raises Outrun where the file is no longer `expected`,
    NotReplaceable, Refused; then nothing has changed.
    """
    temporary = path.with_name(TEMPORARY)
    try:
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            _write_all(descriptor, content)
            _take_after(descriptor, path, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if read(path) != expected:
            raise Outrun(str(path))
        temporary.rename(path)
        _sync_directory(path.parent)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise NotReplaceable(str(path)) from error
        raise refusal(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def overwrite(path: Path, *, expected: bytes, content: bytes) -> None:
    """Writes in place, where nothing else is possible. A kill in its middle leaves a torn file:
    the caller has a record of both contents (see `torn`). Raises Outrun, Refused."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if read(path) != expected:
                raise Outrun(str(path))
            _write_all(descriptor, content)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise refusal(error, path) from error


def torn(current: bytes, *, before: bytes, after: bytes) -> bool:
    """Whether `current` is what `overwrite` leaves when it is killed between the two contents."""
    if current in (before, after):
        return False
    pairs = enumerate(zip(current, after, strict=False))
    written = next((i for i, (a, b) in pairs if a != b), min(len(current), len(after)))
    # The bytes after what was written are the old ones, not yet cut off.
    return current[written:] == before[written:]


def remove(path: Path, *, expected: bytes) -> None:
    """Removes the file, durable when it returns. Raises Outrun, Refused."""
    try:
        current = read(path)
        if current is None:
            return
        if current != expected:
            raise Outrun(str(path))
        path.unlink()
        _sync_directory(path.parent)
    except OSError as error:
        raise refusal(error, path) from error


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Makes one directory; one that is there is fine. Raises Refused."""
    try:
        path.mkdir(mode=mode, exist_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise refusal(error, path) from error


def remove_directory_if_empty(path: Path) -> bool:
    """Whether it is gone. A directory with somebody else's content stays."""
    if not os.path.lexists(path):
        return True  # a read-only file system refuses the call before it misses the directory
    try:
        (path / TEMPORARY).unlink(missing_ok=True)
        path.rmdir()
        _sync_directory(path.parent)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise refusal(error, path) from error
    return True


def remove_litter(directory: Path) -> None:
    """What a killed `replace` left in the directory; without it nothing is done."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        (directory / TEMPORARY).unlink()


def _write_all(descriptor: int, content: bytes) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(descriptor, content[done:], done)


def _take_after(descriptor: int, path: Path, mode: int) -> None:
    """Mode, owner and extended attributes (the SELinux label among them) of what is replaced."""
    try:
        old = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    wanted = {name: os.getxattr(path, name) for name in _attributes(path)}
    for name in _attributes(descriptor) - wanted.keys():
        with contextlib.suppress(OSError):  # an access list that the directory hands down
            os.removexattr(descriptor, name)
    for name, value in wanted.items():
        # Labels need rights to be set; mostly the new file has the right one by itself.
        if _attribute(descriptor, name) != value:
            os.setxattr(descriptor, name, value)


def _attributes(file: Path | int) -> set[str]:
    try:
        return set(os.listxattr(file)) - _OF_THE_CONTENT
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return set()
        raise


def _attribute(descriptor: int, name: str) -> bytes | None:
    try:
        return os.getxattr(descriptor, name)
    except OSError:
        return None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refusal(error: OSError, path: Path) -> Refused:
    """What the error means for the node's administrator."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Refused(f"No space is left for {path}; it is tried again.", transient=True)
        case errno.EROFS:
            return Refused(
                f"{path} is on a read-only file system; configure this node's runtime by the means "
                "of its operating system.",
                transient=False,
            )
        case errno.EACCES | errno.EPERM if _is_immutable(path):
            return Refused(
                f"{path} or its directory is immutable: chattr -i it, or leave this node out.",
                transient=False,
            )
        case errno.EACCES | errno.EPERM:
            return Refused(
                f"{path} may not be written ({error.strerror}): is it immutable (lsattr), or does "
                "a security module forbid it?",
                transient=False,
            )
        case _:
            return Refused(f"{path}: {error.strerror or error}.", transient=True)


def _is_immutable(path: Path) -> bool:
    """Whether `chattr +i` (or `+a`) lies on the file or its directory."""
    for place in (path, path.parent):
        with contextlib.suppress(OSError):
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))[:4], "little")
            finally:
                os.close(descriptor)
            if flags & (_IMMUTABLE | _APPEND_ONLY):
                return True
    return False
