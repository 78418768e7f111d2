"""Pushes and pulls through the Ingress and the Service, beside a bare registry process.

P9, on the tests' kind cluster. The bare process runs on the registry's node, on the disk of its
volume, with its configuration; the client is a pod in the network of another node. The three ways
take turns, each time in another order. A large push through the Ingress shows what its controller
keeps on disk meanwhile; the control of that is an Ingress that buffers, as they do by default.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e.cluster import REGISTRIES, SYSTEM, Cluster, Node, say

from . import blobs, tempfiles
from .bare_registry import Endpoint, beside, node_address, node_of
from .figures import Figure, median, spread
from .machine import of_cluster
from .plan import Size
from .stage import HOST, NAME, Stage

BARE, SERVICE, INGRESS = "bare process", "Service", "Ingress"
SHARES = {INGRESS: 0.85, SERVICE: 0.95}
PYTHON = "/opt/localregistry/bin/python3"
CLIENT = "bench-client"
BUFFERING, BUFFERING_HOST = "bench-buffering", "buffering.example.internal"

Rates = dict[tuple[str, str], list[float]]


def measure(_: frozenset[str], size: Size) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    stage = Stage.build()
    cluster = stage.cluster
    try:
        cluster.wait_ready(NAME, condition="Exposed")
        with client(stage) as pod, beside(cluster, NAME) as bare:
            ways = {BARE: bare, SERVICE: _service(cluster), INGRESS: _ingress(cluster, HOST)}
            rates = by_turns(pod, node_of(cluster, NAME), ways, size)
            figures = of_rates(rates, size)
            figures += kept_by_the_ingress(cluster, pod, size.large_mib)
        versions = of_cluster(cluster)
    finally:
        stage.close()
    return {"P9": figures}, versions


class Client:
    """Runs blobs.py in its pod."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._program = Path(blobs.__file__).read_text(encoding="utf-8")

    def push(self, way: Endpoint, mib: int) -> dict[str, Any]:
        return self._run("push", way, str(mib))

    def pull(self, way: Endpoint, digest: str) -> dict[str, Any]:
        return self._run("pull", way, digest)

    def _run(self, what: str, way: Endpoint, last: str) -> dict[str, Any]:
        done = self._cluster.kubectl(
            *("exec", CLIENT, "-n", SYSTEM, "--", PYTHON, "-c", self._program),
            *(what, way.address, str(way.port), way.host, last),
            timeout=600,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def client(stage: Stage) -> Iterator[Client]:
    """In the network of a node that is not the registry's, as a node's runtime is. One with
    containerd: `kubectl exec` does not reach into pods of this cluster's Docker node."""
    cluster = stage.cluster
    busy = node_of(cluster, NAME).name
    node = next(n for n in cluster.nodes() if n.name != busy and n.runtime == "containerd")
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT, "namespace": SYSTEM},
        "spec": {
            "nodeName": node.name,
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "client",
                    "image": stage.images.operator,
                    "command": [PYTHON, "-c", "import time; time.sleep(86400)"],
                }
            ],
        },
    }
    cluster.kubectl("delete", "pod", CLIENT, "-n", SYSTEM, "--ignore-not-found")
    cluster.kubectl("apply", "-f", "-", input=body)
    try:
        ready = ("wait", "--for=condition=Ready", f"pod/{CLIENT}", "-n", SYSTEM, "--timeout=60s")
        cluster.kubectl(*ready)
        yield Client(cluster)
    finally:
        cluster.kubectl("delete", "pod", CLIENT, "-n", SYSTEM, "--ignore-not-found")


