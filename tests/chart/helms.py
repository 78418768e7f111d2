"""The real Helm 4 and Helm 3, from their Go modules, on the chart of this tree."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api.apiserver import REPOSITORY, binaries

CHART = REPOSITORY / "manifests/chart"
CASES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir())
NAMESPACE = "localregistry-system"
RELEASE = "localregistry"
# What `helm template` assumes of the cluster is older than the chart's oldest.
OLDEST = "1.34.0"
HELMS = ("helm", "helm3")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Helm:
    """One Helm; nothing of it is read from or written to the user's own folders."""

    program: Path
    home: Path

    @classmethod
    def of(cls, name: str, home: Path) -> Helm:
        return cls(binaries(name) / name, home)

    def run(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:  # noqa: A002 - as subprocess.run names it
        folders = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        return subprocess.run(
            [str(self.program), *arguments],
            input=input,
            env={"HOME": str(self.home), **{name: str(self.home) for name in folders}},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def template(
        self, *options: str, chart: Path = CHART, release: str = RELEASE
    ) -> list[Manifest]:
        """The objects that an installation makes, its hooks too."""
        place = ("-n", NAMESPACE, "--kube-version", OLDEST)
        text = self.ok("template", release, str(chart), *place, *options)
        return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]

    def refused(self, values: Any, *options: str) -> str:
        """What it says of values that it does not take."""
        place = ("-n", NAMESPACE, "--kube-version", OLDEST, "--values", "-")
        done = self.run("template", RELEASE, str(CHART), *place, *options, input=json.dumps(values))
        assert done.returncode != 0, f"{values} were taken"
        return done.stderr


def case(name: str) -> str:
    """The values file of a case, as an option."""
    return f"--values={CHART / 'ci' / name}-values.yaml"


def of_kind(items: Sequence[Manifest], kind: str, *, name: str = "") -> Manifest:
    found = [
        item
        for item in items
        if item["kind"] == kind and (not name or item["metadata"]["name"] == name)
    ]
    assert len(found) == 1, f"{len(found)} × {kind} {name}"
    return found[0]
