"""The kind cluster as demo and tests see it: kubectl, helm, docker, and the nodes' files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kind import settings as kind_settings

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "localregistry-system"
REGISTRIES = "registries"
LREG = "localregistries.localregistry.dev"

# All that the agent may touch on a node, and where it keeps its journal.
WATCHED = ("/etc/docker", "/etc/containerd", "/etc/hosts", "/var/lib/localregistry")

Body = dict[str, Any]


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def run_kind(*arguments: str, quiet: bool = False) -> str:
    """`python -m kind …`: progress goes to the terminal, stdout is returned."""
    done = subprocess.run(
        [sys.executable, "-m", "kind", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"`python3 -m kind {' '.join(arguments)}` failed: its output stands above")
    return done.stdout


@dataclass(frozen=True)
class Node:
    """A node is a container of the engine; `runtime` is `docker` or `containerd`."""

    name: str
    runtime: str

    def run(self, script: str, *, check: bool = True) -> str:
        """A shell script on the node, as root."""
        command = ["docker", "exec", self.name, "sh", "-ec", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {script}: {done.stderr.strip()}")
        return done.stdout

    def files(self) -> dict[str, str]:
        """Every watched path with its type, mode, owner, target and content's digest.

        containerd's certs.d may be absent: the agent makes it, and takes it away again. What comes
        or goes meanwhile has no digest, or is left out: it is not as it was.
        """
        paths = " ".join(WATCHED)
        listing = self.run(f"find {paths} -printf '%p\\t%y %m %U:%G %l\\n' 2>/dev/null || true")
        sums = self.run(f"find {paths} -type f -exec sha256sum {{}} + 2>/dev/null || true")
        found = dict(line.split("\t", 1) for line in listing.splitlines())
        for line in sums.splitlines():
            digest, path = line.split(None, 1)
            if path in found:
                found[path] += f" {digest}"
        return found

    def read(self, path: str) -> str:
        return self.run(f"cat {path}")

    def reboot(self) -> None:
        """Its address stays: nobody else asks the engine for one meanwhile."""
        subprocess.run(["docker", "restart", self.name], check=True, capture_output=True)


@dataclass(frozen=True)
class Cluster:
    """One running cluster."""

    kubeconfig: Path
    bin: Path

    @classmethod
    def up(cls) -> Cluster:
        """Finds the cluster running or makes it; some minutes where its parts must be built."""
        run_kind("up")
        return cls.found()

    @classmethod
    def found(cls) -> Cluster:
        """The cluster as it is, without a look whether it runs."""
        settings = kind_settings.from_environment()
        os.environ.setdefault("DOCKER_HOST", "unix:///var/run/docker.sock")
        run_kind("tools", "kubectl", "helm", quiet=True)
        return cls(settings.kubeconfig, settings.bin)

    def kubectl(
        self,
        *arguments: str,
        input: Any = None,  # noqa: A002 - as subprocess.run names it
        check: bool = True,
        timeout: float = 180,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl; `input` is YAML text, or an object passed as JSON."""
        text = input if input is None or isinstance(input, str) else json.dumps(input)
        command = [str(self.bin / "kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def helm(self, *arguments: str) -> str:
        command = [str(self.bin / "helm"), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise AssertionError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Body:
        body: Body = json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
        return body

    def exists(self, *arguments: str) -> bool:
        return self.kubectl("get", *arguments, "-o", "name", check=False).returncode == 0

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        items = self.get("nodes")["items"]
        return [
            Node(
                item["metadata"]["name"],
                item["status"]["nodeInfo"]["containerRuntimeVersion"].partition(":")[0],
            )
            for item in items
        ]

    def files(self) -> dict[str, dict[str, str]]:
        """The watched files of each node."""
        return {node.name: node.files() for node in self.nodes()}

    def apply_registry(self, name: str, *, host: str, **spec: Any) -> None:
        body = {
            "apiVersion": "localregistry.dev/v1alpha1",
            "kind": "LocalRegistry",
            "metadata": {"name": name, "namespace": REGISTRIES},
            "spec": {"host": host, "storage": {"size": "1Gi"}, **spec},
        }
        self.kubectl("apply", "-f", "-", input=body)

    def status(self, name: str) -> Body:
        body: Body = self.get(LREG, name, "-n", REGISTRIES).get("status", {})
        return body

    def condition(self, name: str, which: str) -> Body:
        """Nothing where there is none yet."""
        found = self.status(name).get("conditions", [])
        return next((c for c in found if c["type"] == which), {})

    def wait_ready(self, name: str, *, timeout: int = 120, condition: str = "Ready") -> None:
        done = self.kubectl(
            *("wait", f"--for=condition={condition}", f"{LREG}/{name}", "-n", REGISTRIES),
            f"--timeout={timeout}s",
            check=False,
            timeout=timeout + 30,
        )
        if done.returncode:
            status = json.dumps(self.status(name), indent=1)
            raise AssertionError(f"{name} is not {condition}: {done.stderr.strip()}\n{status}")


def wait_until(
    is_true: Callable[[], bool], *, timeout: float, what: str, interval: float = 0.3
) -> float:
    """Polls; returns the seconds it took, raises AssertionError after `timeout`."""
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > timeout:
            raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(interval)
    return time.monotonic() - started


def differences(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """A line for each path that is not as it was, on any node."""
    lines = []
    for node in sorted(before.keys() | after.keys()):
        old, new = before.get(node, {}), after.get(node, {})
        for path in sorted(old.keys() | new.keys()):
            if old.get(path) != new.get(path):
                was, now = old.get(path, "absent"), new.get(path, "absent")
                lines.append(f"{node}: {path}: {was} -> {now}")
    return lines
