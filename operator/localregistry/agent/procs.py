"""The node's processes, by what /proc shows without any capability.

`exe` and `ns/*` would need CAP_SYS_PTRACE; `comm`, `cmdline`, `status` and `stat` need nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of the node's own PID namespace.

    `identity` names this very start of it (a PID is given again, a start time within one boot is
    not): what was proved for one identity holds as long as it lives.
    """

    pid: int
    comm: str
    cmdline: tuple[str, ...] = ()
    identity: str = ""
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Processes:
    """A look into /proc. `root` is `/proc` of a pod with hostPID, or a directory in tests."""

    root: Path = Path("/proc")

    def named(self, comm: str) -> list[Process]:
        """All processes of the node called `comm`, oldest PID first; never a container's."""
        return [p for pid in self._pids() if (p := self.get(pid, comm)) is not None]

    def get(self, pid: int, comm: str) -> Process | None:
        """The process `pid` where it is called `comm`, runs as root and is the node's own."""
        directory = self.root / str(pid)
        try:
            if (directory / "comm").read_text().strip() != comm:
                return None
            status = dict(
                line.split(":", 1)
                for line in (directory / "status").read_text().splitlines()
                if ":" in line
            )
            # A nested daemon (docker in docker, kind inside the node) has one more PID in each
            # namespace below; a rootless one has another user.
            if len(status.get("NSpid", "").split()) != 1 or status["Uid"].split()[0] != "0":
                return None
            raw = (directory / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            cmdline = tuple(os.fsdecode(arg) for arg in raw)
            return Process(pid, comm, cmdline, self._identity(pid), parse_flags(cmdline[1:]))
        except (OSError, KeyError, ValueError, IndexError):
            return None  # gone meanwhile

    def alive(self, identity: str) -> bool:
        """Whether the process of this identity still runs."""
        try:
            return self._identity(int(identity.split("/")[1])) == identity
        except (OSError, ValueError, IndexError):
            return False

    def signal_hup(self, process: Process) -> bool:
        """SIGHUP to exactly this start of the process; False where it is gone."""
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return False
        except OSError:  # an old kernel, or a seccomp profile of its own
            if not self.alive(process.identity):
                return False
            os.kill(process.pid, signal.SIGHUP)
            return True
        try:
            # The descriptor pins the process, so that what is checked is what is signalled.
            if not self.alive(process.identity):
                return False
            signal.pidfd_send_signal(descriptor, signal.SIGHUP)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)

    def _pids(self) -> Iterator[int]:
        yield from sorted(int(entry.name) for entry in self.root.iterdir() if entry.name.isdigit())

    def _identity(self, pid: int) -> str:
        # comm may hold blanks and parentheses: fields are counted from the last ")".
        after_comm = (self.root / str(pid) / "stat").read_text().rpartition(")")[2].split()
        start_ticks = after_comm[19]  # field 22 of proc(5)
        boot = (self.root / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{pid}/{start_ticks}"


def parse_flags(args: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`--name value`, `--name=value`, `-N value` as name → values; a switch has the value `true`.

    A value that follows a switch cannot be told from a flag's own; the daemons read here take no
    positional arguments.
    """
    flags: dict[str, tuple[str, ...]] = {}
    index = 0
    while index < len(args):
        arg = args[index]
        index += 1
        if not arg.startswith("-"):
            continue
        name, equals, value = arg.lstrip("-").partition("=")
        if not arg.startswith("--") and len(name) > 1 and not equals:
            name, value, equals = name[0], name[1:], "="  # -Hunix:///…
        if not equals:
            if index < len(args) and not args[index].startswith("-"):
                value = args[index]
                index += 1
            else:
                value = "true"
        flags[name] = (*flags.get(name, ()), value)
    return flags
