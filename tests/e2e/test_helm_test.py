"""`helm test` on the cluster: it passes where the operator is well, and fails where it is not."""

from __future__ import annotations

import pytest

from e2e.cluster import SYSTEM, Cluster
from e2e.install import RELEASE

TEST = ("test", RELEASE, "-n", SYSTEM, "--timeout", "150s")
POD = ("pod", f"{RELEASE}-test", "-n", SYSTEM)

pytestmark = pytest.mark.lifecycle


def test_helm_test_passes_and_leaves_nothing(cluster: Cluster) -> None:
    said = cluster.helm(*TEST)
    assert "Phase:" in said
    assert "Succeeded" in said
    assert not cluster.exists(*POD)


@pytest.mark.long
def test_helm_test_fails_without_an_operator_and_tells_why(cluster: Cluster) -> None:
    scale = ("scale", "deployment", RELEASE, "-n", SYSTEM)
    cluster.kubectl(*scale, "--replicas=0")
    try:
        with pytest.raises(AssertionError, match=f"{RELEASE}-test"):
            cluster.helm(*TEST)
        # What failed stays, to be read.
        told = cluster.kubectl("logs", f"{RELEASE}-test", "-n", SYSTEM).stdout
        assert "/readyz: " in told
    finally:
        cluster.kubectl(*scale, "--replicas=1")
        cluster.kubectl("rollout", "status", *scale[1:], "--timeout=60s")
        cluster.kubectl("delete", *POD, "--ignore-not-found")