def by_turns(pod: Client, node: Node, ways: dict[str, Endpoint], size: Size) -> Rates:
    """MB/s by what was done and the way."""
    rates: Rates = defaultdict(list)
    for turn in range(size.repeats):
        names = list(ways)
        # Each way is first, second and last about as often.
        names = names[turn % len(names) :] + names[: turn % len(names)]
        for name in names:
            # What earlier turns have left to be written is not this one's.
            node.run("sync")
            pushed = pod.push(ways[name], size.layer_mib)
            pulled = pod.pull(ways[name], pushed["digest"])
            for what, done in (("push", pushed), ("pull", pulled)):
                rates[what, name].append(done["bytes"] / 1e6 / done["seconds"])
            last = ", ".join(f"{what} {rates[what, name][-1]:.0f}" for what in ("push", "pull"))
            say(f"  {turn + 1}/{size.repeats} {name}: {last} MB/s")
    return rates


def of_rates(rates: Rates, size: Size) -> list[Figure]:
    found = []
    for what in ("push", "pull"):
        bare = rates[what, BARE]
        least, greatest = spread(bare)
        for name, share in SHARES.items():
            values = rates[what, name]
            found.append(
                Figure(
                    *(f"{what} through the {name}", median(values), "MB/s", share),
                    f"medians of {len(values)} layers of {size.layer_mib} MiB; the bare process "
                    f"{least:.0f} to {greatest:.0f} MB/s",
                    control=median(bare),
                    by_ratio=True,
                    least=True,
                    spread=spread(values),
                )
            )
    return found


def kept_by_the_ingress(cluster: Cluster, pod: Client, mib: int) -> list[Figure]:
    """Bytes of temporary files while and after so much is pushed."""
    node = next(node for node in cluster.nodes() if "control-plane" in node.name)
    with tempfiles.Watched(node) as ours:
        pod.push(_ingress(cluster, HOST), mib)
    with buffering(cluster) as way, tempfiles.Watched(node) as theirs:
        pod.push(way, mib)
    seen = theirs.most.total - theirs.before.total
    if seen < mib * blobs.MIB / 4:
        raise RuntimeError(
            f"an Ingress that buffers kept {seen} bytes of {mib} MiB: the measurement is blind"
        )
    detail = f"{ours.samples} looks; the control is an Ingress that buffers requests"
    return [
        Figure(
            *(f"temporary files of the controller while {mib} MiB are pushed, most",),
            (ours.most.total - ours.before.total) / 1e6,
            "MB",
            detail=detail,
            control=seen / 1e6,
        ),
        Figure(
            f"temporary bytes that {mib} MiB leave in the controller",
            max(0, ours.after.total - ours.before.total),
            *("B", 0),
        ),
    ]


@contextmanager
def buffering(cluster: Cluster) -> Iterator[Endpoint]:
    """An Ingress to the same Service with nginx's own way with bodies."""
    prefix = "nginx.ingress.kubernetes.io"
    service = {"name": f"{NAME}-registry", "port": {"name": "http"}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": BUFFERING,
            "namespace": REGISTRIES,
            "annotations": {
                f"{prefix}/proxy-body-size": "0",
                f"{prefix}/ssl-redirect": "false",
                f"{prefix}/proxy-request-buffering": "on",
            },
        },
        "spec": {"rules": [{"host": BUFFERING_HOST, "http": {"paths": [path]}}]},
    }
    cluster.kubectl("apply", "-f", "-", input=body)
    try:
        cluster.kubectl(
            *("wait", "--for=jsonpath={.status.loadBalancer.ingress}", f"ingress/{BUFFERING}"),
            *("-n", REGISTRIES, "--timeout=90s"),
        )
        # The status is a little ahead of nginx's workers at times.
        time.sleep(2)
        yield _ingress(cluster, BUFFERING_HOST)
    finally:
        cluster.kubectl("delete", "ingress", BUFFERING, "-n", REGISTRIES, "--ignore-not-found")


def _service(cluster: Cluster) -> Endpoint:
    address = cluster.get("service", f"{NAME}-registry", "-n", REGISTRIES)["spec"]["clusterIP"]
    return Endpoint(str(address), 80, HOST)


def _ingress(cluster: Cluster, host: str) -> Endpoint:
    """Where the controller has its host ports."""
    node = next(node for node in cluster.nodes() if "control-plane" in node.name)
    return Endpoint(node_address(cluster, node.name), 80, host)
