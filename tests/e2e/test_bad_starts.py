"""What keeps a registry from running, or its volume from growing, told by real kubelets, a real
scheduler, and a provisioner that cannot grow volumes. All three at once, since most is waiting."""

from __future__ import annotations

import time
from typing import Any

import pytest

from e2e.cluster import REGISTRIES, Cluster, wait_until

pytestmark = pytest.mark.ux

# From kubectl apply to the cause in the condition.
SECONDS = 30
IMAGE = "nowhere.invalid/registry:1"


def condition(cluster: Cluster, name: str, which: str) -> dict[str, Any]:
    found = cluster.status(name).get("conditions", [])
    return next((c for c in found if c["type"] == which), {})


def wait_for(
    cluster: Cluster, name: str, which: str, reason: str, *, until: float
) -> dict[str, Any]:
    """`until` is monotonic."""
    try:
        wait_until(
            lambda: condition(cluster, name, which).get("reason") == reason,
            timeout=max(0.0, until - time.monotonic()),
            what=f"{name}: {reason}",
        )
    except AssertionError as error:
        raise AssertionError(f"{error}: {cluster.status(name)}") from None
    return condition(cluster, name, which)


@pytest.mark.long
def test_each_cause_is_told_in_the_words_of_who_knows_it_within_thirty_seconds(
    clean: Cluster,
) -> None:
    until = time.monotonic() + SECONDS
    clean.apply_registry("no-image", host="image.example.internal", image=IMAGE)
    clean.apply_registry("no-node", host="node.example.internal", nodeSelector={"disk": "none"})
    no_class = {"size": "1Gi", "storageClassName": "nope"}
    clean.apply_registry("no-class", host="class.example.internal", storage=no_class)
    clean.apply_registry("rigid", host="rigid.example.internal")

    pulled = wait_for(clean, "no-image", "RegistryAvailable", "ImagePullFailed", until=until)
    assert f'Failed to pull image "{IMAGE}"' in pulled["message"]
    assert "nowhere.invalid" in pulled["message"].replace(IMAGE, "")

    placed = wait_for(clean, "no-node", "Ready", "PodUnschedulable", until=until)
    assert "nodes are available" in placed["message"]
    assert "didn't match Pod's node affinity/selector" in placed["message"]

    claimed = wait_for(clean, "no-class", "Ready", "ProvisioningFailed", until=until)
    assert 'storageclass.storage.k8s.io "nope" not found' in claimed["message"]

    # And a class that makes volumes, and cannot grow them.
    clean.wait_ready("rigid", condition="StorageReady", timeout=60)
    claim = ("pvc", "rigid-registry", "-n", REGISTRIES)
    before = clean.get(*claim)
    clean.apply_registry("rigid", host="rigid.example.internal", storage={"size": "2Gi"})
    until = time.monotonic() + SECONDS
    refused = wait_for(clean, "rigid", "StorageReady", "ResizeRefused", until=until)
    assert "only dynamically provisioned pvc can be resized" in refused["message"]
    after = clean.get(*claim)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]

    clean.apply_registry("rigid", host="rigid.example.internal", storage={"size": "1Gi"})
    wait_for(clean, "rigid", "StorageReady", "ClaimBound", until=time.monotonic() + SECONDS)
    clean.wait_ready("rigid", timeout=60)
