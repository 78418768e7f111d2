"""What 100 LocalRegistries cost: creation beside a bare client's, idle requests and memory.

P1, P2, P3, P4 and the trust document's part of P7, on a real kube-apiserver; nodes, kubelets and
volumes are stand-ins.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from contextlib import closing

from api.standin import SYSTEM
from e2e.cluster import say

from . import bare
from .control_plane import MERGE, Body, Stage, epoch, is_write, most_within
from .figures import Figure, median, percentile
from .foreign import foreign
from .machine import of_control_plane
from .plan import Size

CHILDREN = ("configmaps", "persistentvolumeclaims", "deployments", "services", "ingresses")
# Within a resync period of 600 s give or take a tenth lie at most two resyncs.
LEAST_RESYNC_SECONDS = 540
TRUST = "node-trust"
RESYNCED = ("localregistries", "nodes", "pods")
# What the control has made, beside the operator's.
BARE = "bare"

Figures = dict[str, list[Figure]]


def measure(bars: frozenset[str], size: Size) -> tuple[Figures, dict[str, str]]:
    """What a bar does not need is left out, but the creation, which makes the stage."""
    with Stage.open(nodes=3) as stage:
        found = creation(stage, size.registries)
        if "P2" in bars:
            found["P2"] = no_op(stage)
        if bars & {"P1", "P4"}:
            found |= idle(stage, size.idle)
        if "P4" in bars:
            found["P4"] += foreign(stage, size.foreign)
    return {bar: found[bar] for bar in sorted(bars)}, of_control_plane()


def creation(stage: Stage, count: int) -> Figures:
    """P3, beside a client that does nothing but apply the same children; and P7's writes."""
    every = [f"many-{index}" for index in range(count)]
    say(f"  {count} by a bare client, then by the operator")
    control = bare.create(stage.api, [f"{BARE}-{index}" for index in range(count)])
    stage.lab.start_operator()
    stage.create(["first"])
    stage.until(lambda: stage.ready() == 1, seconds=60, what="the first")
    time.sleep(3)
    rolled = _agents(stage)
    told = str(stage.lab.get("configmap", TRUST, SYSTEM)["metadata"]["resourceVersion"])
    since = time.time()
    started = time.monotonic()
    stage.create(every)
    sent = time.monotonic() - started
    stage.until(lambda: stage.ready() == count + 1, seconds=300, what="all to be Ready")
    events = stage.requests(since)
    times = [first_to_last(events, name) for name in every]
    begun = [epoch(e["requestReceivedTimestamp"]) for e in events if _name(e) in every]
    ended = [end for _, end in times]
    trust = changes(events, TRUST, told)
    durations = [end - start for start, end in times]
    whole = max(ended) - min(begun)
    p3 = [
        Figure("resource seen to its last child written, p50", median(durations) * 1000, "ms", 250),
        Figure(
            "resource seen to its last child written, p99",
            percentile(durations, 99) * 1000,
            *("ms", 1000),
        ),
        Figure(
            *("all children of all, beside a bare client", whole, "s", 1.25),
            f"{count} created within {sent:.1f} s by ten clients; the control applies the same "
            f"rendered children over {bare.CONNECTIONS} kept connections and does nothing else",
            control=control,
            by_ratio=True,
        ),
    ]
    p7 = [
        Figure(
            f"writes of the trust document within 2 s, most, while {count} are created",
            *(most_within(trust, 2.0), "", 1, f"{len(trust)} in all"),
        ),
        Figure("agents' DaemonSet: new generations by it", _agents(stage) - rolled, "", 0),
    ]
    return {"P3": p3, "P7": p7}


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


def changes(events: list[Body], name: str, version: str) -> list[float]:
    """When an object of this name became another one, by the API server's clock; an apply that
    changes nothing is answered with the resourceVersion that was there, at first `version`."""
    found = []
    for event in events:
        if is_write(event) and _name(event) == name and event["responseStatus"]["code"] < 300:
            answered = str(event["responseObject"]["metadata"]["resourceVersion"])
            if answered != version:
                version = answered
                found.append(epoch(event["stageTimestamp"]))
    return found


