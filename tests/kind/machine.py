"""What this machine can and cannot do, read from the kernel."""

import os
from pathlib import Path

_CAP_SYS_RESOURCE = 24


def lacks_sys_resource(status: str | None = None) -> bool:
    """Tell whether root here may not raise limits or lower OOM scores (nested sandboxes)."""
    text = Path("/proc/self/status").read_text() if status is None else status
    for line in text.splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1
    return False


def legacy_cgroups() -> bool:
    """Tell whether the machine has cgroup v1, which kubelet and systemd accept only when told."""
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def is_root() -> bool:
    """Tell whether this process is root."""
    return os.geteuid() == 0


def has_systemd() -> bool:
    """Tell whether systemd runs this machine, so that a package's service starts by itself."""
    return Path("/run/systemd/system").is_dir()


def process_name(pid: int) -> str | None:
    """Return the command name of a live process, None where there is none.

    A process that has ended and only waits to be reaped is not alive.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return None if rest.split()[0] in ("Z", "X") else name
