"""Why a registry does not come up: Events as Kubernetes' own parts write them, read by the operator
under its own rights."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from api.processes import wait_until

pytestmark = pytest.mark.ux

CHILD = "dev-registry"
SET = f"{CHILD}-7d9c5b8f4"
POD = f"{SET}-x2x4z"
# The bar, of a cause that is there from the start.
SECONDS = 30

_number = itertools.count(1)


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        yield opened


def kubelet(lab: Lab, reason: str, note: str, *, normal: bool = False, **regarding: Any) -> None:
    """An Event of the kubelet's or a volume controller's, which write core/v1."""
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    who = {"kind": "Pod", "namespace": lab.namespace, "name": POD, **regarding}
    _post(
        lab,
        "/api/v1",
        {
            "involvedObject": who,
            "message": note,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": "kubelet"},
            "reason": reason,
            "type": "Normal" if normal else "Warning",
        },
    )


def scheduler(lab: Lab, reason: str, note: str, kind: str = "Warning", pod: str = POD) -> None:
    """An Event of the scheduler's, which writes events.k8s.io/v1."""
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    _post(
        lab,
        "/apis/events.k8s.io/v1",
        {
            "regarding": {"kind": "Pod", "namespace": lab.namespace, "name": pod},
            "note": note,
            "eventTime": now,
            "reportingController": "default-scheduler",
            "reportingInstance": "scheduler-0",
            "action": "Scheduling",
            "reason": reason,
            "type": kind,
        },
    )


def _post(lab: Lab, root: str, event: dict[str, Any]) -> None:
    meta = {"name": f"event-{next(_number)}", "namespace": lab.namespace}
    path = f"{root}/namespaces/{lab.namespace}/events"
    status, answer = lab.api.request("POST", path, {"metadata": meta, **event})
    assert status == 201, answer


def rolls_out(lab: Lab) -> None:
    """As the Deployment's controller says of a pod that it has made."""
    wait_until(lambda: lab.exists("deployment", CHILD), timeout=15, what="the Deployment")
    generation = lab.get("deployment", CHILD)["metadata"]["generation"]
    progress = {
        "type": "Progressing",
        "status": "True",
        "reason": "ReplicaSetUpdated",
        "message": f'ReplicaSet "{SET}" is progressing.',
    }
    status = {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1}
    lab.patch_status("deployment", CHILD, {**status, "conditions": [progress]})


def test_a_pod_tells_each_thing_that_is_in_its_way_and_then_none(lab: Lab) -> None:
    lab.apply("dev", storage={"ephemeral": True})
    rolls_out(lab)
    scheduler(lab, "FailedScheduling", "not of this registry", pod="web-1")
    scheduler(lab, "FailedScheduling", "0/3 nodes are available: 3 Insufficient memory.")
    found = lab.wait_for("dev", "Ready", "PodUnschedulable", status="False", timeout=SECONDS)
    assert "0/3 nodes are available: 3 Insufficient memory." in found["message"]
    scheduler(lab, "Scheduled", "Successfully assigned", kind="Normal")
    kubelet(lab, "FailedMount", 'MountVolume.SetUp failed for volume "data": exit status 32')
    found = lab.wait_for("dev", "RegistryAvailable", "VolumeNotMounted", timeout=SECONDS)
    assert "exit status 32" in found["message"]
    # A later second, by which the kubelet dates.
    time.sleep(1.1)
    container: dict[str, Any] = {"fieldPath": "spec.containers{registry}"}
    kubelet(lab, "Pulling", "Pulling image", normal=True, **container)
    kubelet(lab, "Failed", 'Failed to pull image "x": not found', **container)
    kubelet(lab, "Failed", "Error: ErrImagePull", **container)
    found = lab.wait_for("dev", "RegistryAvailable", "ImagePullFailed", timeout=SECONDS)
    assert 'Failed to pull image "x": not found' in found["message"]
    kubelet(lab, "Pulled", "Successfully pulled", normal=True, **container)
    kubelet(lab, "BackOff", "Back-off restarting failed container registry", **container)
    found = lab.wait_for("dev", "RegistryAvailable", "PodCrashing", timeout=SECONDS)
    assert "Back-off restarting failed container registry" in found["message"]
    lab.mark_available(CHILD)
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable", status="True")


