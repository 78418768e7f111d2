"""What an operator costs that has nothing to do: requests, writes, memory, lines in the log."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from api.apiserver import ADMIN_TOKEN, ApiServer
from api.lab import PATIENCE, Lab, open_lab
from api.operators import Operator
from api.processes import wait_until
from api.standin import SYSTEM
from metric_table import value

MIB = 1 << 20
# Three of each part: one may do without what several call for.
NAMES = ("one", "two", "three")
LINE = re.compile(r"\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) ")


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace)


def settle(lab: Lab) -> Operator:
    """Registries that are Ready on two nodes, and nothing left to do."""
    operator = lab.start_operator()
    for node in ("node-a", "node-b"):
        lab.add_node(node)
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    for name in NAMES:
        lab.apply(name)
    for name in NAMES:
        lab.bring_up(name)
        lab.wait_for(name, "Ready", "Ready", timeout=30)
        lab.patch_status("ingress", f"{name}-registry", address)
        lab.wait_for(name, "Exposed", "IngressAdmitted")
    lab.wait_quiet()
    return operator


def requests(lab: Lab, since: float) -> list[str]:
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in lab.requests(since)
        # A watch is renewed by its own time-out; that costs one request and lists nothing.
        if event["verb"] != "watch"
    ]


def told(log: str) -> list[str]:
    """What stands in the log at INFO, by whatever else: the lines of a stack trace too."""
    levels = [(LINE.match(line), line) for line in log.splitlines()]
    return [line for level, line in levels if not (level and level[1] == "DEBUG")]


@pytest.mark.parametrize(
    "seconds",
    [20, pytest.param(300, marks=pytest.mark.long)],
    ids=["20 seconds", "5 minutes"],
)
def test_nothing_is_listed_written_or_logged_while_nothing_happens(
    lab: Lab, seconds: float
) -> None:
    operator = settle(lab)
    before, since = len(operator.log), time.monotonic()
    time.sleep(seconds)
    assert requests(lab, since) == []
    assert len(told(operator.log[before:])) <= seconds // 60


def test_a_resync_reads_everything_once_and_writes_nothing(lab: Lab) -> None:
    operator = settle(lab)
    operator.process.stop()
    operator = lab.start_operator(name="operator-1", options=("--resync-seconds", "8"))
    wait_until(
        lambda: operator.health("/readyz") == 200 and metric(operator, "leader") == 1,
        timeout=PATIENCE,
        what="the leader",
    )
    time.sleep(4)
    versions = resource_versions(lab)
    since = time.monotonic()
    time.sleep(18)
    found = requests(lab, since)
    lists = [path for path in found if path.startswith("list ")]
    # Two rounds, or three by jitter, each of one page of three kinds.
    assert 3 <= len(lists) <= 9
    assert {path.partition("?")[0].rsplit("/", 1)[1] for path in lists} == {
        "localregistries",
        "nodes",
        "pods",
    }
    assert resource_versions(lab) == versions


def resource_versions(lab: Lab) -> dict[str, str]:
    kinds = ("localregistries", "configmaps", "deployments", "services", "ingresses", "pvc")
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for kind in kinds
        for namespace in (lab.namespace, SYSTEM)
        for item in lab.api.get(kind, "-n", namespace)["items"]
    }


def test_faults_that_are_to_be_expected_leave_no_stack_trace(lab: Lab) -> None:
    operator = settle(lab)
    server = lab.api.process("kube-apiserver")
    server.kill()
    server.restart()
    lab.api.wait_ready()

    def is_ready() -> bool:
        if not operator.process.alive:
            # The machine was so slow that the Lease ran out; the kubelet starts it anew.
            operator.process.restart()
        return operator.health("/readyz") == 200

    wait_until(is_ready, timeout=PATIENCE, what="the operator")
    # A right that is gone for a while.
    binding = lab.api.get("clusterrolebinding", "localregistry")
    lab.api.kubectl("delete", "clusterrolebinding", "localregistry")
    lab.delete("ingress", "one-registry")
    time.sleep(2)
    for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        binding["metadata"].pop(key, None)
    lab.api.kubectl("create", "-f", "-", input=binding)
    # A conflict, an agent that is gone, a registry that does not answer.
    lab.api.kubectl("label", "lreg", "two", "-n", lab.namespace, "a=b")
    lab.nodes["node-a"].stop()
    for process in lab.registries:
        process.pause()
    lab.apply("four")
    time.sleep(5)
    for process in lab.registries:
        process.resume()
    wait_until(lambda: lab.exists("ingress", "one-registry"), timeout=60, what="the Ingress")
    assert operator.process.alive
    operator.process.stop()
    assert "Stopping" in operator.log
    assert "Traceback" not in operator.log


@pytest.mark.parametrize("number", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_objects_that_are_not_ours(lab: Lab, number: int) -> None:
    operator = settle(lab)
    before = memory(operator)
    since = time.monotonic()
    try:
        make_foreign(lab, number)
        time.sleep(5)
        after = memory(operator)
        assert requests(lab, since) == [], "nobody looks at them"
    finally:
        for group, kind in KINDS:
            path = f"/{group}/namespaces/{lab.namespace}/{kind}?labelSelector=foreign"
            assert lab.api.request("DELETE", path)[0] == 200
    print(f"{before / MIB:.1f} MiB before, {after / MIB:.1f} after {number} foreign objects")
    assert abs(after - before) <= 5 * MIB


KINDS = (("api/v1", "configmaps"), ("api/v1", "secrets"), ("apis/apps/v1", "deployments"))


def make_foreign(lab: Lab, number: int) -> None:
    """As many ConfigMaps, Secrets and Deployments together, of 1 KiB each and somebody else's."""
    labels = {"foreign": "yes", "app.kubernetes.io/managed-by": "somebody"}
    pod = {"containers": [{"name": "c", "image": "example.com/c:1"}]}
    numbers = count()
    address = urllib.parse.urlsplit(lab.api.url)
    context = ssl.create_default_context(cafile=str(lab.api.ca))
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}

    def make(share: int) -> None:
        connection = http.client.HTTPSConnection(address.netloc, timeout=30, context=context)
        for _ in range(share):
            index = next(numbers)
            group, kind = KINDS[index % len(KINDS)]
            body: dict[str, Any] = {"metadata": {"name": f"foreign-{index}", "labels": labels}}
            if kind == "deployments":
                template = {"metadata": {"labels": labels}, "spec": pod}
                body["spec"] = {"selector": {"matchLabels": labels}, "template": template}
                body["metadata"]["annotations"] = {"text": "x" * 1024}
            else:
                body["data"] = {"text": "eHh4" * 256}
            path = f"/{group}/namespaces/{lab.namespace}/{kind}"
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            assert answer.status == 201, answer.read()
            answer.read()

    workers = 4
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(make, [number // workers] * workers))


def memory(operator: Operator) -> float:
    """Bytes: the least of some seconds, since what is free is not given back at once."""
    found = []
    for _ in range(10):
        found.append(metric(operator, "process_resident_memory_bytes", prefix=""))
        time.sleep(0.5)
    return min(found)


def metric(operator: Operator, name: str, *, prefix: str = "localregistry_") -> float:
    url = f"http://127.0.0.1:{operator.health_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return value(answer.read().decode(), prefix + name)
