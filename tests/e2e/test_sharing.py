"""A registry shared by address and port: pushed from outside, pulled by both runtimes."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Iterator

import pytest

from e2e import demo, install
from e2e.cluster import LREG, REGISTRIES, Cluster, Node, differences, wait_until
from e2e.images import Images
from e2e.pulls import PULL
from e2e.test_nodes import insecure
from kind.settings import NETWORK

HOST = "shared.example.internal"
NODE_PORT, BALANCED_PORT = 30500, 5000

pytestmark = pytest.mark.lifecycle


@pytest.fixture(scope="module")
def network() -> ipaddress.IPv4Network:
    """Of the nodes, and of the machines beside them."""
    command = ("docker", "network", "inspect", NETWORK)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    subnets = [entry["Subnet"] for entry in json.loads(done.stdout)[0]["IPAM"]["Config"]]
    return ipaddress.IPv4Network(next(subnet for subnet in subnets if "." in subnet))


@pytest.fixture(scope="module")
def granted(
    cluster: Cluster, built: Images, network: ipaddress.IPv4Network
) -> Iterator[ipaddress.IPv4Network]:
    """Addresses of this network may be declared, beside every name."""
    rule = ("hostPolicy[0].namespaces[0]=*", "hostPolicy[0].hosts[0]=*")
    install.install(cluster, built, *rule, f"hostPolicy[0].hosts[1]={network}")
    yield network
    install.install(cluster, built)


@pytest.fixture
def balanced(granted: ipaddress.IPv4Network, cluster: Cluster) -> Iterator[str]:
    """An address that leads to the cluster, as that of a load balancer: a node answers for it."""
    address = str(granted.broadcast_address - 55)
    node = next(node for node in cluster.nodes() if "control-plane" in node.name)
    node.run(f"ip address add {address}/32 dev eth0")
    yield address
    node.run(f"ip address del {address}/32 dev eth0")


def share(cluster: Cluster, alias: str, **service: object) -> None:
    """Applies the registry, once the policy of a moment ago is the one that admission asks."""

    def taken() -> bool:
        try:
            cluster.apply_registry("dev", host=HOST, aliases=[alias], service=service)
        except AssertionError as refusal:
            if "hostPolicy" not in str(refusal):
                raise
            return False
        return True

    wait_until(taken, timeout=20, what="the grant")


def pushed_and_pulled(
    cluster: Cluster, built: Images, name: str, docker: Node, containerd: Node
) -> None:
    """By a client outside, by pods on every node, and from the one runtime to the other."""
    demo.push(built.app, f"{name}/app:1", host=HOST)
    demo.run_on_every_node(cluster, f"{name}/app:1")
    assert name in insecure(docker)
    assert containerd.read(f"/etc/containerd/certs.d/{name}/hosts.toml")
    docker.run(f"docker tag {name}/app:1 {name}/again:1 && docker push -q {name}/again:1")
    containerd.run(PULL["containerd"].format(reference=f"{name}/again:1"))
    cluster.kubectl("delete", "pods", "-l", "demo", "-n", REGISTRIES, "--timeout=60s")


def test_by_a_node_port_of_ones_own(
    clean: Cluster,
    built: Images,
    granted: ipaddress.IPv4Network,
    docker_node: Node,
    containerd_node: Node,
) -> None:
    before = clean.files()
    addresses = clean.get("node", containerd_node.name)["status"]["addresses"]
    name = f"{next(a['address'] for a in addresses if a['type'] == 'InternalIP')}:{NODE_PORT}"
    share(clean, name, type="NodePort", nodePort=NODE_PORT)
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"]["summary"] == "3/3"
    pushed_and_pulled(clean, built, name, docker_node, containerd_node)
    clean.kubectl("delete", LREG, "dev", "-n", REGISTRIES, "--timeout=30s")
    assert differences(before, clean.files()) == []
    assert name not in insecure(docker_node)


@pytest.mark.long
def test_by_the_address_and_the_port_of_a_load_balancer(
    clean: Cluster, built: Images, balanced: str, docker_node: Node, containerd_node: Node
) -> None:
    name = f"{balanced}:{BALANCED_PORT}"
    share(clean, name, type="LoadBalancer", port=BALANCED_PORT)
    clean.wait_ready("dev")
    service = ("service", "dev-registry", "-n", REGISTRIES)
    # The cloud's part, and what the operator's next applies must leave alone.
    given = {"loadBalancer": {"ingress": [{"ip": balanced}]}}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": given}))
    clean.kubectl("patch", *service, *patch)
    pushed_and_pulled(clean, built, name, docker_node, containerd_node)
    found = clean.get(*service)["status"]["loadBalancer"]["ingress"]
    assert [entry["ip"] for entry in found] == [balanced]
