"""What 100 LocalRegistries cost: creation beside a bare client's, idle requests and memory.

    python -m bench.controller [--registries 100] [--idle 600] [--foreign 10000] [--json FILE]

P1, P2, P3, P4 and the trust document's part of P7, on a real kube-apiserver; nodes, kubelets and
volumes are stand-ins. Takes about 20 minutes with the defaults, most of it idle.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from localregistry.render import render
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry

from .control_plane import NAMESPACE, Body, Stage, epoch, is_write, manifest
from .figures import Figure, machine, median, percentile, publish

CHILDREN = ("configmaps", "persistentvolumeclaims", "deployments", "services", "ingresses")
CONNECTIONS = 10
APPLY = "application/apply-patch+yaml"
PLURALS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.controller", description=__doc__)
    parser.add_argument("--registries", type=int, default=100)
    parser.add_argument("--idle", type=int, default=600, help="seconds of the idle window")
    parser.add_argument("--foreign", type=int, default=10_000, help="objects of others")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Stage.open(nodes=3) as stage:
        figures = [
            *creation(stage, options.registries),
            *no_op(stage),
            *idle(stage, options.idle),
            *foreign(stage, options.foreign),
        ]
    return publish(figures, about=machine(), target=options.json)


def creation(stage: Stage, count: int) -> list[Figure]:
    """P3, beside a client that does nothing but apply the same children; and P7's writes."""
    every = [f"many-{index}" for index in range(count)]
    bare = bare_client(stage, [f"bare-{index}" for index in range(count)])
    stage.lab.start_operator()
    stage.create(["first"])
    stage.until(lambda: stage.ready() == 1, seconds=60, what="the first")
    time.sleep(3)
    since = time.time()
    started = time.monotonic()
    stage.create(every)
    sent = time.monotonic() - started
    ready = stage.until(lambda: stage.ready() == count + 1, seconds=300, what="all to be Ready")
    events = stage.requests(since)
    times = [first_to_last(events, name) for name in every]
    begun = [epoch(e["requestReceivedTimestamp"]) for e in events if _name(e) in every]
    ended = [end for _, end in times]
    trust = [e for e in events if is_write(e) and _name(e) == "node-trust"]
    agents = [e for e in events if e["verb"] == "create" and _name(e) == "node-agent"]
    durations = [end - start for start, end in times]
    whole = max(ended) - min(begun)
    per_two_seconds = len(trust) / max((sent + ready) / 2, 1)
    return [
        Figure("create, seen to last child, p50", median(durations) * 1000, "ms", 250),
        Figure("create, seen to last child, p99", percentile(durations, 99) * 1000, "ms", 1000),
        Figure("all children, a bare client", bare, "s", detail=f"{CONNECTIONS} connections"),
        Figure("all children, the operator", whole, "s", detail=f"sent within {sent:.1f} s"),
        Figure("operator / bare client", whole / bare, "x", 1.25),
        Figure("trust document writes per 2 s", per_two_seconds, "", 1, f"{len(trust)} in all"),
        Figure("DaemonSet roll-outs", len(agents), "", 0),
    ]


def bare_client(stage: Stage, every: list[str]) -> float:
    """The control: seconds to apply the rendered children over ten connections."""

    def apply(name: str) -> None:
        body = manifest(name)
        body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001"
        text = render(LocalRegistry.from_body(body), OperatorConfig())
        for child in yaml.safe_load_all(text):
            child["metadata"].pop("ownerReferences", None)
            path = f"{PLURALS[child['kind']].format(NAMESPACE)}/{child['metadata']['name']}"
            code, answer = stage.api.request(
                "PATCH", f"{path}?fieldManager=bare&force=true", child, content_type=APPLY
            )
            assert code == 201, answer

    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(apply, every))
    return time.monotonic() - started


def first_to_last(events: list[Body], name: str) -> tuple[float, float]:
    """When the operator first asked for the LocalRegistry, and when its last child was written."""
    seen = min(epoch(e["requestReceivedTimestamp"]) for e in events if _name(e) == name)
    last = max(
        epoch(e["stageTimestamp"])
        for e in events
        if _name(e) == f"{name}-registry"
        and e["objectRef"]["resource"] in CHILDREN
        and e["responseStatus"]["code"] == 201
    )
    return seen, last


def no_op(stage: Stage) -> list[Figure]:
    """P2: every LocalRegistry is touched, and nothing has to be done."""
    assert stage.lab.operator is not None
    settle(stage)
    before = len(stage.lab.operator.log)
    since = time.time()
    versions = _versions(stage)
    for name in versions:
        patch = {"metadata": {"annotations": {"bench": str(since)}}}
        path = f"{stage.path('localregistries.localregistry.dev')}/{name}"
        stage.api.request("PATCH", path, patch, content_type="application/merge-patch+json")
        time.sleep(0.1)
    settle(stage)
    found = re.findall(r"Reconciled bench/\S+ in ([0-9.]+) s", stage.lab.operator.log[before:])
    changed = _changed(versions, _versions(stage))
    return [
        Figure(
            "reconcile with nothing to do, p50", median(list(map(float, found))) * 1000, "ms", 50
        ),
        Figure("children changed by it", changed, "", 0, f"{len(found)} runs"),
    ]


def idle(stage: Stage, seconds: int) -> list[Figure]:
    """P1 and the first half of P4."""
    settle(stage)
    since = time.time()
    lowest = stage.lowest_rss(seconds)
    verbs: dict[str, int] = defaultdict(int)
    for event in stage.requests(since):
        verbs[event["verb"]] += 1
    writes = sum(verbs[verb] for verb in ("create", "update", "patch", "delete"))
    listed = verbs["list"] if seconds < 540 else 0  # the resync's, every ten minutes
    return [
        Figure("lists while idle", listed, "", 0, f"in {seconds} s; {json.dumps(verbs)}"),
        Figure("writes while idle", writes, "", 0),
        Figure("memory, idle", lowest, "MiB", 100, "least RSS"),
    ]


def foreign(stage: Stage, count: int) -> list[Figure]:
    """P4: what is not ours must cost nothing."""
    before = stage.lowest_rss(30)
    kinds: dict[str, Body] = {
        "/api/v1/namespaces/default/configmaps": {"data": {"k": "v" * 100}},
        "/api/v1/namespaces/default/secrets": {"stringData": {"k": "v" * 100}},
        "/apis/apps/v1/namespaces/default/deployments": {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "a", "image": "a"}]},
                },
            }
        },
    }

    def create(index: int) -> None:
        path, body = list(kinds.items())[index % len(kinds)]
        stage.api.request("POST", path, {**body, "metadata": {"name": f"foreign-{index}"}})

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(create, range(count)))
    after = stage.lowest_rss(60)
    grown = abs(after - before)
    return [Figure("memory, change by foreign objects", grown, "MiB", 5, f"{count} made")]


def settle(stage: Stage) -> None:
    """Until the operator has asked nothing for five seconds."""
    stage.until(lambda: not stage.requests(time.time() - 5), seconds=120, what="rest", every=2)


def _versions(stage: Stage) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for resource in ("configmap", "pvc", "deployment", "service", "ingress"):
        for item in stage.items(resource):
            name = item["metadata"]["name"].removesuffix("-registry")
            if name.startswith(("many-", "first")):
                found[name][resource] = item["metadata"]["resourceVersion"]
    return found


def _changed(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> int:
    return sum(
        before[name][kind] != after[name].get(kind) for name in before for kind in before[name]
    )


def _name(event: Body) -> str:
    return str((event.get("objectRef") or {}).get("name", ""))


if __name__ == "__main__":
    raise SystemExit(main())
