"""dockerd's own words about a daemon.json that it did not take."""

from __future__ import annotations

import subprocess

from localregistry.agent.helper import PYTHON
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process
from localregistry.agent.versions import release

SECONDS = 10.0

# systemd's own default: dockerd looks for docker-proxy there, and finds its file invalid without.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

# What dockerd may miss in this environment and has in its own: no fault of the file.
_NOT_OF_THE_FILE = ("userland-proxy-path",)

_IN_ROOT = (
    "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); os.execv(sys.argv[2], sys.argv[2:])"
)


def ask(host: HostRoot, process: Process, version: str) -> str:
    """What `dockerd --validate` with the daemon's own flags says to the file as it is, "" where it
    cannot be asked (before 23.0 there is no such flag, without CAP_SYS_CHROOT no such call) or
    finds nothing wrong. It starts nothing and changes nothing."""
    if release(version) < (23, 0, 0) or not process.cmdline:
        return ""
    program, *flags = process.cmdline
    if not program.startswith("/"):
        program = "/usr/bin/dockerd"
    command = [*PYTHON, "-c", _IN_ROOT, str(host.root), program, "--validate", *flags]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=_ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode == 0 or "Traceback" in done.stderr:
        return ""
    words = " ".join(done.stderr.split())[:500]
    return "" if any(fault in words for fault in _NOT_OF_THE_FILE) else words