def test_events_are_read_while_something_is_wrong_and_not_before_or_after(lab: Lab) -> None:
    started = time.monotonic()
    lab.apply("dev", storage={"ephemeral": True})
    rolls_out(lab)
    lab.mark_available(CHILD)
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable")
    time.sleep(7)
    assert _lists(lab, started) == []
    lab.patch_status("deployment", CHILD, {"availableReplicas": 0})
    wait_until(lambda: len(_lists(lab, started)) == 1, timeout=15, what="a look at the Events")
    [asked] = _lists(lab, started)
    assert f"/namespaces/{lab.namespace}/events?" in asked
    assert "regarding.kind%3DPod" in asked
    assert "watch" not in asked
    lab.mark_available(CHILD)
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable")
    time.sleep(17)
    assert len(_lists(lab, started)) == 1


def test_while_something_is_wrong_events_are_read_after_news_and_else_left_alone(lab: Lab) -> None:
    lab.apply("dev", storage={"ephemeral": True})
    rolls_out(lab)
    scheduler(lab, "FailedScheduling", "0/3 nodes are available: 3 Insufficient memory.")
    lab.wait_for("dev", "Ready", "PodUnschedulable", status="False", timeout=SECONDS)
    # The watch begins with what is there already, which is read once more.
    time.sleep(5)
    since = time.monotonic()
    scheduler(lab, "FailedScheduling", "of somebody else's pod", pod="web-1")
    time.sleep(35)
    assert _lists(lab, since) == []
    assert lab.condition("dev")["reason"] == "PodUnschedulable"
    scheduler(lab, "Scheduled", "Successfully assigned", kind="Normal")
    kubelet(lab, "FailedMount", 'MountVolume.SetUp failed for volume "data": exit status 32')
    lab.wait_for("dev", "RegistryAvailable", "VolumeNotMounted", timeout=10)
    assert 1 <= len(_lists(lab, since)) <= 2


def _lists(lab: Lab, since: float) -> list[str]:
    return [
        event["requestURI"]
        for event in lab.requests(since)
        if event["verb"] == "list" and event["objectRef"]["resource"] == "events"
    ]


def test_a_claim_without_a_volume_tells_what_its_provisioner_says(lab: Lab) -> None:
    lab.apply("dev", storage={"size": "1Gi", "storageClassName": "nope"})
    wait_until(lambda: lab.exists("pvc", CHILD), timeout=15, what="the claim")
    uid = lab.get("pvc", CHILD)["metadata"]["uid"]
    claim = {"kind": "PersistentVolumeClaim", "name": CHILD, "uid": uid}
    note = 'storageclass.storage.k8s.io "nope" not found'
    kubelet(lab, "ProvisioningFailed", note, **claim)
    found = lab.wait_for("dev", "Ready", "ProvisioningFailed", status="False", timeout=SECONDS)
    assert note in found["message"]
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    lab.patch_status("pvc", CHILD, status)
    lab.wait_for("dev", "StorageReady", "ClaimBound", status="True")


def test_a_pod_that_a_quota_refuses_is_told_in_its_words(lab: Lab) -> None:
    lab.apply("dev", storage={"ephemeral": True})
    wait_until(lambda: lab.exists("deployment", CHILD), timeout=15, what="the Deployment")
    words = f'pods "{POD}" is forbidden: exceeded quota: tight, requested: pods=1'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    status = {"observedGeneration": 1, "conditions": [{**failure, "message": words}]}
    lab.patch_status("deployment", CHILD, status)
    found = lab.wait_for("dev", "Ready", "PodRefused", status="False")
    assert words in found["message"]


def test_a_registry_whose_node_is_lost_names_the_node_until_it_is_back(lab: Lab) -> None:
    """As the scheduler notes it on a claim of a local class, and the node's watch tells it."""
    node = lab.add_node("node-lost")
    lab.apply("dev")
    lab.bring_up("dev")
    note = "volume.kubernetes.io/selected-node=node-lost"
    lab.api.kubectl("annotate", "pvc", CHILD, note, "-n", lab.namespace)
    lab.wait_for("dev", "Ready", "Ready", timeout=SECONDS)
    node.set_ready(False)
    lab.patch_status("deployment", CHILD, {"availableReplicas": 0, "readyReplicas": 0})
    words = "Node node-lost, for which the volume was made, is not Ready"

    def told() -> bool:
        found = lab.condition("dev")
        return found["status"] == "False" and str(found["message"]).startswith(words)

    wait_until(told, timeout=SECONDS, what="the node's name")
    node.set_ready(True)
    wait_until(
        lambda: words not in lab.condition("dev")["message"], timeout=SECONDS, what="its return"
    )
    lab.mark_available(CHILD)
    lab.wait_for("dev", "Ready", "Ready", timeout=SECONDS, status="True")
