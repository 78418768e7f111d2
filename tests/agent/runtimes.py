"""How each runtime is started, asked and restarted on a test's machine."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import Signals
from typing import Any

from agent import images
from agent.machine import Machine
from agent.matrix import Kind
from localregistry.agent import wire
from localregistry.agent.grpc import CallError, Channel

# Seen: 0.3 to 1.5 s; a machine whose two cores are busy with other tests has taken 60.
START_SECONDS = 120.0


class NotTrusted(Exception):
    """A pull failed; the runtime's own words."""


class Runtime(ABC):
    """A runtime on one machine. `flags` go to its command line at the next start."""

    # The administrator's configuration, and the directory of hosts.toml files.
    config_path: str
    certs_path: str
    # `nodeInfo.containerRuntimeVersion`.
    reported: str

    def __init__(self, machine: Machine, kind: Kind, programs: Path) -> None:
        self.machine = machine
        self.kind = kind
        self.programs = programs
        self.flags: list[str] = []
        self.pid = 0
        self.starts = 0
        for name in kind.built:
            self._install(name)

    @abstractmethod
    def prepare(self) -> None:
        """Writes the configuration that the node has before any agent."""

    @abstractmethod
    def launch(self) -> int: ...

    @abstractmethod
    def serving(self) -> bool: ...

    @abstractmethod
    def pull(self, reference: str) -> None:
        """As the kubelet's pull; leaves nothing. Raises NotTrusted."""

    @abstractmethod
    def load(self, archive: Path) -> None: ...

    @abstractmethod
    def run_container(self) -> tuple[int, str]:
        """Runs the image that is on the node: with what it ended, and what was said of it."""

    @abstractmethod
    def start_container(self) -> str:
        """Starts a container that stays, and gives what `container` does."""

    @abstractmethod
    def container(self) -> str:
        """Its identity: PID, start and number of restarts, as far as the runtime tells them."""

    @abstractmethod
    def end_container(self) -> None:
        """Takes it away, its cgroups included."""

    @abstractmethod
    def version(self) -> str: ...

    def start(self, *, wait: bool = True) -> None:
        self.starts += 1
        self.pid = self.launch()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it serves. Raises RuntimeError with its log where it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not self.serving():
            code = self.machine.exit_code(self.pid)
            if code is not None or time.monotonic() > deadline:
                state = "does not serve" if code is None else f"ended with {code}"
                raise RuntimeError(
                    f"{self.kind.name} {state}:\n{self.machine.log(self.log)[-3000:]}"
                )
            time.sleep(0.02)

    def stop(self) -> int:
        return self.machine.end(self.pid, Signals.SIGTERM)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        return f"daemon-{self.starts}"

    @property
    def alive(self) -> bool:
        return self.machine.exit_code(self.pid) is None

    def _install(self, name: str) -> None:
        # By a mount: a copy of 100 MB would be made for each node, and hashed by each snapshot.
        source, target = (self.programs / name).resolve(), f"/usr/local/bin/{name}"
        self.machine.path(target).touch()
        self.machine.run(
            "mount", "--bind", str(source), f"{self.machine.base}/root{target}", chroot=False
        )


