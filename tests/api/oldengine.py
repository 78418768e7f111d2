"""The newest engine of the 2.x line, as Debian builds it: what many volumes were written by."""

from __future__ import annotations

import shutil
from pathlib import Path

from kind import debian, digest, locks, progress, shell
from kind.settings import from_environment

SUITE = "trixie"
PACKAGE = "docker-registry"
VERSION = "2.8.3"
_SECONDS = 20


def command() -> tuple[Path | str, ...]:
    """The engine up to its configuration's path. Its own C library goes with it, since the suite
    may be another one than this machine's. Raises Failed where the package cannot be had."""
    root = _root()
    [loader] = (root / "usr/lib").glob("*/ld-linux*.so.*")
    return (loader, "--library-path", loader.parent, root / "usr/bin" / PACKAGE, "serve")


def _root() -> Path:
    """The package and what it depends on, unpacked and not installed; kept in the cache."""
    folder = from_environment().cache / "engines"
    target = folder / digest.digest(SUITE, PACKAGE)
    with locks.locked(folder / "lock"):
        if target.is_dir():
            return target
        report = progress.Progress(1)
        debian.require("mmdebstrap", report, otherwise="it unpacks the engine; install it")
        scratch = target.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        with report.step(f"{PACKAGE} of {SUITE}", "mmdebstrap", seconds=_SECONDS):
            unpack = ("mmdebstrap", "--variant=extract", f"--include={PACKAGE}", SUITE)
            shell.run([*unpack, scratch], timeout=600)
        scratch.rename(target)
    return target
