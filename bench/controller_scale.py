"""1,000 nodes, and a start with 1,000 LocalRegistries.

P7 and P10, on a real kube-apiserver. The nodes are objects only; one process answers for all their
agents.
"""

from __future__ import annotations

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from api.apiserver import ADMIN_TOKEN
from api.processes import Process
from api.standin import SYSTEM
from e2e.cluster import say

from .agents import address
from .control_plane import MERGE, Body, Peak, Stage, is_write
from .figures import Figure
from .machine import of_control_plane
from .plan import Size

THREADS = 10


def measure(bars: frozenset[str], size: Size) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    found = {}
    if "P7" in bars:
        with Stage.open() as stage:
            found["P7"] = fan_out(stage, size.nodes)
    if "P10" in bars:
        with Stage.open(nodes=1) as stage:
            found["P10"] = start(stage, size.many)
    return found, of_control_plane()


def fan_out(stage: Stage, count: int) -> list[Figure]:
    """P7: one change reaches every node."""
    say(f"  {count} nodes join")
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda index: join(stage, index), range(count)))
    command = [sys.executable, "-m", "bench.agents", stage.api.url, ADMIN_TOKEN]
    command += [str(stage.api.ca), str(stage.lab.agent_port)]
    agents = Process.start("agents", command, stage.api.directory / "agents.log")
    try:
        stage.lab.start_operator()
        stage.create(["one"])
        everyone = f"{count}/{count}"
        first = stage.until(lambda: summary(stage) == everyone, seconds=300, what=everyone)
        time.sleep(5)
        since = time.time()
        with Peak(stage) as peak:
            path = f"{stage.path('localregistries.localregistry.dev')}/one"
            patch = {"spec": {"host": "other.example.internal"}}
            code, answer = stage.api.request("PATCH", path, patch, content_type=MERGE)
            assert code == 200, answer
            generation = answer["metadata"]["generation"]
            seconds = stage.until(
                lambda: _proved(stage, generation, everyone),
                seconds=300,
                what="the change",
                every=0.2,
            )
        events = stage.requests(since)
        patches = [
            e for e in events if e["verb"] == "patch" and e["objectRef"]["resource"] == "pods"
        ]
        statuses = [e for e in events if e["objectRef"].get("subresource") == "status"]
        return [
            Figure(f"{count} nodes, from none to all", first, "s"),
            Figure(f"{count} nodes, a change to NodesReady", seconds, "s", 60),
            Figure(f"RSS at its peak, {count} nodes", peak.mib, "MiB", 150),
            Figure("tasks written", len(patches), "", detail=f"{len(statuses)} statuses"),
        ]
    finally:
        agents.stop()


def start(stage: Stage, count: int) -> list[Figure]:
    """P10: all are there already, and an operator starts."""
    say(f"  {count} LocalRegistries are created and become Ready, then an operator starts")
    stage.lab.start_operator()
    stage.create([f"many-{index}" for index in range(count)])
    stage.until(lambda: stage.ready() == count, seconds=900, what="all to be Ready", every=3)
    assert stage.lab.operator is not None
    stage.lab.operator.process.stop()
    since = time.time()
    started = time.monotonic()
    operator = stage.lab.start_operator(name="anew")
    with Peak(stage) as peak:
        pattern = re.compile(r"Reconciled bench/(\S+) in")
        stage.until(
            lambda: len(set(pattern.findall(operator.log))) >= count,
            seconds=600,
            what="a look at all",
        )
        seconds = time.monotonic() - started
    made = [e for e in stage.requests(since) if is_write(e) and e["verb"] != "patch"]
    return [
        Figure(f"start with {count} until all are looked at", seconds, "s", 60),
        Figure("RSS at its peak", peak.mib, "MiB", 150),
        Figure("objects created or deleted by it", len(made), "", 0),
    ]


def join(stage: Stage, index: int) -> None:
    """A node that is Ready, and its agent's pod."""
    name = f"node-{index}"
    node: Body = {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}}}
    stage.api.request("POST", "/api/v1/nodes", node)
    status: Body = {
        "nodeInfo": {"containerRuntimeVersion": "containerd://2.1.4"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    _patch(stage, f"/api/v1/nodes/{name}/status", status)
    labels = {
        "app.kubernetes.io/component": "node-agent",
        "app.kubernetes.io/managed-by": "localregistry-operator",
    }
    spec = {
        "nodeName": name,
        "containers": [{"name": "agent", "image": "agent"}],
        "serviceAccountName": "localregistry",
        "automountServiceAccountToken": False,
    }
    pods = f"/api/v1/namespaces/{SYSTEM}/pods"
    pod = {"metadata": {"name": f"agent-{name}", "labels": labels}, "spec": spec}
    code, answer = stage.api.request("POST", pods, pod)
    assert code == 201, answer
    ready = {"podIP": address(index), "conditions": [{"type": "Ready", "status": "True"}]}
    _patch(stage, f"{pods}/agent-{name}/status", ready)


def summary(stage: Stage) -> str:
    (item,) = stage.items("localregistries.localregistry.dev")
    return str(item.get("status", {}).get("nodes", {}).get("summary", ""))


def _proved(stage: Stage, generation: int, everyone: str) -> bool:
    (item,) = stage.items("localregistries.localregistry.dev")
    return (
        any(
            c["type"] == "NodesReady"
            and c["status"] == "True"
            and c["observedGeneration"] == generation
            for c in item["status"]["conditions"]
        )
        and summary(stage) == everyone
    )


def _patch(stage: Stage, path: str, status: Body) -> None:
    code, answer = stage.api.request("PATCH", path, {"status": status}, content_type=MERGE)
    assert code == 200, answer
