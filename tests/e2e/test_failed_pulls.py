"""What real kubelets over docker and containerd report of a pull that failed is understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cluster import Cluster, Node, wait_until

HOST = "dev.example.internal"
FOREIGN = "foreign-team"
# A pull fails within a second or two; words alone are written every 10 s at most.
SECONDS = 60


@pytest.fixture
def foreign(clean: Cluster) -> Iterator[Cluster]:
    """Another team's namespace."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FOREIGN}}
    clean.kubectl("apply", "-f", "-", input=body)
    yield clean
    clean.kubectl("delete", "namespace", FOREIGN, "--timeout=120s")


def pod(node: Node, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"their-{node.runtime}", "namespace": FOREIGN},
        "spec": {
            "nodeName": node.name,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": image, "imagePullPolicy": "Always"}],
        },
    }


def test_a_wrong_tag_is_told_of_both_runtimes_and_makes_no_node_unready(
    foreign: Cluster, docker_node: Node, containerd_node: Node
) -> None:
    foreign.apply_registry("dev", host=HOST)
    foreign.wait_ready("dev")

    def message() -> str:
        return str(foreign.condition("dev", "NodesReady").get("message", ""))

    assert "could not pull" not in message()
    for node in (docker_node, containerd_node):
        foreign.kubectl("apply", "-f", "-", input=pod(node, f"{HOST}/secret/no-such-image:1"))
    told = [f"{node.name}: manifest unknown" for node in (docker_node, containerd_node)]
    wait_until(
        lambda: all(words in message() for words in told),
        timeout=SECONDS,
        what="the cause on both nodes",
    )
    assert FOREIGN not in message()
    assert "secret" not in message()
    foreign.wait_ready("dev", timeout=5)
