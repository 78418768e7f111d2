"""Root file systems of Debian suites, each with the container runtimes of its time.

One directory per suite in the cache, made once by mmdebstrap and never written to again: nodes lay
an overlay over it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from kind import debian
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
    debian.ANY_AGE,
)


def ensure(settings: Settings, suite: str) -> Path:
    """The suite's root directory, made where it is not cached. Raises Failed."""
    folder = settings.cache / "runtimes"
    return debian.directory(folder, suite, SUITES[suite], _OPTIONS, seconds=_SECONDS)


def version(root: Path, package: str) -> str:
    """The upstream version of an installed package: `26.1.5+dfsg1-9` → `26.1.5`."""
    answer = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f=${Version}", package],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return answer.partition("+")[0].partition("~")[0].partition("-")[0]
