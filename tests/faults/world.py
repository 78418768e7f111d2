"""The stage of all runs: an API server, an operator behind the proxy, two nodes, a registry."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab
from api.processes import free_port, wait_until
from api.standin import SYSTEM
from faults import snapshot
from faults.cluster import MERGE, Cluster
from faults.proxy import Injection, Proxy, Write
from faults.scenarios import START, STORAGE_CLASS, Scenario, Spec
from faults.snapshot import CHILDREN
from localregistry.spec import names
from localregistry.trust import TASK_ANNOTATION

NAME = "dev"
# No write for this long: work that was put off for a moment would have come by now.
QUIET_SECONDS = 1.5
# The longest that one fault may hold a run up: an unanswered call, then a back-off.
PATIENCE = 60.0
DOCUMENT = "/configmaps/node-trust"
EVENTS = "/apis/events.k8s.io/"
GROWING = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS},
    "provisioner": "faults.example.internal",
    "allowVolumeExpansion": True,
}


@dataclass(frozen=True)
class Outcome:
    """What one run came to. `effects` counts, per object, the writes that changed something;
    `statuses` are those of the LocalRegistry's status that arrived."""

    state: str
    effects: Counter[str]
    statuses: int
    told: tuple[str, ...]
    hit: bool
    writes: int
    seconds: float


