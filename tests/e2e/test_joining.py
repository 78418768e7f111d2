"""A machine that was not there when the registry was made joins, and runs an image of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from e2e import demo
from e2e.cluster import REGISTRIES, SYSTEM, Cluster, Node, say, wait_until
from e2e.images import Images
from e2e.test_node_lifecycle import AGENT_LABEL, pulls, summary
from e2e.test_nodes import insecure

HOST, NAME = "joins.example.internal", "dev"
IMAGE = f"{HOST}/app:1"
# From the agent's start on it to the node's trust.
TRUST_SECONDS = 30.0
# What the cluster left on it, as far as it is ours or would outlive a new installation.
FORGET = """
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null
rm -rf /var/lib/localregistry /run/localregistry /etc/cni/net.d/10-pods.conflist
"""

pytestmark = [pytest.mark.long, pytest.mark.lifecycle]


@pytest.fixture
def newcomer(clean: Cluster, docker_node: Node) -> Iterator[Node]:
    """A worker that the cluster does not know, and that has never heard of a registry. When its
    kubelet is started it joins, with the credential that it has from its first time."""
    docker_node.run("systemctl stop kubelet")
    try:
        clean.kubectl("delete", "node", docker_node.name, "--timeout=60s")
        docker_node.run(FORGET)
        yield docker_node
    finally:
        docker_node.run("systemctl start kubelet")
        wait_until(lambda: is_there(clean, docker_node), timeout=60, what="the node to join")
        clean.kubectl("wait", "--for=condition=Ready", f"node/{docker_node.name}", "--timeout=90s")


def is_there(cluster: Cluster, node: Node) -> bool:
    return cluster.exists("node", node.name)


def agent_started(cluster: Cluster, node: Node) -> float | None:
    """When the process of the agent on this node began, in seconds since 1970, if it has."""
    for pod in cluster.get("pods", "-n", SYSTEM, "-l", AGENT_LABEL)["items"]:
        for status in pod["status"].get("containerStatuses", []):
            running = status["state"].get("running")
            if running and pod["spec"].get("nodeName") == node.name:
                return datetime.fromisoformat(running["startedAt"]).timestamp()
    return None


def test_a_node_that_joins_runs_a_pod_of_the_registry_without_a_hand_on_it(
    newcomer: Node, clean: Cluster, built: Images, containerd_node: Node
) -> None:
    place = {"kubernetes.io/hostname": containerd_node.name}
    clean.apply_registry(NAME, host=HOST, nodeSelector=place)
    clean.wait_ready(NAME)
    clean.wait_ready(NAME, condition="Exposed")
    demo.push(built.app, IMAGE, host=HOST)
    assert summary(clean) == "2/2"
    assert not pulls(newcomer, IMAGE)

    newcomer.run("systemctl start kubelet")
    began = time.monotonic()
    wait_until(lambda: is_there(clean, newcomer), timeout=60, what="the node to join")
    # Bound to it before it is Ready: its image is asked for as soon as any.
    clean.kubectl("create", "-f", "-", input=demo.pod(newcomer, IMAGE))
    name = f"app-{newcomer.name}"
    wait_until(lambda: agent_started(clean, newcomer) is not None, timeout=90, what="the agent")
    wait_until(lambda: HOST in insecure(newcomer), timeout=TRUST_SECONDS, what="the trust")
    started = agent_started(clean, newcomer)
    assert started is not None
    trusted = time.time() - started
    say(f"trusted {trusted:.0f} s after the agent's start")
    assert trusted <= TRUST_SECONDS
    wait_until(lambda: summary(clean) == "3/3", timeout=60, what="the node to be counted")
    clean.kubectl(
        *("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{name}"),
        *("-n", REGISTRIES, "--timeout=120s"),
    )
    say(f"a pod runs {time.monotonic() - began:.0f} s after the kubelet's start")
    assert clean.condition(NAME, "Ready")["status"] == "True"
