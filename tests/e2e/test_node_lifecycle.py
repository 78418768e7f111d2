"""Nodes that are cordoned, tainted, drained, lost and rebooted, and whose kubelet and runtime are
restarted under load: no acknowledged push is lost, and trust stays, or is back with the node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.cluster import SYSTEM, Cluster, Node, differences, say, wait_until
from e2e.pulls import PULL, pulling
from e2e.pushes import REPOSITORY, Way, lost, push, pushing
from e2e.test_nodes import insecure

HOST, LATE_HOST = "nodes.example.internal", "late.example.internal"
NAME = "dev"
IMAGE = f"{HOST}/{REPOSITORY}:app"
TAINT = "localregistry.test/away=yes:NoExecute"
AGENT_LABEL = "app.kubernetes.io/component=node-agent"
# From the moment that the node's runtime answers again.
BACK_SECONDS = 60.0
# A runtime that was started anew has to prove itself anew.
PROOFS = "/var/lib/localregistry/proofs.json"

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def live(clean: Cluster, containerd_node: Node) -> Way:
    """The way to a registry that is Ready, on the volume of the worker with containerd."""
    place = {"kubernetes.io/hostname": containerd_node.name}
    clean.apply_registry(NAME, host=HOST, nodeSelector=place)
    clean.wait_ready(NAME)
    clean.wait_ready(NAME, condition="Exposed")
    way = ingress(clean)
    push(way, "app")
    return way


def ingress(cluster: Cluster) -> Way:
    node = next(node for node in cluster.nodes() if "control-plane" in node.name)
    addresses = cluster.get("node", node.name)["status"]["addresses"]
    address = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    return Way(str(address), 80, HOST)


def agent(cluster: Cluster, node: Node) -> tuple[str, int]:
    """UID and restarts of the agent's pod on this node."""
    found = cluster.get("pods", "-n", SYSTEM, "-l", AGENT_LABEL)["items"]
    (pod,) = [pod for pod in found if pod["spec"].get("nodeName") == node.name]
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def condition(cluster: Cluster, which: str) -> dict[str, Any]:
    return cluster.condition(NAME, which)


def summary(cluster: Cluster, name: str = NAME) -> str:
    return str(cluster.status(name).get("nodes", {}).get("summary"))


def pulls(node: Node, reference: str = IMAGE) -> bool:
    """By the node's runtime and the files that the agent writes."""
    command = PULL[node.runtime].format(reference=reference)
    return "pulled" in node.run(f"{command} >/dev/null 2>&1 && echo pulled || true")


