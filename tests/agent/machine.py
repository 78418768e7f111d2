"""One throw-away machine: namespaces of its own over a suite's root, and nothing left afterwards.

Mounts, processes, network, host name and IPC are private; what runs in it is started by `init.py`,
and ends with it. The network is a loopback that also holds the addresses that stand for Services.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import snapshots

_INIT = Path(__file__).with_name("init.py")

# Runs as PID 1 until it becomes init.py. What runtimes write much of is memory, as overlay cannot
# lie on overlay; /etc and all else lies in the upper directory, to be compared byte by byte.
_MOUNT = """
set -eu
base=$1 lower=$2
mount -t tmpfs -o size=2g,mode=755 node "$base"
mkdir "$base/upper" "$base/work" "$base/root" "$base/inputs" "$base/logs"
mount -t overlay -o "lowerdir=$lower,upperdir=$base/upper,workdir=$base/work" node "$base/root"
cd "$base/root"
mkdir -p var/lib/docker var/lib/containerd
mount -t proc proc proc
mount -t sysfs sys sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
for path in run tmp var/lib/docker var/lib/containerd; do mount -t tmpfs node "$path"; done
printf '127.0.0.1\\tlocalhost\\n' >etc/hosts
printf 'nameserver 127.0.0.1\\n' >etc/resolv.conf
ip link set lo up
shift 2
cd /
exec "$@"
"""

# What a runtime finds in its environment on a node without a proxy.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"}


class Machine:
    """`base` is its directory in its own mounts: `root` is `/`, `inputs` what the agent is told."""

    def __init__(self, lower: Path) -> None:
        self._outside = Path(tempfile.mkdtemp(prefix="lr-"))
        self.base = self._outside
        command = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork"]
        command += ["--kill-child", "sh", "-c", _MOUNT, "sh", str(self.base), str(lower)]
        self._process = subprocess.Popen(
            [*command, sys.executable, "-I", str(_INIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._pid = int(children.read_text().split()[0])
        # As seen from the tests; links in it are followed by the caller or not at all.
        self.seen = Path(f"/proc/{self._pid}/root{self.base}")

    @property
    def root(self) -> Path:
        """The node's `/` as the tests see it."""
        return self.seen / "root"

    def path(self, node_path: str) -> Path:
        return self.root / node_path.lstrip("/")

    def read(self, node_path: str) -> bytes | None:
        try:
            return self.path(node_path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, node_path: str, content: str | bytes | None) -> None:
        """As an administrator's editor does: a new file, renamed over the old one."""
        path = self.path(node_path)
        if content is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.admin")
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
        scratch.rename(path)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        log: str,
        chroot: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Starts a process, and gives its PID as the node sees it."""
        answer = self._ask("spawn", **self._start(argv, log=log, chroot=chroot, env=env))
        return int(answer["pid"])

    def run(
        self, *argv: str, seconds: float = 60, chroot: bool = True, check: bool = True
    ) -> tuple[int, str]:
        """Exit code and output. Raises RuntimeError where the code is not 0 and `check` is set."""
        request = self._start(argv, log="run", chroot=chroot, env=None)
        answer = self._ask("run", seconds=seconds, **request)
        if check and answer["code"]:
            raise RuntimeError(f"{' '.join(argv)}: {answer['code']}\n{answer['output']}")
        return int(answer["code"]), str(answer["output"])

    def exit_code(self, pid: int) -> int | None:
        """Of a process that was started here, 128 + signal included; None while it runs."""
        code = self._ask("poll", pid=pid)["code"]
        return None if code is None else int(code)

    def send(self, pid: int, number: signal.Signals) -> None:
        self._ask("kill", pid=pid, signal=int(number))

    def end(self, pid: int, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Signals a process and waits for its end; gives its exit code."""
        self.send(pid, number)
        deadline = time.monotonic() + seconds
        while (code := self.exit_code(pid)) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"process {pid} did not end within {seconds:.0f} s")
            time.sleep(0.01)
        return code

    def get(self, url: str) -> tuple[int, str]:
        """A GET inside of the node's network: status (0 where nobody answers) and body."""
        answer = self._ask("get", url=url)
        return int(answer["status"]), str(answer["body"])

    def log(self, name: str) -> str:
        path = self.seen / "logs" / name
        return path.read_text(errors="replace") if path.exists() else ""

    def outer_pid(self, pid: int) -> int:
        """The PID that a process of the node has outside of it."""
        mine = Path(f"/proc/{self._pid}/ns/pid").readlink()
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                lines = (directory / "status").read_text().splitlines()
                (inner,) = (line.split()[-1] for line in lines if line.startswith("NSpid:"))
                if inner == str(pid) and (directory / "ns/pid").readlink() == mine:
                    return int(directory.name)
        raise RuntimeError(f"process {pid} of the node is gone")

    def add_address(self, address: str) -> None:
        """Makes an address answer on this node, as a Service's cluster IP does."""
        self.run("ip", "address", "add", f"{address}/32", "dev", "lo", chroot=False)

    def remove_address(self, address: str) -> None:
        self.run("ip", "address", "del", f"{address}/32", "dev", "lo", chroot=False)

    def files(self) -> snapshots.Snapshot:
        """All that can be written on the node and stays: content, mode and owner of each file."""
        upper = snapshots.take(
            self.seen / "upper", without=("etc", "run", "tmp"), directories=False
        )
        return {**snapshots.take(self.root / "etc"), **upper}

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self._outside, ignore_errors=True)

    def _start(
        self, argv: Sequence[str], *, log: str, chroot: bool, env: Mapping[str, str] | None
    ) -> dict[str, Any]:
        return {
            "argv": list(argv),
            "log": str(self.base / "logs" / log),
            "root": str(self.base / "root") if chroot else "",
            "env": {**_ENVIRONMENT, **(env or {})},
        }

    def _ask(self, do: str, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the node {os.fspath(self.base)} ended: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
