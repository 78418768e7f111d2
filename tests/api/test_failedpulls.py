"""Pods in foreign namespaces that cannot pull, as kubelets report them to a real API server."""

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

HOST = "dev.example.internal"
NODE = "node-1"
BEGINS = "Pods could not pull in the last 10 minutes: "
# A second to gather Events, 10 s between two writes of mere words, and a busy machine.
SECONDS = 30
FOREIGN = "foreign-team"

_number = itertools.count(1)


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": FOREIGN}})
    for opened in open_lab(api, namespace):
        opened.add_node(NODE)
        opened.start_operator()
        opened.apply("dev", host=HOST, storage={"ephemeral": True})
        opened.bring_up("dev")
        opened.wait_for("dev", "Ready", "Ready", status="True")
        address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
        opened.patch_status("ingress", "dev-registry", address)
        yield opened
        api.kubectl("delete", "events", "--all", "-n", FOREIGN)


def kubelet(lab: Lab, image: str, words: str, *, node: str = NODE, reason: str = "Failed") -> None:
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    event: dict[str, Any] = {
        "metadata": {"name": f"pull-{next(_number)}", "namespace": FOREIGN},
        "involvedObject": {"kind": "Pod", "namespace": FOREIGN, "name": "their-pod"},
        "message": f'Failed to pull image "{image}": {words}',
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": "kubelet", "host": node},
        "reason": reason,
        "type": "Warning",
    }
    status, answer = lab.api.request("POST", f"/api/v1/namespaces/{FOREIGN}/events", event)
    assert status == 201, answer


def message(lab: Lab) -> str:
    return str(lab.condition("dev", "NodesReady").get("message", ""))


def test_a_failed_pull_is_told_with_its_node_and_cause_and_without_its_pod(lab: Lab) -> None:
    kubelet(lab, "docker.io/library/x", "connection refused")
    kubelet(lab, f"{HOST}/a", "connection refused", node="made-up")
    kubelet(lab, f"{HOST}/a", "connection refused", reason="FailedMount")
    kubelet(lab, f"{HOST}/secret/app:1", f"dial tcp: lookup {HOST}: no such host")
    wait_until(lambda: BEGINS in message(lab), timeout=SECONDS, what="the cause")
    told = message(lab)
    assert f"{BEGINS}{NODE}: no such host" in told
    for foreign in ("their-pod", FOREIGN, "secret", "made-up", "refused"):
        assert foreign not in told
    assert lab.condition("dev")["status"] == "True"


def test_one_watch_hears_of_all_and_nothing_is_listed_for_it(lab: Lab) -> None:
    lab.wait_quiet()
    started = time.monotonic()
    for _ in range(5):
        kubelet(lab, f"{HOST}/a", "manifest unknown")
    wait_until(lambda: "manifest unknown" in message(lab), timeout=SECONDS, what="the cause")
    lab.wait_quiet()
    events = [e for e in lab.requests(started) if e["objectRef"]["resource"] == "events"]
    assert [e for e in events if e["verb"] == "list"] == []
    # A run applies the children too, which changes nothing.
    written = [e for e in lab.writes(started) if e["objectRef"].get("subresource") == "status"]
    assert len(written) == 1


def test_what_was_said_before_a_start_is_heard_after_it(lab: Lab) -> None:
    assert lab.operator
    lab.operator.process.stop()
    kubelet(lab, f"{HOST}/a", "x509: certificate is valid for ingress.local, not this")
    lab.start_operator(name="operator-1")
    wait_until(lambda: f"{NODE}: x509" in message(lab), timeout=SECONDS, what="the cause")
