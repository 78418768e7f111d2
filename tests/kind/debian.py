"""Root file systems from Debian packages, for machines that can pull no image.

Each is one mmdebstrap run, kept as a tar file in the cache under the hash of its package list.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kind import digest, locks, machine, progress, shell
from kind.settings import Settings, from_environment

SUITE = "trixie"

# A mirror that is a snapshot is older than its suites say they are good for.
ANY_AGE = '--aptopt=Acquire::Check-Valid-Until "false"'

# Documentation and translations are a third of a small Debian; licences stay.
_TRIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/i18n/*",
    "path-exclude=/usr/share/lintian/*",
)


@dataclass(frozen=True)
class Root:
    """One root file system: its name, its packages beside minbase, and cold seconds."""

    name: str
    packages: tuple[str, ...]
    seconds: int

    @property
    def key(self) -> str:
        """Hash of all that decides the content but the day of the build."""
        return digest.digest(SUITE, *self.packages, *_TRIM)


# Base of everything that runs in pods: one shared layer in every node.
SLIM = Root("slim", ("ca-certificates", "catatonit"), 45)

# A Kubernetes node with containerd. dockerd comes on top of it, in the docker variant.
NODE = Root(
    "node",
    (
        "ca-certificates",
        "conntrack",
        "containerd",
        "containernetworking-plugins",
        "curl",
        "ebtables",
        "ethtool",
        "iproute2",
        "iptables",
        "jq",
        "kmod",
        "mount",
        "nftables",
        "procps",
        "runc",
        "socat",
        "systemd",
        "systemd-sysv",
        "util-linux",
    ),
    70,
)


def ensure(settings: Settings, root: Root, report: progress.Progress) -> Path:
    """Return the tar file of a root file system, made where it is not cached.

    Raises Failed where mmdebstrap is missing and cannot be installed.
    """
    target = settings.cache / "rootfs" / f"{root.name}-{root.key}.tar"
    if target.exists():
        return target
    require(
        "mmdebstrap",
        report,
        otherwise="install it, or set NODE_IMAGE=kindest/node:VERSION where images can be pulled",
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".part.tar")
    report.grow(1)
    options = [f"--dpkgopt={line}" for line in _TRIM]
    with report.step(f"root file system {root.name}", "mmdebstrap", seconds=root.seconds):
        shell.run(
            [
                "mmdebstrap",
                "--variant=minbase",
                f"--include={','.join(root.packages)}",
                *options,
                SUITE,
                scratch,
            ],
            timeout=1200,
        )
    for old in target.parent.glob(f"{root.name}-*.tar"):
        if old != scratch:
            old.unlink()
    scratch.rename(target)
    return target


def directory(
    folder: Path, suite: str, packages: Sequence[str], options: Sequence[str], *, seconds: int
) -> Path:
    """A root file system as a directory below ``folder``, made where it is not cached and never
    written to again; one that other packages or options made is removed.

    Raises Failed where mmdebstrap is missing and cannot be installed.
    """
    target = folder / f"{suite}-{digest.digest(suite, *packages, *options)}"
    with locks.locked(folder / f"{suite}.lock"):
        if target.is_dir():
            return target
        scratch = target.with_suffix(".part")
        shutil.rmtree(scratch, ignore_errors=True)
        report = progress.Progress(1)
        require("mmdebstrap", report, otherwise="it makes this root file system; install it")
        with report.step(f"root of {suite}", "mmdebstrap", seconds=seconds):
            include = f"--include={','.join(packages)}"
            shell.run(["mmdebstrap", *options, include, suite, scratch], timeout=1200)
        for old in folder.glob(f"{suite}-*"):
            if old != scratch:
                shutil.rmtree(old, ignore_errors=True)
        scratch.rename(target)
    return target


def require(program: str, report: progress.Progress, *, otherwise: str, package: str = "") -> None:
    """Install the Debian package of this name, or ``package``, where the program is missing.

    Raises Failed where that cannot be done here; ``otherwise`` says what else can be.
    """
    if _installed(program):
        return
    if not machine.is_root() or shutil.which("apt-get") is None:
        raise shell.Failed(f"{program} is needed here: {otherwise}")
    # Two test processes may find the same program missing, and apt waits for nobody.
    with locks.locked(from_environment().cache / "apt.lock"):
        if _installed(program):
            return
        report.grow(1)
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        with report.step(program, "installing", seconds=20):
            shell.run(["apt-get", "update"], timeout=300, env=env)
            shell.run(
                ["apt-get", "install", "-y", "--no-install-recommends", package or program],
                timeout=600,
                env=env,
            )


def _installed(program: str) -> bool:
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return shutil.which(program, path=places) is not None
