"""dockerd's own words about a daemon.json that it did not take."""

from __future__ import annotations

import subprocess
import sys

from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process
from localregistry.agent.versions import release

SECONDS = 10.0

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
    command = [sys.executable, "-I", "-c", _IN_ROOT, str(host.root), program, "--validate", *flags]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode == 0 or "Traceback" in done.stderr:
        return ""
    return " ".join(done.stderr.split())[:500]