def no_op(stage: Stage) -> list[Figure]:
    """P2: every LocalRegistry is touched, and nothing has to be done."""
    say("  each is touched, and nothing has to be done")
    assert stage.lab.operator is not None
    settle(stage)
    before = len(stage.lab.operator.log)
    since = time.time()
    versions = _versions(stage)
    control = []
    with closing(bare.NoOp(stage.api, f"{BARE}-0")) as bare_client:
        for name in versions:
            path = f"{stage.path('localregistries.localregistry.dev')}/{name}"
            patch = {"metadata": {"annotations": {"bench": str(since)}}}
            stage.api.request("PATCH", path, patch, content_type=MERGE)
            # Each for itself: what is measured is a run, not how many fit beside each other.
            time.sleep(0.3)
            control.append(bare_client.run(path))
    settle(stage)
    found = re.findall(r"Reconciled bench/\S+ in ([0-9.]+) s", stage.lab.operator.log[before:])
    changed = _changed(versions, _versions(stage))
    statuses = [e for e in stage.requests(since) if e["objectRef"].get("subresource") == "status"]
    detail = (
        f"{len(found)} runs; the control makes the same two reads and five applies in a row over "
        "a kept connection"
    )
    return [
        Figure(
            *("a run, p50", median(list(map(float, found))) * 1000, "ms", 50, detail),
            control=median(control) * 1000,
        ),
        Figure("children changed by it", changed, "", 0),
        Figure("statuses written by it", len(statuses), "", 0),
    ]


def idle(stage: Stage, seconds: int) -> Figures:
    """P1 and the first half of P4."""
    settle(stage)
    say(f"  idle for {seconds} s")
    versions = _versions(stage)
    since = time.time()
    lowest = stage.lowest_rss(seconds)
    requests = stage.requests(since)
    writes = writes_beside_the_resync(requests)
    verbs = Counter(event["verb"] for event in requests)
    lists = Counter(e["objectRef"]["resource"] for e in requests if e["verb"] == "list")
    detail = f"in {seconds} s; all requests: {json.dumps(verbs)}"
    return {
        "P1": [
            Figure(
                "lists but the resync's", lists_beside_the_resync(lists, seconds), "", 0, detail
            ),
            Figure(
                *("writes but the resync's", writes, "", 0),
                f"{sum(map(is_write, requests)) - writes} applies by the resync",
            ),
            Figure("children changed by any of it", _changed(versions, _versions(stage)), "", 0),
        ],
        "P4": [Figure(f"RSS, least of {seconds} idle s", lowest, "MiB", 100)],
    }


def lists_beside_the_resync(lists: Counter[str], seconds: float) -> int:
    """Of the lists by resource, those that no resync accounts for. It reads each of its kinds once,
    in one page for as many as these."""
    rounds = -(-int(seconds) // LEAST_RESYNC_SECONDS)
    return sum(n if kind not in RESYNCED else max(0, n - rounds) for kind, n in lists.items())


def writes_beside_the_resync(events: list[Body]) -> int:
    """Of the writes those that no resync accounts for. A resync begins with a list of the
    LocalRegistries, and applies each child of each, and what nodes are told, once: where nothing
    differs the API server writes nothing. A status it never writes then."""
    rounds = sum(
        e["verb"] == "list" and e["objectRef"]["resource"] == "localregistries" for e in events
    )
    writes: Counter[tuple[str, ...]] = Counter()
    for event in filter(is_write, events):
        about = event["objectRef"]
        parts = (about.get(part, "") for part in ("resource", "namespace", "name", "subresource"))
        writes[event["verb"], *parts] += 1
    return sum(
        n if verb != "patch" or subresource else max(0, n - rounds)
        for (verb, *_, subresource), n in writes.items()
    )


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


def _agents(stage: Stage) -> int:
    """The generation of the agents' DaemonSet: a roll-out is a new one."""
    return int(stage.lab.get("daemonset", "node-agent", SYSTEM)["metadata"]["generation"])
