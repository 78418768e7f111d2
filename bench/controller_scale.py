"""1,000 nodes, and a start with 1,000 LocalRegistries.

    python -m bench.controller_scale [--nodes 1000] [--registries 1000] [--json FILE]

P7 and P10, on a real kube-apiserver. The nodes are objects only; one process answers for all their
agents. Takes about ten minutes with the defaults.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.apiserver import ADMIN_TOKEN
from api.processes import Process
from api.standin import SYSTEM

from .agents import address
from .control_plane import Body, Peak, Stage, is_write
from .figures import Figure, machine, publish

THREADS = 10
MERGE = "application/merge-patch+json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.controller_scale", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--registries", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Stage.open() as stage:
        figures = fan_out(stage, options.nodes)
    with Stage.open(nodes=1) as stage:
        figures += start(stage, options.registries)
    return publish(figures, about=machine(), target=options.json)


def fan_out(stage: Stage, count: int) -> list[Figure]:
    """P7: one change reaches every node."""
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
            Figure("memory at its peak", peak.mib, "MiB", 150),
            Figure("tasks written", len(patches), "", detail=f"{len(statuses)} statuses"),
        ]
    finally:
        agents.stop()


def start(stage: Stage, count: int) -> list[Figure]:
    """P10: all are there already, and an operator starts."""
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
        Figure(f"start with {count}, all looked at", seconds, "s", 60),
        Figure("memory at its peak", peak.mib, "MiB", 150),
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


if __name__ == "__main__":
    raise SystemExit(main())