def is_ready(cluster: Cluster, node: Node) -> bool:
    conditions = cluster.get("node", node.name)["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


@contextmanager
def drained(cluster: Cluster, node: Node) -> Iterator[None]:
    how = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s")
    try:
        cluster.kubectl("drain", node.name, *how)
        yield
    finally:
        cluster.kubectl("uncordon", node.name)


@pytest.mark.long
def test_a_node_that_is_cordoned_tainted_and_drained_goes_on_pulling(
    clean: Cluster, live: Way, docker_node: Node
) -> None:
    before = agent(clean, docker_node)
    clean.kubectl("taint", "node", docker_node.name, TAINT, "--overwrite")
    try:
        with drained(clean, docker_node):
            clean.apply_registry("late", host=LATE_HOST)
            clean.wait_ready("late")
            assert summary(clean, "late") == "3/3"
            assert {HOST, LATE_HOST} <= insecure(docker_node)
            assert [node.name for node in clean.nodes() if not pulls(node)] == []
            clean.wait_ready(NAME)
            assert summary(clean) == "3/3"
    finally:
        clean.kubectl("taint", "node", docker_node.name, f"{TAINT}-")
    assert agent(clean, docker_node) == before, "the agent tolerates everything"


@pytest.mark.long
def test_a_drain_of_the_registrys_own_node_is_told_and_loses_no_push(
    clean: Cluster, live: Way, containerd_node: Node
) -> None:
    files = clean.files()
    with pushing(live) as pushes:
        wait_until(lambda: len(pushes.acknowledged) > 5, timeout=30, what="pushes before")
        with drained(clean, containerd_node):
            wait_until(
                lambda: "unschedulable" in condition(clean, "RegistryAvailable")["message"],
                timeout=60,
                what="the cause",
            )
            assert condition(clean, "Ready")["status"] == "False"
            assert condition(clean, "NodesReady")["status"] == "True"
            assert differences(files, clean.files()) == [], "trust stays"
            count = len(pushes.acknowledged)
        clean.wait_ready(NAME, timeout=60)
        wait_until(lambda: len(pushes.acknowledged) > count, timeout=30, what="pushes after")
    say(f"{len(pushes.acknowledged)} pushes acknowledged, {len(pushes.failed)} refused")
    assert lost(live, pushes) == []
    assert pulls(containerd_node)


@pytest.mark.long
def test_kubelets_and_runtimes_restarted_under_load_lose_no_push_and_no_trust(
    clean: Cluster, live: Way, docker_node: Node, containerd_node: Node
) -> None:
    nodes, files = clean.nodes(), clean.files()
    control_plane = next(node for node in nodes if "control-plane" in node.name)
    with pushing(live) as pushes, pulling([control_plane], IMAGE) as elsewhere:
        wait_until(lambda: len(pushes.acknowledged) > 5, timeout=30, what="pushes before")
        for node, unit in (
            *((node, "kubelet") for node in nodes),
            (containerd_node, "containerd"),
            (docker_node, "docker"),
        ):
            node.run(f"systemctl restart {unit}")
            seconds = wait_until(
                lambda node=node: pulls(node),  # type: ignore[misc]
                timeout=BACK_SECONDS,
                what=f"a pull on {node.name} after a restart of {unit}",
            )
            say(f"{unit} of {node.name}: a pull after {seconds:.1f} s")
            time.sleep(3)
        assert HOST in insecure(docker_node)
        for node in nodes:
            clean.kubectl("wait", "--for=condition=Ready", f"node/{node.name}", "--timeout=60s")
        clean.wait_ready(NAME, timeout=120)
        count = len(pushes.acknowledged)
        wait_until(lambda: len(pushes.acknowledged) > count, timeout=30, what="pushes after")
    say(f"{len(pushes.acknowledged)} pushes acknowledged, {len(pushes.failed)} refused")
    assert lost(live, pushes) == []
    assert elsewhere.failed == []
    assert elsewhere.fewest > 5
    changed = differences(files, clean.files())
    assert [line for line in changed if PROOFS not in line] == []
    wait_until(lambda: summary(clean) == "3/3", timeout=60, what="all nodes proved anew")


@pytest.mark.long
def test_a_node_that_is_not_ready_is_not_counted_and_catches_up_when_it_is_back(
    clean: Cluster, live: Way, docker_node: Node
) -> None:
    docker_node.run("systemctl stop kubelet")
    try:
        # Kubernetes itself takes up to 50 s until it calls a node not Ready.
        wait_until(lambda: not is_ready(clean, docker_node), timeout=90, what="the lost node")
        wait_until(lambda: summary(clean) == "2/2", timeout=30, what="the nodes that count")
        assert pulls(docker_node), "what it was told it keeps"
        clean.apply_registry(
            "late",
            host=LATE_HOST,
            nodeSelector={"kubernetes.io/os": "linux"},
            storage={"ephemeral": True},
        )
        clean.wait_ready("late")
        assert summary(clean, "late") == "2/2"
        assert LATE_HOST not in insecure(docker_node), "nobody can tell it"
    finally:
        docker_node.run("systemctl start kubelet")
        clean.kubectl("wait", "--for=condition=Ready", f"node/{docker_node.name}", "--timeout=120s")
    seconds = wait_until(
        lambda: summary(clean, "late") == summary(clean) == "3/3",
        timeout=BACK_SECONDS,
        what="the node to catch up",
    )
    say(f"caught up {seconds:.1f} s after it was Ready again")
    assert LATE_HOST in insecure(docker_node)


@pytest.mark.long
@pytest.mark.parametrize("runtime", ["docker", "containerd"])
def test_a_node_that_was_rebooted_has_its_trust_back(
    clean: Cluster, live: Way, docker_node: Node, containerd_node: Node, runtime: str
) -> None:
    """The node's container is restarted: the engine writes its /etc/hosts anew, without ours."""
    node = docker_node if runtime == "docker" else containerd_node
    with pushing(live) as pushes:
        wait_until(lambda: len(pushes.acknowledged) > 5, timeout=30, what="pushes before")
        files = node.files()
        node.reboot()
        seconds = wait_until(
            lambda: pulls(node), timeout=3 * BACK_SECONDS, what="a pull on the node", interval=1
        )
        say(f"{node.name}: a pull {seconds:.0f} s after the reboot")
        clean.kubectl("wait", "--for=condition=Ready", f"node/{node.name}", "--timeout=120s")
        clean.wait_ready(NAME, timeout=120)
        wait_until(lambda: summary(clean) == "3/3", timeout=60, what="all nodes")
        # The pod of a rebooted registry counts as ready until the kubelet has looked.
        count = len(pushes.acknowledged)
        wait_until(lambda: len(pushes.acknowledged) > count, timeout=60, what="pushes after")
    say(f"{len(pushes.acknowledged)} pushes acknowledged, {len(pushes.failed)} refused")
    assert lost(live, pushes) == []
    assert node.files().keys() == files.keys()
    assert [one.name for one in clean.nodes() if not pulls(one)] == []
