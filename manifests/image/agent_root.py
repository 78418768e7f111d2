"""Assembles the root file system of the agent's image: an interpreter and nothing else.

    python3 agent_root.py /rootfs

Takes the Python that runs it, its standard library and the shared libraries these need. No shell,
no package manager and no OpenSSL (the agent speaks http on the pod network and HTTP/2 on a local
socket), so that little of what runs as root on every node can be of use to an attacker, or be out
of date. Works with any glibc distribution.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

# What needs a library of its own that no node agent calls for, or is for people who program.
EXCLUDED_MODULES = (
    "__pycache__",
    "_pyrepl",
    "config-*",
    "curses",
    "dbm",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "sqlite3",
    "test",
    "tests",
    "tkinter",
    "turtle.py",
    "turtledemo",
    "venv",
)
EXCLUDED_EXTENSIONS = (
    "_bz2",
    "_crypt",
    "_ctypes_test",
    "_curses",
    "_curses_panel",
    "_dbm",
    "_gdbm",
    "_hashlib",
    "_lzma",
    "_sqlite3",
    "_ssl",
    "_tkinter",
    "_uuid",
    "nis",
    "readline",
)
# glibc opens it by name when a thread is ended: no program lists it.
OPENED_BY_NAME = "libgcc_s.so.1"

PASSWD = "root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


class Incomplete(Exception):
    """The root would not run; the message says what is missing."""


def is_excluded_extension(name: str) -> bool:
    """Whether an extension module, by its file's name, stays out."""
    module = name.split(".", 1)[0]
    return module in EXCLUDED_EXTENSIONS or module.startswith(("_test", "_xx", "xx"))


def libraries_of(ldd_output: str) -> set[Path]:
    """The files that `ldd` names, the dynamic loader among them. Raises Incomplete."""
    missing = re.findall(r"^\s*(\S+) => not found", ldd_output, re.MULTILINE)
    if missing:
        raise Incomplete(f"shared libraries not found: {', '.join(sorted(set(missing)))}")
    return {Path(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", ldd_output, re.MULTILINE)}


def needed_libraries(binaries: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    for binary in binaries:
        result = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
        found |= libraries_of(result.stdout)
    by_name = {library.parent / OPENED_BY_NAME for library in found}
    return found | {path for path in by_name if path.exists()}


def copy_file(path: Path, root: Path) -> None:
    """Copies a file to the same place below root, with every link on the way to it."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        shutil.copy2(path, target)
        return
    link = path.readlink()
    target.unlink(missing_ok=True)
    target.symlink_to(link)
    copy_file(Path(os.path.normpath(path.parent / link)), root)


def copy_standard_library(source: Path, root: Path) -> list[Path]:
    """Copies what the agent may use; returns the extension modules that were taken."""
    plain = shutil.ignore_patterns(*EXCLUDED_MODULES, "*.a")

    def ignored(folder: str, names: list[str]) -> set[str]:
        extensions = {name for name in names if ".so" in name and is_excluded_extension(name)}
        return plain(folder, names) | extensions

    target = root / source.relative_to("/")
    shutil.copytree(source, target, ignore=ignored, ignore_dangling_symlinks=True)
    return sorted(target.rglob("*.so"))


def top_level_links(root: Path) -> None:
    """/lib -> usr/lib and its like: the loader's path goes through them."""
    for name in ("bin", "lib", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            link = path.readlink()
            (root / link).mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(link)


def assemble(root: Path) -> None:
    """Fills `root`, an empty folder that is made here. Raises Incomplete."""
    root.mkdir(parents=True)
    top_level_links(root)
    for name, mode in (("etc", 0o755), ("tmp", 0o1777), ("proc", 0o755), ("sys", 0o755)):
        (root / name).mkdir()
        (root / name).chmod(mode)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)

    interpreter = Path(sys.executable)
    copy_file(interpreter, root)
    extensions = copy_standard_library(Path(sysconfig.get_path("stdlib")), root)
    for library in needed_libraries([interpreter, *extensions]):
        copy_file(library, root)
    cache = Path("/etc/ld.so.cache")
    if cache.exists():
        copy_file(cache, root)

    # Compiled here, since a read-only root would compile at every start (and take 4 MiB more);
    # for -OO, as the image's entry point has it; unchecked, since the image's files never change.
    compileall.compile_dir(
        root,
        quiet=1,
        force=True,
        optimize=2,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def main(arguments: Sequence[str]) -> int:
    try:
        assemble(Path(arguments[0]))
    except Incomplete as error:
        print(f"agent_root.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
