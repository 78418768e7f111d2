"""The control of the throughput: the registry engine as a bare process, on the node and the disk of
a LocalRegistry's volume, with its configuration."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from e2e.cluster import REGISTRIES, Cluster, Node, run_kind, wait_until

PORT, DEBUG_PORT = 15000, 15001


class Endpoint(NamedTuple):
    """Where a registry is reached, and the Host that is asked for."""

    address: str
    port: int
    host: str


def node_address(cluster: Cluster, name: str) -> str:
    addresses = cluster.get("node", name)["status"]["addresses"]
    return next(str(a["address"]) for a in addresses if a["type"] == "InternalIP")


def node_of(cluster: Cluster, name: str) -> Node:
    """The node that a LocalRegistry's pod runs on."""
    selector = f"app.kubernetes.io/instance={name}"
    (pod,) = cluster.get("pods", "-n", REGISTRIES, "-l", selector)["items"]
    return next(node for node in cluster.nodes() if node.name == pod["spec"]["nodeName"])


@contextmanager
def beside(cluster: Cluster, name: str) -> Iterator[Endpoint]:
    """Serves from a folder beside the volume of this LocalRegistry; all of it goes at the end."""
    node, child = node_of(cluster, name), f"{name}-registry"
    claim = cluster.get("pvc", child, "-n", REGISTRIES)
    volume = cluster.get("pv", claim["spec"]["volumeName"])["spec"]
    path = Path((volume.get("hostPath") or volume["local"])["path"])
    folder = path.parent / "bench-bare"
    config = yaml.safe_load(cluster.get("configmap", child, "-n", REGISTRIES)["data"]["config.yml"])
    config["storage"]["filesystem"]["rootdirectory"] = f"{folder}/data"
    config["http"] |= {"addr": f":{PORT}"}
    config["http"]["debug"]["addr"] = f":{DEBUG_PORT}"
    # What `docker cp` would copy of a link is the link.
    engine = (Path(run_kind("tools", "registry").splitlines()[-1]) / "registry").resolve()
    node.run(f"mkdir -p {folder}/data")
    try:
        devices = node.run(f"stat -c %d {path} {folder}").split()
        assert devices[0] == devices[1], f"{folder} is on another disk than {path}"
        target = f"{node.name}:{folder}/registry"
        subprocess.run(["docker", "cp", "-q", str(engine), target], check=True)
        node.run(f"printf %s {shlex.quote(yaml.safe_dump(config))} > {folder}/config.yml")
        # The shell becomes the engine, so that its pid is the engine's.
        serve = f"echo $$ > {folder}/pid; exec {folder}/registry serve {folder}/config.yml"
        script = f"export OTEL_TRACES_EXPORTER=none; {{ {serve}; }} > {folder}/log 2>&1"
        subprocess.run(["docker", "exec", "-d", node.name, "sh", "-c", script], check=True)
        port = f"{PORT:04X}"
        wait_until(
            lambda: bool(node.run(f"grep -l ':{port} .* 0A ' /proc/net/tcp*", check=False)),
            timeout=15,
            what="the bare registry to listen",
        )
        address = node_address(cluster, node.name)
        yield Endpoint(address, PORT, f"{address}:{PORT}")
    finally:
        node.run(f"kill $(cat {folder}/pid)", check=False)
        time.sleep(0.5)
        node.run(f"rm -rf {folder}")
