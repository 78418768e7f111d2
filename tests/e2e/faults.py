"""Faults of the cluster's objects, for `doctor` to name: each with what its cure says, done."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from e2e.cluster import LREG, REGISTRIES, SYSTEM, Cluster, wait_until

NAME, HOST = "dev", "cli.example.internal"

# Does what the line says that `doctor` printed as the fault's cure.
Cure = Callable[[str], object]
# Makes a fault of a cluster where HOST's registry is ready; when it ends, all is as it was before.
Fault = Callable[[Cluster], AbstractContextManager[Cure]]

BINDING = "clusterrolebinding/localregistry"
POD_SECURITY = "pod-security.kubernetes.io/enforce"
AGENTS = ("pods", "-l", "app.kubernetes.io/name=node-agent", "-n", SYSTEM)


def patch(cluster: Cluster, spec: dict[str, Any]) -> None:
    body = json.dumps({"spec": spec})
    cluster.kubectl("patch", LREG, NAME, "-n", REGISTRIES, "--type=merge", "-p", body)


def changed(before: dict[str, Any], after: dict[str, Any]) -> Fault:
    """A fault of the spec, and the spec as it was."""

    @contextmanager
    def fault(cluster: Cluster) -> Iterator[Cure]:
        patch(cluster, after)
        try:
            yield lambda _: patch(cluster, before)
        finally:
            patch(cluster, before)

    return fault


@contextmanager
def without_rights(cluster: Cluster) -> Iterator[Cure]:
    found = cluster.get(BINDING)
    meta = {key: found["metadata"].get(key) for key in ("name", "labels", "annotations")}
    kept = {key: found[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
    cluster.kubectl("delete", BINDING)
    try:
        yield lambda line: cluster.helm(*command_in(line, "helm upgrade"))
    finally:
        if not cluster.exists(BINDING):
            cluster.kubectl("create", "-f", "-", input=kept | {"metadata": meta})


@contextmanager
def without_443(cluster: Cluster) -> Iterator[Cure]:
    patch(cluster, {"suspend": True})
    ports = cluster.get("service", f"{NAME}-registry", "-n", REGISTRIES)["spec"]["ports"]
    kept = json.dumps({"spec": {"ports": [port for port in ports if port["port"] != 443]}})
    service = ("service", f"{NAME}-registry", "-n", REGISTRIES)
    cluster.kubectl("patch", *service, "--type=merge", "-p", kept)

    def cure(line: str) -> None:
        cluster.kubectl(*command_in(line, "kubectl delete"))
        assert "once spec.suspend is false" in line
        patch(cluster, {"suspend": False})

    try:
        yield cure
    finally:
        patch(cluster, {"suspend": False})


@contextmanager
def blocked_agents(cluster: Cluster) -> Iterator[Cure]:
    """By Pod Security, as in a cluster that enforces it for every namespace without a label."""
    namespace = ("label", "namespace", SYSTEM, "--overwrite")

    def cure(line: str) -> None:
        label, restart = line.split(" && ")
        cluster.kubectl(*command_in(label, "kubectl label"))
        cluster.kubectl(*command_in(restart, "kubectl rollout"))

    cluster.kubectl(*namespace, f"{POD_SECURITY}=baseline")
    try:
        cluster.kubectl("delete", *AGENTS, "--timeout=60s")
        yield cure
    finally:
        cluster.kubectl(*namespace, f"{POD_SECURITY}=privileged")
        if not agents_run(cluster):
            cluster.kubectl("rollout", "restart", "daemonset/node-agent", "-n", SYSTEM)
        wait_until(lambda: agents_run(cluster), timeout=120, what="the agents", interval=1)


def agents_run(cluster: Cluster) -> bool:
    status = cluster.get("daemonset", "node-agent", "-n", SYSTEM).get("status", {})
    return bool(status.get("numberReady", 0) == len(cluster.nodes()))


def command_in(line: str, begins: str) -> list[str]:
    """The arguments of the line's own command, up to its comma."""
    assert line.count(begins) == 1, line
    program = begins.split()[0]
    return shlex.split(line[line.index(begins) + len(program) :].partition(",")[0].rstrip(". "))
