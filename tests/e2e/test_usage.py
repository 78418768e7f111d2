"""USED on the real cluster: what is pushed is seen, and the second container harms nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e import demo
from e2e.cluster import LREG, REGISTRIES, Cluster, Node, wait_until
from e2e.images import Images

pytestmark = pytest.mark.ux

HOST = "one.example.internal"
WHERE = f"/api/v1/namespaces/{REGISTRIES}/services/one-registry:usage/proxy/usage"


def usage(cluster: Cluster) -> dict[str, Any]:
    """What the container answers, by the Service's port for usage."""
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "--raw", WHERE).stdout)
    return found


def storage(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.status("one").get("storage", {})
    return found


def pod(cluster: Cluster) -> dict[str, Any]:
    selector = "app.kubernetes.io/name=registry,app.kubernetes.io/instance=one"
    (found,) = cluster.get("pods", "-n", REGISTRIES, "-l", selector)["items"]
    assert isinstance(found, dict)
    return found


def container(cluster: Cluster) -> dict[str, Any]:
    statuses = pod(cluster)["status"]["containerStatuses"]
    found = next(status for status in statuses if status["name"] == "usage")
    assert isinstance(found, dict)
    return found


def test_what_is_pushed_is_used_within_ninety_seconds(clean: Cluster, built: Images) -> None:
    clean.apply_registry("one", host=HOST)
    clean.wait_ready("one")
    clean.wait_ready("one", condition="Exposed")
    demo.push(built.app, f"{HOST}/app:1", host=HOST)
    # The provisioner's volume is a folder of the node's disk.
    node, folder = _folder(clean)
    sizes = node.run(f"find {folder} -path '*/v2/*' -name data -printf '%s\\n'").split()
    used = sum(map(int, sizes))
    pushed = {"kind": "blobs", "used": used, "blobs": len(sizes)}
    # It may have looked while the push was under way, and then has told of a part.
    wait_until(
        lambda: pushed.items() <= usage(clean).items(), timeout=30, what="the container to see it"
    )

    def is_shown() -> bool:
        shown = storage(clean).get("used", "")
        return bool(shown.endswith("Mi") and abs(float(shown[:-2]) - used / 2**20) <= 1)

    seconds = wait_until(is_shown, timeout=90, what="USED")
    print(f"USED after {seconds:.0f} s: {storage(clean)}")
    assert storage(clean)["summary"] == f"{storage(clean)['used']}/1Gi"
    columns, row = clean.kubectl("get", LREG, "one", "-n", REGISTRIES).stdout.splitlines()
    assert row.split()[columns.split().index("USED")] == storage(clean)["summary"]


def test_the_second_container_is_restricted_and_can_write_nothing(clean: Cluster) -> None:
    clean.apply_registry("one", host=HOST)
    clean.wait_ready("one")
    node, pid = _process(clean)
    status = dict(
        line.split(":\t", 1)
        for line in node.read(f"/proc/{pid}/status").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["65532"] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    options = {
        fields[4]: fields[5].split(",")
        for fields in map(str.split, node.read(f"/proc/{pid}/mountinfo").splitlines())
    }
    assert "ro" in options["/"]
    assert "ro" in options["/var/lib/registry"]
    assert int(status["VmRSS"].split()[0]) < 24 * 1024, "it requests 24Mi"


def test_a_killed_usage_process_is_back_and_so_is_the_registry(clean: Cluster) -> None:
    clean.apply_registry("one", host=HOST)
    clean.wait_ready("one")
    node, pid = _process(clean)
    node.run(f"kill -9 {pid}")
    wait_until(lambda: container(clean)["restartCount"] == 1, timeout=20, what="the restart")
    seconds = wait_until(lambda: bool(container(clean)["ready"]), timeout=20, what="it to run")
    print(f"running again {seconds:.1f} s after it was seen to have ended")
    clean.wait_ready("one", timeout=20)
    wait_until(lambda: usage(clean)["blobs"] > 0, timeout=20, what="an answer")


def test_the_pod_goes_when_it_is_told_to(clean: Cluster) -> None:
    """The usage process is the first of its container: the kernel keeps signals from such."""
    clean.apply_registry("one", host=HOST)
    clean.wait_ready("one")
    node, pid = _process(clean)
    node.run(f"kill -TERM {pid}")
    wait_until(
        lambda: "terminated" in container(clean).get("lastState", {}), timeout=15, what="its end"
    )
    assert container(clean)["lastState"]["terminated"]["exitCode"] == 0


def _node(cluster: Cluster) -> Node:
    name = pod(cluster)["spec"]["nodeName"]
    return next(node for node in cluster.nodes() if node.name == name)


def _process(cluster: Cluster) -> tuple[Node, int]:
    """The usage process of the one registry, as the node sees it."""
    node = _node(cluster)
    found = node.run("pgrep -f 'localregistry.cli usage$'").split()
    assert len(found) == 1, found
    return node, int(found[0])


def _folder(cluster: Cluster) -> tuple[Node, str]:
    claim = cluster.get("pvc", "one-registry", "-n", REGISTRIES)["spec"]["volumeName"]
    spec = cluster.get("pv", claim)["spec"]
    return _node(cluster), (spec.get("hostPath") or spec.get("local"))["path"]
