"""Root file systems of Debian suites, each with the container runtimes of its time.

One directory per suite in the cache, made once by mmdebstrap and never written to again: nodes lay
an overlay over it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from kind import debian, digest, locks, progress, shell
from kind.settings import Settings

_SECONDS = 60

# busybox is static: the one program of the tests' image.
PACKAGES = ("busybox-static", "containerd", "docker.io", "iptables", "runc")
SUITES = {
    "bookworm": PACKAGES,
    "trixie": (*PACKAGES, "docker-cli"),
    "forky": (*PACKAGES, "docker-cli"),
}
_OPTIONS = (
    "--variant=minbase",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # A mirror that is a snapshot is older than its suites say they are good for.
    '--aptopt=Acquire::Check-Valid-Until "false"',
)


def ensure(settings: Settings, suite: str) -> Path:
    """The suite's root directory, made where it is not cached. Raises Failed."""
    packages = SUITES[suite]
    folder = settings.cache / "runtimes"
    target = folder / f"{suite}-{digest.digest(suite, *packages, *_OPTIONS)}"
    with locks.locked(folder / f"{suite}.lock"):
        if target.is_dir():
            return target
        scratch = target.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        report = progress.Progress(1)
        debian.require("mmdebstrap", report, otherwise="it makes the test nodes; install it")
        with report.step(f"root of {suite}", "mmdebstrap", seconds=_SECONDS):
            include = f"--include={','.join(packages)}"
            shell.run(["mmdebstrap", *_OPTIONS, include, suite, scratch], timeout=1200)
        for old in folder.glob(f"{suite}-*"):
            if old != scratch:
                shutil.rmtree(old, ignore_errors=True)
        scratch.rename(target)
    return target


def version(root: Path, package: str) -> str:
    """The upstream version of an installed package: `26.1.5+dfsg1-9` → `26.1.5`."""
    answer = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Version}", package],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return answer.partition("+")[0].partition("~")[0].partition("-")[0]
