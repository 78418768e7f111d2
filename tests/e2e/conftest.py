"""One cluster for all tests of this tier: found running or made, and kept when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e import images, install
from e2e.cluster import LREG, REGISTRIES, SYSTEM, Cluster, Node, wait_until
from e2e.demo import namespace
from e2e.images import Images


@pytest.fixture(scope="session")
def bare_cluster() -> Cluster:
    """A cluster that runs, with whatever is on it."""
    return Cluster.up()


@pytest.fixture(scope="session")
def built(bare_cluster: Cluster) -> Images:
    return images.ensure()


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster, built: Images) -> Cluster:
    """With this tree's operator installed, and no LocalRegistry."""
    bare_cluster.kubectl("apply", "-f", "-", input=namespace(REGISTRIES))
    # A run that was cut off may have left a removal half way.
    install.install(bare_cluster, built, stopped=True)
    bare_cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=60s")
    agents = ("daemonset", "node-agent", "-n", SYSTEM)
    if bare_cluster.exists(*agents):
        # Of an earlier tree: its pods go while the first test looks at the node's containers.
        wait_until(
            lambda: _image(bare_cluster.get(*agents)) == built.agent,
            timeout=60,
            what="the operator to bring its agents",
        )
        bare_cluster.kubectl("rollout", "status", *agents, "--timeout=120s")
    return bare_cluster


def _image(daemon_set: dict[str, Any]) -> str:
    (container,) = daemon_set["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    """No LocalRegistry and no pod of ours before or after; claims go too."""
    _sweep(cluster)
    yield cluster
    _sweep(cluster)


@pytest.fixture(scope="session")
def docker_node(cluster: Cluster) -> Node:
    return next(node for node in cluster.nodes() if node.runtime == "docker")


@pytest.fixture(scope="session")
def containerd_node(cluster: Cluster) -> Node:
    return next(
        node
        for node in cluster.nodes()
        if node.runtime == "containerd" and "control-plane" not in node.name
    )


def _sweep(cluster: Cluster) -> None:
    cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=60s")
    everything = ("pods", "-l", "demo", "-n", REGISTRIES)
    cluster.kubectl("delete", *everything, "--ignore-not-found", "--timeout=60s")
    # A registry's pod may take its grace period of 75 s: for a push that is under way, such as the
    # operator's own at the front door.
    cluster.kubectl("delete", "pvc", "--all", "-n", REGISTRIES, "--timeout=100s")