class Docker(Runtime):
    """dockerd and cri-dockerd."""

    config_path = "/etc/docker/daemon.json"
    certs_path = "/etc/docker/certs.d"

    _cri = 0

    # No bridge and no iptables: containers of these tests need no network.
    _FLAGS = ("--bridge=none", "--iptables=false", "--ip6tables=false")

    @property
    def reported(self) -> str:  # type: ignore[override]
        return f"docker://{self.version()}"

    def prepare(self) -> None:
        self._install("cri-dockerd")

    def launch(self) -> int:
        # With its path, as systemd starts it.
        program = "/usr/local/bin/dockerd" if self.kind.built else "/usr/sbin/dockerd"
        argv = [program, *self._FLAGS, *self.kind.flags, *self.flags]
        if self.kind.suite == "bookworm":
            argv.append("--oom-score-adjust=0")  # -500 needs a capability that sandboxes lack
        # Go's own resolver remembers /etc/hosts for 5 s, which would cost each case as much. Docker
        # 29 is built without the other one, and so tests that the agent waits.
        return self.machine.spawn(argv, log=self.log, env={"GODEBUG": "netdns=cgo"})

    def wait(self) -> None:
        super().wait()
        # It ends where dockerd does not serve yet, and outlives a restart of it.
        if self._cri == 0 or self.machine.exit_code(self._cri) is not None:
            endpoint = "--container-runtime-endpoint=unix:///run/cri-dockerd.sock"
            self._cri = self.machine.spawn(["cri-dockerd", endpoint], log="cri-dockerd")

    def serving(self) -> bool:
        return self.api("GET", "/_ping")[0] == 200

    def api(self, method: str, path: str) -> tuple[int, Any]:
        """One call of the Docker API; status 0 where nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(str(self.machine.path("/run/docker.sock")))
                connection.sendall(f"{method} {path} HTTP/1.0\r\nHost: d\r\n\r\n".encode())
                raw = b""
                while chunk := connection.recv(65536):
                    raw += chunk
        except OSError:
            return 0, None
        head, _, body = raw.partition(b"\r\n\r\n")
        if not head:
            return 0, None
        kind = b"application/json" in head
        return int(head.split()[1]), json.loads(body) if kind and body else body

    def insecure(self) -> set[str]:
        """What the running daemon trusts: names and CIDRs."""
        info = self.api("GET", "/info")[1]["RegistryConfig"]
        names = {name for name, index in info["IndexConfigs"].items() if not index["Secure"]}
        return names | set(info["InsecureRegistryCIDRs"] or ())

    def version(self) -> str:
        return str(self.api("GET", "/version")[1]["Version"])

    def pull(self, reference: str) -> None:
        code, output = self.machine.run("docker", "pull", "--quiet", reference, check=False)
        if code:
            raise NotTrusted(output)
        self.machine.run("docker", "image", "rm", reference)

    def signals(self) -> int:
        """How often this start of the daemon was told to reload."""
        return self.machine.log(self.log).count("reload config")

    def load(self, archive: Path) -> None:
        self.machine.run("docker", "load", "--quiet", "--input", str(archive))

    def start_container(self) -> str:
        sleep = ("/bin/busybox", "sleep", "600")
        options = ("--detach", "--name=stays", "--network=none")
        self.machine.run("docker", "run", *options, images.LOCAL, *sleep)
        return self.container()

    def container(self) -> str:
        what = "{{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}} {{.State.Running}}"
        return self.machine.run("docker", "inspect", f"--format={what}", "stays")[1]

    def end_container(self) -> None:
        self.machine.run("docker", "rm", "--force", "stays")

    def run_container(self) -> tuple[int, str]:
        run = ("docker", "run", "--rm", "--network=none", images.LOCAL)
        return self.machine.run(*run, check=False)


class Containerd(Runtime):
    """containerd with its CRI plugin."""

    config_path = "/etc/containerd/config.toml"
    certs_path = "/etc/containerd/certs.d"
    socket = "/run/containerd/containerd.sock"

    _stays = ""

    @property
    def reported(self) -> str:  # type: ignore[override]
        return f"containerd://{self.version()}"

    def prepare(self) -> None:
        self.machine.write(self.config_path, self.config())
        self.machine.path("/etc/containerd/certs.d").mkdir(exist_ok=True)

    def config(self, registry: Sequence[str] = ('config_path = "/etc/containerd/certs.d"',)) -> str:
        """An administrator's file; `registry` are the lines of that table."""
        if self.kind.name.startswith("containerd-2"):
            images_table, runtime_table = (
                "io.containerd.cri.v1.images",
                "io.containerd.cri.v1.runtime",
            )
            number = 3
        else:
            images_table = runtime_table = "io.containerd.grpc.v1.cri"
            number = 2
        lines = [
            f"version = {number}",
            f'[plugins."{runtime_table}"]',
            "  restrict_oom_score_adj = true",
            f'[plugins."{images_table}".registry]',
            *(f"  {line}" for line in registry),
        ]
        return "\n".join(lines) + "\n"

    def launch(self) -> int:
        return self.machine.spawn(["containerd", *self.flags], log=self.log)

    def serving(self) -> bool:
        with contextlib.suppress(CallError, OSError):
            return bool(self.version())
        return False

    @contextlib.contextmanager
    def channel(self) -> Iterator[Callable[..., bytes]]:
        channel = Channel(str(self.machine.path(self.socket)))
        try:
            yield channel.call
        finally:
            channel.close()

    def version(self) -> str:
        with self.channel() as call:
            answer = call("/runtime.v1.RuntimeService/Version", b"", seconds=5)
            return wire.text(answer, 3)

    def pull(self, reference: str) -> None:
        request = wire.message((1, wire.message((1, reference))))
        service = "/runtime.v1.ImageService"
        with self.channel() as call:
            try:
                call(f"{service}/PullImage", request, seconds=20)
            except CallError as error:
                raise NotTrusted(error.message) from error
            call(f"{service}/RemoveImage", request, seconds=20)

    def load(self, archive: Path) -> None:
        self.machine.run("ctr", "-n", "k8s.io", "images", "import", str(archive))

    def start_container(self) -> str:
        sleep = ("/bin/busybox", "sleep", "600")
        # Its cgroup has the name too, which other nodes of these tests share with this one.
        self._stays = f"stays-{time.monotonic_ns()}"
        self.machine.run(
            "ctr", "-n", "k8s.io", "run", "--detach", images.LOCAL, self._stays, *sleep
        )
        return self.container()

    def container(self) -> str:
        lines = self.machine.run("ctr", "-n", "k8s.io", "tasks", "ls")[1].splitlines()
        return next(line for line in lines if line.startswith(self._stays))

    def end_container(self) -> None:
        self.machine.run("ctr", "-n", "k8s.io", "tasks", "rm", "--force", self._stays)

    def run_container(self) -> tuple[int, str]:
        name = f"case-{time.monotonic_ns()}"
        run = ("ctr", "-n", "k8s.io", "run", "--rm", images.LOCAL, name)
        return self.machine.run(*run, check=False)


def make(machine: Machine, kind: Kind, programs: Path) -> Runtime:
    match kind.engine:
        case "docker":
            return Docker(machine, kind, programs)
        case _:
            return Containerd(machine, kind, programs)
