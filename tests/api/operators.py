"""The operator as a process of the tests: what is started, asked and read of it."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.processes import Process, free_port

if TYPE_CHECKING:
    from api.lab import Lab


@dataclass
class Operator:
    """`localregistry run`, as install.yaml's ServiceAccount."""

    process: Process
    health_port: int

    @classmethod
    def start(
        cls,
        lab: Lab,
        *,
        name: str = "operator-0",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        kubeconfig: Path | None = None,
    ) -> Operator:
        port = free_port()
        command: list[str | Path] = [
            "/usr/bin/env",
            f"KUBECONFIG={kubeconfig or lab.operator_kubeconfig}",
            *(f"{key}={value}" for key, value in (environment or {}).items()),
            f"PYTHONPATH={REPOSITORY / 'operator'}",
            sys.executable,
            *("-m", "localregistry.cli", "run", "--identity", name),
            *("--health-port", str(port), "--agent-port", str(lab.agent_port)),
            *("--registry-port", str(lab.registry_port), "--log-level", "debug"),
            *("--usage-port", str(lab.usage_port)),
            *options,
        ]
        log = lab.api.directory / f"{name}-{port}.log"
        return cls(Process.start(name, command, log), port)

    def health(self, path: str) -> int:
        """The HTTP status of /healthz or /readyz; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    @property
    def log(self) -> str:
        return self.process.log.read_text(errors="replace")


@contextmanager
def deployed(api: ApiServer) -> Iterator[None]:
    """The operator's Deployment, of which no pod runs here: people read its environment."""
    installed = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
    [deployment] = [d for d in installed if d["kind"] == "Deployment"]
    api.kubectl("apply", "--server-side", "-f", "-", input=deployment)
    where = ("-n", deployment["metadata"]["namespace"])
    try:
        yield
    finally:
        name = f"deployment/{deployment['metadata']['name']}"
        api.kubectl("delete", name, *where, "--ignore-not-found")
