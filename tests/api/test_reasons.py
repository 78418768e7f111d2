"""Reasons that the page of troubles explains and no other test of this tier brings about: each by
the state that a cluster would write, with the words that its user reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api import objects
from api.apiserver import ApiServer
from api.lab import PATHS, Lab, open_lab

pytestmark = pytest.mark.ux

CHILD = "dev-registry"
EPHEMERAL = {"ephemeral": True}


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        yield opened


def test_what_is_not_there_yet_is_waited_for(lab: Lab) -> None:
    lab.apply("dev")
    found = lab.wait_for("dev", "StorageReady", "ClaimPending", status="Unknown")
    assert f"PersistentVolumeClaim {CHILD} waits for a volume" in found["message"]
    found = lab.wait_for("dev", "RegistryAvailable", "DeploymentProgressing", status="Unknown")
    assert "The registry's pod is starting" in found["message"]
    found = lab.wait_for("dev", "Exposed", "IngressPending", status="Unknown")
    assert found["message"] == "The Ingress waits for its controller"
    found = lab.wait_for("dev", "NodesReady", "WaitingForRegistry", status="Unknown")
    assert found["message"] == "Nodes are configured as soon as the registry answers"
    assert lab.condition("dev")["status"] == "Unknown"


def test_a_claim_that_loses_its_volume_or_goes_is_told_while_it_is_there(lab: Lab) -> None:
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    lab.patch_status("pvc", CHILD, {"phase": "Lost"})
    found = lab.wait_for("dev", "StorageReady", "ClaimLost", status="False")
    assert f"{CHILD} has lost its volume" in found["message"]
    lab.patch_status("pvc", CHILD, {"phase": "Bound"})
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    lab.delete("pvc", CHILD, wait=False)
    found = lab.wait_for("dev", "StorageReady", "ClaimTerminating", status="False")
    assert f"{CHILD} is being deleted" in found["message"]
    assert lab.condition("dev")["status"] == "False"
    path = f"{PATHS['pvc']}/{CHILD}".format(namespace=lab.namespace)
    objects.patch(lab.api, path, {"metadata": {"finalizers": None}})


def test_a_pod_that_is_not_ready_any_more_is_told(lab: Lab) -> None:
    lab.apply("dev", storage=EPHEMERAL)
    lab.bring_up("dev")
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable")
    lab.patch_status("deployment", CHILD, {"availableReplicas": 0, "readyReplicas": 0})
    found = lab.wait_for("dev", "RegistryAvailable", "DeploymentUnavailable", status="False")
    assert "The registry's pod is not ready" in found["message"]


def test_nodes_that_are_not_ready_are_none_and_those_that_are_silent_are_waited_for(
    lab: Lab,
) -> None:
    node = lab.add_node("node-1", ready=False)
    node.silent = True
    lab.apply("dev", storage=EPHEMERAL)
    lab.bring_up("dev")
    found = lab.wait_for("dev", "NodesReady", "NoEligibleNodes", status="Unknown")
    assert found["message"] == "No Linux node is Ready: nothing can pull"
    node.set_ready(True)
    found = lab.wait_for("dev", "NodesReady", "NodesPending", status="Unknown")
    assert found["message"] == "0/1 nodes can pull; waiting for node-1"
    node.silent = False
    lab.wait_for("dev", "NodesReady", "NodesConfigured", status="True")


def test_a_registry_that_takes_no_push_is_told(lab: Lab) -> None:
    """By the cluster its pod is available, and behind its address there is nobody."""
    lab.apply("dev", storage=EPHEMERAL)
    lab.wait_for_children("dev")
    lab.mark_available(CHILD)
    found = lab.wait_for("dev", "NodesReady", "ProbePushFailed", status="False")
    assert "The probe image could not be pushed: " in found["message"]
    lab.bring_up("dev")
    lab.wait_for("dev", "NodesReady", "NoEligibleNodes")
