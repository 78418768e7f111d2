"""`spec.service` at a real API server, which gives node ports away and refuses those it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.apiserver import ApiServer
from api.lab import PATIENCE, Lab, open_lab
from api.processes import wait_until

CHILD = "dev-registry"
NODE_PORT = 30500


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for lab in open_lab(api, namespace):
        lab.start_operator()
        yield lab


def ports(lab: Lab, name: str = CHILD) -> dict[int, int]:
    """Of each port of the Service the node port, 0 for none."""
    found = lab.get("service", name)["spec"]["ports"]
    return {port["port"]: port.get("nodePort", 0) for port in found}


def test_the_node_port_moves_with_the_port_and_goes_with_the_type(lab: Lab) -> None:
    lab.apply("dev", service={"type": "NodePort", "nodePort": NODE_PORT})
    wait_until(lambda: lab.exists("service", CHILD), timeout=PATIENCE, what="the Service")
    first = ports(lab)
    assert first[80] == NODE_PORT
    assert all(first.values()), "of the others the cluster chooses"
    uid = lab.get("service", CHILD)["metadata"]["uid"]

    lab.apply("dev", service={"type": "LoadBalancer", "port": 5000, "nodePort": NODE_PORT})
    wait_until(lambda: ports(lab).get(5000) == NODE_PORT, timeout=PATIENCE, what="the port")
    moved = ports(lab)
    assert moved[443] == first[443], "what nobody asked to change stays"
    assert moved[80] not in (0, NODE_PORT)

    lab.apply("dev", service={"type": "ClusterIP"})
    alone = dict.fromkeys((80, 443, 9810, 9811), 0)
    wait_until(lambda: ports(lab) == alone, timeout=PATIENCE, what="the cluster IP")
    assert lab.get("service", CHILD)["metadata"]["uid"] == uid


@pytest.mark.parametrize(
    ("asked", "words", "free"),
    [
        pytest.param(30601, "provided port is already allocated", 30602, id="taken"),
        pytest.param(80, "provided port is not in the valid range", 30603, id="out of range"),
    ],
)
def test_a_node_port_that_the_cluster_refuses_is_told_and_mends_itself(
    lab: Lab, asked: int, words: str, free: int
) -> None:
    taken = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "other", "namespace": lab.namespace},
        "spec": {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30601}]},
    }
    if asked == 30601:
        lab.api.kubectl("create", "-f", "-", input=taken)
    lab.apply("dev")
    lab.bring_up("dev")
    before = ports(lab)
    lab.apply("dev", service={"type": "NodePort", "nodePort": asked})
    found = lab.wait_for("dev", "RegistryAvailable", "ApplyFailed", status="False")
    assert words in found["message"]
    assert str(asked) in found["message"]
    assert ports(lab) == before, "what serves goes on serving"

    lab.apply("dev", service={"type": "NodePort", "nodePort": free})
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable", status="True")
    assert ports(lab)[80] == free
