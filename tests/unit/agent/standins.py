"""What takes the place of a node in these tests.

The daemons themselves are tested on real nodes. Here stand small ones that answer as dockerd and a
CRI socket were measured to, so that the agent's steps, and faults that a real daemon cannot be
brought to show, are seen in milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localregistry.agent.procs import Processes
from localregistry.trust import Probe, TrustedRegistry

CONFIG, MANIFEST = "sha256:" + "c" * 64, "sha256:" + "d" * 64


def put(path: Path, content: str) -> None:
    """At once, as a volume swaps its files."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(content)
    new.rename(path)


def registry(
    uid: str = "u1",
    *names: str,
    address: str = "10.96.0.7",
    port: int = 80,
    dns: bool = False,
    preview: bool = False,
) -> TrustedRegistry:
    names = names or ("registry.example.internal",)
    probe = Probe(f"{names[0]}/localregistry-probe:1", CONFIG, MANIFEST)
    return TrustedRegistry(uid, f"ns/{uid}", names, address, port, probe, dns, preview)


class Node:
    """A directory that stands for `/`, and one for `/proc`."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.proc = directory / "proc"
        for path in ("etc/docker", "etc/containerd", "run", "var"):
            (self.root / path).mkdir(parents=True)
        (self.root / "var/run").symlink_to("/run")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (self.proc / "sys/kernel/random").mkdir(parents=True)
        (self.proc / "sys/kernel/random/boot_id").write_text("boot\n")

    @property
    def processes(self) -> Processes:
        return Processes(self.proc)

    def process(
        self, pid: int, *cmdline: str, nspid: str = "", uid: int = 0, start: int = 1000
    ) -> None:
        directory = self.proc / str(pid)
        directory.mkdir(exist_ok=True)
        comm = Path(cmdline[0]).name
        (directory / "comm").write_text(comm + "\n")
        (directory / "cmdline").write_bytes(b"\0".join(map(os.fsencode, cmdline)) + b"\0")
        (directory / "status").write_text(
            f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{nspid or pid}\n"
        )
        fields = ["S", *["0"] * 18, str(start), *["0"] * 10]
        (directory / "stat").write_text(f"{pid} ({comm}) {' '.join(fields)}\n")

    def snapshot(self) -> dict[str, bytes]:
        """All files below the root and what is in them; directories too."""
        return {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else b"/"
            for path in sorted(self.root.rglob("*"))
            if not path.is_socket()
        }

    def read(self, path: str) -> bytes:
        return (self.root / path.lstrip("/")).read_bytes()

    def write(self, path: str, content: str | bytes) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


class Dockerd:
    """Answers `/_ping` and `/info`; `reload` is what SIGHUP does to dockerd: a key that is gone
    from the file stays as it was, a file that it does not take changes nothing."""

    pid = 4242

    def __init__(self, node: Node, *flags: str) -> None:
        self.node = node
        self.version = "26.1.5"
        self.driver_status: list[list[str]] = [["Backing Filesystem", "extfs"]]
        self.serving = True
        self.refusing = False
        self.losing: set[str] = set()  # names that any reload drops
        self.signals = 0
        self.insecure: set[str] = set()
        self.start(*flags)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(node.root / "run/docker.sock"))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def start(self, *flags: str, at: int = 1000) -> None:
        self.node.process(self.pid, "/usr/bin/dockerd", "-H", "fd://", *flags, start=at)
        self.insecure = {"127.0.0.0/8", "::1/128"}
        self._take()

    def reload(self) -> None:
        self.signals += 1
        if not self.refusing:
            self._take()

    def close(self) -> None:
        self._socket.close()

    def _take(self) -> None:
        path = self.node.root / "etc/docker/daemon.json"
        config = json.loads(path.read_bytes() or b"{}") if path.exists() else {}
        if "insecure-registries" in config:
            self.insecure = {"127.0.0.0/8", "::1/128", *config["insecure-registries"]}
        self.insecure -= self.losing

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                target = connection.recv(4096).split()[1]
                status = "200 OK" if self.serving else "503 Service Unavailable"
                body = b"OK" if target == b"/_ping" else json.dumps(self._info()).encode()
                connection.sendall(f"HTTP/1.0 {status}\r\n\r\n".encode() + body)

    def _info(self) -> Mapping[str, Any]:
        cidrs = [name for name in sorted(self.insecure) if "/" in name]
        indexes = {name: {"Secure": False} for name in self.insecure if "/" not in name}
        return {
            "ServerVersion": self.version,
            "DriverStatus": self.driver_status,
            "RegistryConfig": {
                "IndexConfigs": {**indexes, "docker.io": {"Secure": True}},
                "InsecureRegistryCIDRs": cidrs,
            },
        }


class Signalled(Processes):
    """Processes whose SIGHUP goes to a Dockerd of these tests."""

    def __init__(self, daemon: Dockerd) -> None:
        super().__init__(daemon.node.proc)
        object.__setattr__(self, "daemon", daemon)

    def signal_hup(self, process: Any) -> bool:
        if not self.alive(process.identity):
            return False
        self.daemon.reload()  # type: ignore[attr-defined]
        return True


class Calls:
    """The CRI, answered at once. `answers` are by verb; `pulls` the images asked for."""

    def __init__(self, name: str, version: str, config: Mapping[str, Any] | None = None) -> None:
        self.answers: dict[str, Mapping[str, Any]] = {
            "version": {"ok": {"name": name, "version": version}},
            "status": {"ok": {"config": json.dumps(config)} if config else {}},
        }
        self.pulls: list[str] = []
        self.failing: dict[str, str] = {}
        self.asked: list[str] = []

    def ask(self, verb: str, socket: Path) -> Mapping[str, Any]:
        self.asked.append(verb)
        return self.answers[verb]

    def probe(self, socket: Path, image: str, config: str, manifest: str) -> Pull:
        self.pulls.append(image)
        words = self.failing.get(image.split("/")[0])
        return Pull({"error": {"kind": "call", "message": words}} if words else {"ok": {}})


class Pull:
    """A call that is done."""

    def __init__(self, result: Mapping[str, Any], *, done: bool = True) -> None:
        self._result = result
        self._reader, writer = os.pipe()
        self.cancelled = False
        self._writer = writer
        if done:
            self.finish()

    def finish(self) -> None:
        os.close(self._writer)

    def fileno(self) -> int:
        return self._reader

    def result(self) -> Mapping[str, Any]:
        return self._result

    def cancel(self) -> None:
        self.cancelled = True


def listen(path: Path) -> socket.socket:
    """A socket that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    result = socket.socket(socket.AF_UNIX)
    result.bind(str(path))
    result.listen()
    return result


class Clock:
    """Time that only goes on when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