class World:
    """`run` plays one scenario with one fault. The operator lives on from run to run unless a
    fault kills it."""

    def __init__(self, lab: Lab, proxy: Proxy, direct: Path) -> None:
        self.lab = lab
        # Leads to the API server itself: for a second operator.
        self.direct = direct
        self.proxy = proxy
        self.cluster = Cluster(lab.api, lab.namespace)
        # Of the operator from its next start on.
        self.options: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        self.starts = 0
        proxy.crash = self._crash

    @classmethod
    @contextmanager
    def open(cls, api: ApiServer, lab: Lab) -> Iterator[World]:
        """The lab's operator talks through the proxy; nodes join, a registry serves all Services'
        addresses."""
        port = free_port()
        with Proxy.start(api.url, api.ca, port) as proxy:
            direct = lab.operator_kubeconfig
            lab.operator_kubeconfig = api.directory / f"proxied-{port}.kubeconfig"
            lab.operator_kubeconfig.write_text(direct.read_text().replace(api.url, proxy.url))
            world = cls(lab, proxy, direct)
            lab.api.kubectl("apply", "-f", "-", input=GROWING)
            lab.serve("0.0.0.0")
            lab.add_node("node-a")
            lab.add_node("node-b")
            world.cluster.start()
            try:
                # With the very first one comes what the cluster has once; see Scenario.first.
                world.apply(START)
                world.settle(Scenario("", None, START).settled)
                yield world
            finally:
                world.cluster.stop()

    def run(
        self,
        scenario: Scenario,
        injection: Injection | None = None,
        *,
        disturbed: AbstractContextManager[object] | None = None,
    ) -> Outcome:
        """From an empty cluster to the scenario's end. `disturbed` is entered before its step, and
        left, with the step taken, to let it come to its end."""
        self.reset(first=scenario.first)
        if scenario.before is not None:
            self.apply(scenario.before)
            self.settle(Scenario("", None, scenario.before).settled)
        self.proxy.arm(injection)
        started = time.monotonic()
        with disturbed or nullcontext():
            scenario.act(self)
        self.settle(scenario.settled)
        outcome = Outcome(
            state=snapshot.take(self.lab.api, self.lab.namespace),
            effects=_effects(self.proxy.writes, tasks=not scenario.first),
            statuses=sum(w.arrived and w.path.endswith("/status") for w in self.proxy.writes),
            told=_told(self.proxy.writes),
            hit=self.proxy.hit.is_set(),
            writes=len(self.proxy.writes),
            seconds=time.monotonic() - started,
        )
        self.proxy.arm(None)
        return outcome

    # What a user does

    def apply(self, spec: Spec) -> None:
        meta = {"name": NAME, "namespace": self.lab.namespace}
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": meta, "spec": spec}
        path = f"{self.path}/{NAME}?fieldManager=user&force=true"
        answer = self.lab.api.request(
            "PATCH", path, body, content_type="application/apply-patch+yaml"
        )
        assert answer[0] in (200, 201), answer

    def delete(self) -> None:
        code, body = self.lab.api.request("DELETE", f"{self.path}/{NAME}")
        assert code == 200, body

    # What it comes to

    def ready(self, trusted: str | None) -> bool:
        """Whether everything is told of the newest spec, and is well; `trusted` is the name that
        nodes trust."""
        code, body = self.lab.api.request("GET", f"{self.path}/{NAME}")
        if code != 200:
            return False
        status = body.get("status") or {}
        conditions = {c["type"]: c for c in status.get("conditions", [])}
        exposed = body.get("spec", {}).get("ingress", {}).get("enabled", True)
        needed = {"Ready", "Exposed"} if exposed else {"Ready"}
        return (
            status.get("observedGeneration") == body["metadata"]["generation"]
            and needed <= conditions.keys()
            and all(conditions[which]["status"] == "True" for which in needed)
            and self._names() == ([trusted] if trusted else [])
        )

    def gone(self) -> bool:
        return self.lab.api.request("GET", f"{self.path}/{NAME}")[0] == 404 and not self._names()

    def settle(self, settled: Callable[[World], bool]) -> None:
        """Until it is so, and nothing has been written for a while."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.revive()
            last = self.proxy.writes[-1].at if self.proxy.writes else float("-inf")
            quiet = time.monotonic() - last > QUIET_SECONDS and not self.proxy.hanging
            if quiet and settled(self):
                return
            if time.monotonic() > deadline:
                code, body = self.lab.api.request("GET", f"{self.path}/{NAME}")
                what = f"{code} {body.get('status')}\n{self.log[-3000:]}"
                raise AssertionError(f"not settled in {PATIENCE:.0f} s: {what}")
            time.sleep(0.1)

    def reset(self, *, first: bool) -> None:
        """An empty cluster; for the first LocalRegistry without what the cluster has once."""
        self.proxy.arm(None)
        self.proxy.streams.clear()
        if self.lab.api.request("GET", f"{self.path}/{NAME}")[0] == 200:
            self.delete()
        self.settle(World.gone)
        self.cluster.collect_garbage()
        if first:
            self.stop_operator()
            for resource, name in (("configmap", "node-trust"), ("daemonset", "node-agent")):
                path = f"{PATHS[resource].format(namespace=SYSTEM)}/{name}"
                self.lab.api.request("DELETE", path)
            for node in self.lab.nodes.values():
                path = f"/api/v1/namespaces/{SYSTEM}/pods/agent-{node.name}"
                patch = {"metadata": {"annotations": {TASK_ANNOTATION: None}}}
                self.lab.api.request("PATCH", path, patch, content_type=MERGE)
        self.revive()

    def children(self) -> dict[str, tuple[str, int]]:
        """UID and generation of each child that there is."""
        found = {}
        for kind in CHILDREN:
            code, body = self.lab.api.request(
                "GET", f"{PATHS[kind].format(namespace=self.lab.namespace)}/{NAME}-registry"
            )
            if code == 200:
                meta = body["metadata"]
                found[kind] = (meta["uid"], meta.get("generation", 0))
        return found

    def stop_operator(self) -> None:
        """At the next step it is started anew, with `options`."""
        if self.lab.operator:
            self.lab.operator.process.stop()
            self.lab.operator = None

    def restart_operator(self) -> None:
        """Returns when it leads and has seen everything once."""
        self.stop_operator()
        self.revive()
        wait_until(lambda: "Reconciled /node-trust" in self.log, timeout=30, what="a leader")

    @property
    def log(self) -> str:
        """Of the operator that runs, or ran last."""
        return self.lab.operator.log if self.lab.operator else ""

    def told(self) -> tuple[str, ...]:
        """What nodes were told since the proxy was armed."""
        return _told(self.proxy.writes)

    def revive(self) -> None:
        """Starts an operator that has ended, as the kubelet does, under the same name."""
        operator = self.lab.operator
        if operator is None or not operator.process.alive:
            self.starts += 1
            self.lab.start_operator(
                name="operator-0", options=self.options, environment=self.environment
            )

    def _crash(self) -> None:
        if self.lab.operator:
            self.lab.operator.process.kill()

    def _names(self) -> list[str]:
        if not self.lab.exists("configmap", "node-trust", SYSTEM):
            return []
        return [name for entry in self.lab.trusted().registries for name in entry.names]

    @property
    def path(self) -> str:
        """Of this namespace's LocalRegistries."""
        return PATHS[LREG].format(namespace=self.lab.namespace)


def _effects(writes: list[Write], *, tasks: bool) -> Counter[str]:
    """Per object how often it was changed; statuses and Events aside, whose number may depend on
    which of two answers came first, and the trust document, of which `told` tells. At the very
    first one nodes may be told of an empty document before, or not, so without their `tasks`."""
    return Counter(
        f"{write.method} {write.path}"
        for write in writes
        if write.changed
        and not write.path.endswith(("/status", DOCUMENT))
        and not write.path.startswith(EVENTS)
        and (tasks or "/pods/" not in write.path)
    )


def _told(writes: list[Write]) -> tuple[str, ...]:
    """The names that nodes were told to trust, one after the other."""
    told: list[str] = []
    for write in writes:
        if write.path.endswith(DOCUMENT) and write.changed:
            document = json.loads(json.loads(write.body)["data"]["trust.json"])
            words = ",".join(n for entry in document["registries"] for n in entry["names"])
            # An empty one to begin with is the absence of a document.
            if told[-1:] != [words] and (told or words):
                told.append(words)
    return tuple(told)
