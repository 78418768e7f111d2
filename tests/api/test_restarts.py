"""The API server's process ends and comes again on the same etcd, while a registry serves."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until

CHILDREN = ("configmap", "deployment", "service", "ingress", "pvc")
BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"
CHILD = "dev-registry"
# The bar, from the moment at which it answers again.
BACK_SECONDS = 30
# What is left of the Lease's 13 s after the last renewal, which may be 2 s old.
LEASE_SECONDS = 10
# So many that most of them wait while a start's lists come in.
MANY = 60


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace)


def body_size(lab: Lab) -> str | None:
    annotations: dict[str, str] = lab.get("ingress", CHILD)["metadata"]["annotations"]
    return annotations.get(BODY_SIZE)


def children(lab: Lab) -> dict[str, tuple[str, int]]:
    """UID and generation of each."""
    found = {kind: lab.get(kind, CHILD)["metadata"] for kind in CHILDREN}
    return {kind: (meta["uid"], meta.get("generation", 0)) for kind, meta in found.items()}


def test_an_api_server_that_is_killed_and_started_again_changes_nothing(lab: Lab) -> None:
    operator = lab.start_operator()
    lab.add_node("node-a")
    lab.apply("dev")
    lab.bring_up("dev")
    since = lab.wait_for("dev", "Ready", "Ready", timeout=20)["lastTransitionTime"]
    lab.patch_status("ingress", CHILD, {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})
    lab.wait_for("dev", "Exposed", "IngressAdmitted")
    before, pid = children(lab), operator.process.pid
    registry = f"http://{lab.get('service', CHILD)['spec']['clusterIP']}:{lab.registry_port}/v2/"

    server = lab.api.process("kube-apiserver")
    server.stop(kill=True)
    gone = time.monotonic()
    # Enough for the watches to notice; the start takes three to seven seconds more.
    time.sleep(1)
    assert operator.health("/healthz") == 200
    with urllib.request.urlopen(registry, timeout=5) as answer:
        assert answer.status == 200
    server.restart()
    lab.api.wait_ready()
    back = time.monotonic()
    # Where a slow machine takes longer than the Lease holds, it ends once and is started anew.
    if ended := back - gone > LEASE_SECONDS and not operator.process.alive:
        lab.start_operator()

    # That it works again, and not only that nobody said anything else.
    # Edited, and not deleted: of what went before a watch is back a new one does not tell.
    assert body_size(lab) == "0"
    patch = json.dumps({"metadata": {"annotations": {BODY_SIZE: "1m"}}})
    command = ("patch", "ingress", CHILD, "-n", lab.namespace, "--type=merge", "-p", patch)
    lab.api.kubectl(*command)
    left = max(1.0, BACK_SECONDS - (time.monotonic() - back))
    wait_until(lambda: body_size(lab) == "0", timeout=left, what="the Ingress as it was")
    ready = lab.condition("dev")
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", since)
    assert ended or (operator.process.alive and operator.process.pid == pid)
    assert "Traceback" not in operator.log
    after = children(lab)
    assert after == before
    assert lab.get(LREG, "dev")["status"]["nodes"]["summary"] == "1/1"


def test_a_start_asks_for_no_child_that_it_has_listed(lab: Lab) -> None:
    lab.start_operator()
    names = [f"many-{number}" for number in range(MANY)]
    for name in names:
        lab.apply(name, storage={"size": "1Gi"})
    for name in names:
        lab.wait_for_children(name)
    assert lab.operator is not None
    lab.operator.process.stop()
    since = time.monotonic()
    lab.start_operator(name="operator-1")

    def asked(verb: str) -> list[str]:
        found = [event for event in lab.requests(since) if event["verb"] == verb]
        kinds = ("configmaps", "deployments", "services", "ingresses", "persistentvolumeclaims")
        paths = [event["requestURI"].partition("?")[0] for event in found]
        return [path for path in paths if path.rsplit("/", 2)[1] in kinds]

    all_children = len(CHILDREN) * MANY
    wait_until(lambda: len(asked("patch")) >= all_children, timeout=60, what="all first runs")
    claims = [path for path in asked("get") if "/persistentvolumeclaims/" in path]
    others = len(asked("get")) - len(claims)
    print(f"{others} of {all_children - MANY} asked for beside the claims")
    # A claim's volume is asked for in each run. Of the others those of the first few runs, which
    # the lists were too late for; and what does not come to rest has another run meanwhile.
    assert len(claims) >= MANY
    assert others <= (all_children - MANY) / 3
