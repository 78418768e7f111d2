"""The Prometheus Operator's CRDs, from its Go module, which tests/kind/go pins."""

from __future__ import annotations

import json
from pathlib import Path

from api.apiserver import REPOSITORY, ApiServer
from kind import settings, shell, toolchain

MODULE = "github.com/prometheus-operator/prometheus-operator"
KINDS = ("podmonitors", "prometheusrules", "servicemonitors")


def files() -> list[Path]:
    """One for each kind that the chart makes; the module is fetched where it is absent."""
    go = toolchain.go(settings.from_environment())
    folder = REPOSITORY / "tests/kind/go/prometheus-operator"
    said = shell.run([go, "mod", "download", "-json", MODULE], cwd=folder, timeout=300)
    crds = Path(json.loads(said)["Dir"]) / "example/prometheus-operator-crd"
    return [crds / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]


def install(api: ApiServer) -> None:
    """Returns when both are served."""
    for path in files():
        api.kubectl("apply", "--server-side", "-f", str(path))
    names = [f"crd/{kind}.monitoring.coreos.com" for kind in KINDS]
    api.kubectl("wait", "--for=condition=Established", *names, "--timeout=30s")
