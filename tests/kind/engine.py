"""The container engine: the one that answers, else one that we install and start.

Only an engine that this module started is ever stopped by it: its pid stands in a file of ours.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from kind import locks, machine, progress, shell
from kind.settings import HERE, Settings

_PID_FILE = Path("/run/localregistry-dockerd.pid")
_SOCKET = "unix:///var/run/docker.sock"
_START_SECONDS = 60
_STARTS = 3


def answers() -> bool:
    """Tell whether an engine answers the docker command line."""
    return shutil.which("docker") is not None and shell.succeeds(
        ["docker", "version", "--format", "{{.Server.Version}}"], timeout=20
    )


def docker(*argv: str | Path, timeout: float = 120, stdin: str | None = None) -> str:
    """Run one docker command; raises Failed like `shell.run`."""
    return shell.run(["docker", *argv], timeout=timeout, stdin=stdin)


def host() -> str:
    """Address of the engine, as DOCKER_HOST."""
    return os.environ.get("DOCKER_HOST") or _SOCKET


def ensure(settings: Settings) -> None:
    """Use the running engine or start one.

    Raises Failed, naming what is missing, where this machine has none and cannot get one.
    """
    report = progress.Progress(1)
    if answers():
        report.cached("engine")
        return
    _require_debian()
    with locks.locked(settings.cache / "engine.lock"):
        if answers():
            report.cached("engine")
            return
        if shutil.which("dockerd") is None or shutil.which("runc") is None:
            report.grow(1)
            with report.step("engine", "installing docker.io", seconds=40):
                _install()
        if answers():
            return
        with report.step("engine", "starting dockerd", seconds=5):
            _start(settings)


def _require_debian() -> None:
    missing = []
    if not machine.is_root():
        missing.append("root rights")
    if shutil.which("apt-get") is None and shutil.which("dockerd") is None:
        missing.append("dockerd, or Debian's apt-get to install it")
    if missing:
        raise shell.Failed(
            "no container engine answers, and one cannot be started here: missing "
            + " and ".join(missing)
            + ". Start Docker (or set DOCKER_HOST) and try again."
        )


def _install() -> None:
    """Install Debian's docker.io without letting its start script run a daemon of its own."""
    guard = Path("/usr/sbin/policy-rc.d")
    guarded = not guard.exists() and not machine.has_systemd()
    if guarded:
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
    try:
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        shell.run(["apt-get", "update"], timeout=300, env=env)
        install = ["apt-get", "install", "-y", "--no-install-recommends"]
        shell.run([*install, "docker.io", "iptables"], timeout=600, env=env)
        if shutil.which("docker") is None:
            # Since Debian 13 the command line is a package of its own.
            shell.run([*install, "docker-cli"], timeout=600, env=env)
    finally:
        if guarded:
            guard.unlink(missing_ok=True)


def _start(settings: Settings) -> None:
    """Start dockerd and wait for it.

    Where containerd was killed too, it needs longer to find the orphans of its last life than
    dockerd waits for it (15 s); it has done most of that when it is started once more.
    """
    argv = ["dockerd", "--host", _SOCKET]
    if machine.lacks_sys_resource():
        wrapper = settings.cache / "engine" / "runc-nocap"
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "scripts" / "runc-nocap", wrapper)
        argv += ["--add-runtime", f"nocap={wrapper}", "--default-runtime", "nocap"]
    log = settings.cache / "engine.log"
    for _ in range(_STARTS):
        if _started(argv, log):
            return
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    raise shell.Failed(f"dockerd did not start; the end of {log}:\n{tail}")


def _started(argv: list[str], log: Path) -> bool:
    _forget_dead_pid(Path("/var/run/docker.pid"), "dockerd")
    _forget_dead_pid(Path("/var/run/docker/containerd/containerd.pid"), "containerd")
    with log.open("w") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    _PID_FILE.write_text(f"{process.pid}\n")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers():
            return True
        time.sleep(0.3)
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=30)
    return False


def _forget_dead_pid(path: Path, name: str) -> None:
    """Remove the pid file of a killed daemon; its number may belong to another process by now."""
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return
    if machine.process_name(pid) != name:
        path.unlink(missing_ok=True)


def left_containers() -> bool:
    """Tell whether an engine that does not run now died with containers, which only it removes."""
    kept = Path("/var/lib/docker/containers")
    return machine.is_root() and shutil.which("dockerd") is not None and any(kept.glob("*"))


def ours() -> bool:
    """Tell whether the running engine is one that `ensure` started."""
    try:
        return machine.process_name(int(_PID_FILE.read_text())) == "dockerd"
    except (OSError, ValueError):
        return False


def stop() -> bool:
    """Stop the engine that we started, if it still runs; tell whether there was one."""
    try:
        pid = int(_PID_FILE.read_text())
    except (OSError, ValueError):
        return False
    _PID_FILE.unlink(missing_ok=True)
    if machine.process_name(pid) != "dockerd":
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and machine.process_name(pid) == "dockerd":
        time.sleep(0.2)
    _sweep()
    return True


def _sweep() -> None:
    """Take away what a stopped engine leaves behind: its bridge and its mounts."""
    if shutil.which("ip"):
        shell.succeeds(["ip", "link", "delete", "docker0"])
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = line.split()[1]
        if target.startswith(("/var/lib/docker/", "/run/docker/", "/var/run/docker/")):
            shell.succeeds(["umount", "-l", target])
