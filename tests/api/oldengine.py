"""The newest engine of the 2.x line, as Debian builds it: what many volumes were written by."""

from __future__ import annotations

from pathlib import Path

from kind import debian
from kind.settings import from_environment

SUITE = "trixie"
PACKAGE = "docker-registry"
VERSION = "2.8.3"
# The package and what it depends on, unpacked and not installed.
_OPTIONS = ("--variant=extract", debian.ANY_AGE)
_SECONDS = 20


def command() -> tuple[Path | str, ...]:
    """The engine up to its configuration's path. Its own C library goes with it, since the suite
    may be another one than this machine's. Raises Failed where the package cannot be had."""
    folder = from_environment().cache / "engines"
    root = debian.directory(folder, SUITE, [PACKAGE], _OPTIONS, seconds=_SECONDS)
    [loader] = (root / "usr/lib").glob("*/ld-linux*.so.*")
    return (loader, "--library-path", loader.parent, root / "usr/bin" / PACKAGE, "serve")
