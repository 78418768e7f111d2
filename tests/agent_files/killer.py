"""Kills a write at each of its system calls in turn, and starts the agent again.

    unshare --mount python3 -m agent_files.killer WAY DIRECTORY

Prints what it saw as JSON. The writing process is a fork of this one, so that a kill costs some
milliseconds; `strace` attaches to it, and lets SIGKILL arrive at the entry of one system call,
which is then not made. In a mount namespace of its own, since one way has a bind mount.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localregistry.agent import files, hostsblock
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Record
from localregistry.agent.paths import HostRoot
from localregistry.agent.state import State
from localregistry.agent.writer import Change
from localregistry.trust import Probe, TrustedRegistry

OLD = b"127.0.0.1\tlocalhost\n10.0.0.1\tnode-1 # the administrator's\n"
TOML = "/etc/containerd/certs.d/registry.example.internal/hosts.toml"
PROBE = Probe("registry.example.internal/localregistry-probe:1", "sha256:c", "sha256:d")
REGISTRY = TrustedRegistry(
    "u1", "ns/dev", ("registry.example.internal", "r.example:5000"), "10.96.0.7", 80, PROBE
)
READY = signal.SIGUSR1
# The end of the wait and of the work, and the memory's: their number is the allocator's mood.
APART = {"rt_sigtimedwait", "exit_group", "mmap", "munmap", "mremap", "madvise", "brk"}
PIECE = 16


@dataclass(frozen=True)
class Node:
    """A root, a state directory, and the write that is killed."""

    directory: Path
    in_place: bool
    toml: bool

    @property
    def root(self) -> Path:
        return self.directory / "root"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def file(self) -> Path:
        return self.root / (TOML if self.toml else "/etc/hosts").lstrip("/")

    def lay_out(self) -> None:
        """As the administrator left it."""
        hosts = self.root / "etc/hosts"
        if self.in_place and hosts.exists():
            subprocess.run(["umount", hosts], check=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        hosts.parent.mkdir(parents=True)
        (self.root / "etc/containerd").mkdir()
        hosts.write_bytes(OLD)
        hosts.chmod(0o640)
        os.chown(hosts, 12, 34)
        os.setxattr(hosts, "user.label", b"his")
        os.setxattr(hosts, "security.selinux", b"system_u:object_r:etc_t:s0")
        if self.in_place:
            other = self.directory / "other-hosts"
            shutil.copy2(hosts, other)
            os.chown(other, 12, 34)
            subprocess.run(["mount", "--bind", other, hosts], check=True)

    def write(self, *, wanted: bool) -> None:
        """The node's file with what is ours, or without."""
        state = State(self.state)
        guest = Guest(HostRoot(self.root), state.journal)
        with state.held():
            if self.toml:
                self._own_file(guest, wanted=wanted)
            elif (block := hostsblock.plan(guest, [REGISTRY] if wanted else [])) is not None:
                hostsblock.apply(guest, block)

    def _own_file(self, guest: Guest, *, wanted: bool) -> None:
        current, after = guest.read(TOML), b"server = 'x'\n" * 8 if wanted else None
        if after is not None:
            guest.journal.put(TOML, Record(entries={"registry.example.internal": "u1"}))
            guest.make_directories(TOML)
        if current != after:
            guest.put(Change(TOML, current, after))
        if after is None:
            guest.journal.forget(TOML)
            guest.clear_directories()

    def start_again(self) -> list[str]:
        """What the next agent does first; gives what it mended."""
        state = State(self.state)
        assert not state.journal.problem
        assert not state.journal.complaint
        mended: list[str] = []
        if not state.journal.empty:
            with state.held():
                mended = Guest(HostRoot(self.root), state.journal).recover()
        elif state.leftover:
            with state.held():
                pass
        return mended

    def content(self) -> bytes | None:
        return self.file.read_bytes() if self.file.exists() else None

    def guise(self) -> object:
        """Mode, owner, attributes: None where there is no file."""
        if not self.file.exists():
            return None
        status = self.file.stat()
        attributes = {name: os.getxattr(self.file, name) for name in os.listxattr(self.file)}
        return status.st_mode, status.st_uid, status.st_gid, attributes

    def litter(self) -> list[str]:
        return [str(path) for path in self.root.rglob(files.TEMPORARY)]


def piecemeal(inode: int) -> None:
    """Writes of one file go to the kernel in small pieces, so that a kill may fall between."""
    pwrite = os.pwrite

    def some(descriptor: int, content: bytes, offset: int) -> int:
        small = os.fstat(descriptor).st_ino == inode
        return pwrite(descriptor, content[:PIECE] if small else content, offset)

    os.pwrite = some  # type: ignore[assignment]


def traced(work: Callable[[], None], *options: str) -> int:
    """Runs `work` in a fork under strace; gives its wait status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {READY})
    child = os.fork()
    if child == 0:
        try:
            # A system call that is not used otherwise: counts begin after it.
            signal.sigwait({READY})
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    strace = subprocess.Popen(
        ["strace", "-f", "-p", str(child), *options], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr is not None
    for line in strace.stderr:
        if "attached" in line:
            break
    os.kill(child, READY)
    _, status = os.waitpid(child, 0)
    strace.stderr.read()
    strace.wait(timeout=10)
    return status


def calls(work: Callable[[], None], trace: Path) -> list[tuple[str, int]]:
    """Each system call of `work` by name, and the how manieth of that name it is."""
    status = traced(work, "-o", str(trace))
    assert status == 0, status
    counted: Counter[str] = Counter()
    result = []
    for line in trace.read_text().splitlines():
        match = re.match(r"(?:\d+ +)?([a-z_0-9]+)\(", line)
        name = match[1] if match else ""
        if not name or name in APART:
            continue
        counted[name] += 1
        result.append((name, counted[name]))
    return result


def kill_everywhere(node: Node, trace: Path) -> Mapping[str, object]:
    """On the way there and on the way back."""
    seen: Counter[str] = Counter()
    points = 0
    failures: list[str] = []
    for wanted in (True, False):

        def lay_out(wanted: bool = wanted) -> None:
            node.lay_out()
            if not wanted:
                node.write(wanted=True)

        def work(wanted: bool = wanted) -> None:
            if node.in_place:
                piecemeal(node.file.stat().st_ino)
            node.write(wanted=wanted)

        lay_out()
        old, guise = node.content(), node.guise()
        every = calls(work, trace)
        new = node.content()
        new_guise = node.guise()
        assert old != new
        for name, number in every:
            lay_out()
            injection = f"inject={name}:signal=KILL:when={number}"
            status = traced(work, "-o", os.devnull, "-e", injection)
            points += 1
            where = f"{'there' if wanted else 'back'}: {name} {number}"
            if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
                failures.append(f"{where}: was not killed: {status}")
                continue
            torn = node.content()
            kind = "old" if torn == old else "new" if torn == new else "between"
            mended = node.start_again()
            seen[kind if not mended else f"{kind}, mended"] += 1
            if node.content() not in (old, new):
                failures.append(f"{where}: {node.content()!r}")
            if node.guise() not in (guise, new_guise):
                failures.append(f"{where}: {node.guise()} instead of {guise}")
            if node.litter():
                failures.append(f"{where}: {node.litter()}")
            node.write(wanted=wanted)
            if node.content() != new:
                failures.append(f"{where}: again: {node.content()!r}")
            node.write(wanted=False)
            node.start_again()
            if node.content() != (None if node.toml else OLD) or node.state.exists():
                failures.append(f"{where}: a trace is left")
    return {"points": points, "seen": dict(seen), "failures": failures}


def main() -> None:
    way, directory = sys.argv[1], Path(sys.argv[2])
    node = Node(directory / "node", in_place=way == "in place", toml=way == "new file")
    result = kill_everywhere(node, directory / "trace")
    node.lay_out()
    if node.in_place:
        subprocess.run(["umount", node.root / "etc/hosts"], check=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
