"""The nodes, the agents on them and what they answered; and what that means for one registry.

Fed by watches and by the poller, mended by the periodic resync (a watch that was cut may miss a
deletion). Holds a few hundred bytes a node and no object.
"""

from __future__ import annotations

import calendar
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localregistry.trust import TASK_ANNOTATION, NodeReason, NodeResult, Report, TrustDocument

# A node that has just joined gets a minute before its pending result can make Ready flap.
JOINING_SECONDS = 60.0
# A report of an older revision still proves the registries that have not changed since.
REMEMBERED_REVISIONS = 64
# What the status may show of failing nodes.
MAX_EXAMPLES = 10


@dataclass(frozen=True)
class Node:
    """What counts of a node. `created` is in seconds since the epoch."""

    name: str
    ready: bool
    runtime: str
    created: float
    eligible: bool

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Node:
        meta, status = body["metadata"], body.get("status") or {}
        labels = meta.get("labels") or {}
        info = status.get("nodeInfo") or {}
        conditions = status.get("conditions") or []
        system = labels.get("kubernetes.io/os") or info.get("operatingSystem") or "linux"
        return cls(
            name=meta["name"],
            ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
            runtime=str(info.get("containerRuntimeVersion") or ""),
            created=_epoch(str(meta.get("creationTimestamp") or "")),
            eligible=system == "linux" and labels.get("type") != "virtual-kubelet",
        )


@dataclass(frozen=True)
class AgentPod:
    """The agent's pod on a node, as far as the controller talks to it."""

    name: str
    uid: str
    node: str
    address: str
    ready: bool
    task: str

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> AgentPod | None:
        """None for a pod that is not on a node yet, or is going."""
        meta, status = body["metadata"], body.get("status") or {}
        node = (body.get("spec") or {}).get("nodeName")
        if not node or meta.get("deletionTimestamp"):
            return None
        conditions = status.get("conditions") or []
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            node=node,
            address=str(status.get("podIP") or ""),
            ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
            task=str((meta.get("annotations") or {}).get(TASK_ANNOTATION) or ""),
        )


@dataclass(frozen=True)
class NodeFailure:
    """One node that cannot pull yet, for the status."""

    name: str
    runtime: str
    reason: NodeReason
    message: str


@dataclass(frozen=True)
class NodesSummary:
    """How far the nodes are for one registry."""

    desired: int
    ready: int
    failing: tuple[NodeFailure, ...]
    waiting: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.ready}/{self.desired}"


@dataclass
class Fleet:
    """Mutable; one event loop."""

    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[str, AgentPod] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    # Whether each agent has been asked once since the operator started: until then nothing is
    # said about nodes, so that a restart of the operator does not look like a failure of all.
    surveyed: bool = False
    _entries: OrderedDict[str, dict[str, str]] = field(default_factory=OrderedDict)

    def observe_node(self, body: Mapping[str, Any], *, gone: bool) -> bool:
        """Takes a node in; returns whether anything that counts has changed."""
        name = body["metadata"]["name"]
        before = self.nodes.get(name)
        if gone:
            self.nodes.pop(name, None)
            self.reports.pop(name, None)
        else:
            self.nodes[name] = Node.from_body(body)
        return self.nodes.get(name) != before

    def observe_pod(self, body: Mapping[str, Any], *, gone: bool) -> bool:
        """Takes an agent's pod in; one pod a node counts, the newest seen."""
        node = (body.get("spec") or {}).get("nodeName")
        if not node:
            return False
        before = self.pods.get(node)
        pod = None if gone else AgentPod.from_body(body)
        if pod:
            self.pods[node] = pod
        elif before and before.uid == body["metadata"]["uid"]:
            del self.pods[node]
        return self.pods.get(node) != before

    def replace(
        self, nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
    ) -> None:
        """What a full list says is all there is."""
        self.nodes = {node.name: node for node in map(Node.from_body, nodes)}
        listed = [pod for pod in map(AgentPod.from_body, pods) if pod]
        self.pods = {pod.node: pod for pod in listed}
        self.reports = {name: r for name, r in self.reports.items() if name in self.nodes}

    def remember(self, document: TrustDocument) -> None:
        """The meaning of a revision, to judge reports that still name it."""
        self._entries[document.revision] = {e.uid: e.digest() for e in document.registries}
        self._entries.move_to_end(document.revision)
        while len(self._entries) > REMEMBERED_REVISIONS:
            self._entries.popitem(last=False)

    def affected(self, before: Report | None, after: Report) -> set[str] | None:
        """The registries for which a node's new answer may mean something else; None: all."""
        if before is None:
            return None
        old = self._entries.get(before.revision, {})
        new = self._entries.get(after.revision, {})
        moved = {uid for uid in old.keys() | new.keys() if old.get(uid) != new.get(uid)}
        told = before.exceptions.keys() | after.exceptions.keys()
        return moved | {
            uid for uid in told if before.exceptions.get(uid) != after.exceptions.get(uid)
        }

    def summarize(
        self, uid: str, document: TrustDocument, *, now: float, settled: bool
    ) -> NodesSummary:
        """The nodes of one registry. `now` is seconds since the epoch.

        `settled`: all nodes were ready for it before, so one that joins is not counted while it
        is new and under way. Until then every node counts: Ready must not come before the last.
        """
        wanted = {e.uid: e.digest() for e in document.registries}.get(uid)
        ready, failing, waiting = 0, [], []
        for node in sorted(self.nodes.values(), key=lambda node: node.name):
            if not (node.eligible and node.ready):
                continue
            result = self._result(node.name, uid, wanted)
            if result is None:
                ready += 1
            elif result.reason is NodeReason.PENDING:
                if settled and now - node.created < JOINING_SECONDS:
                    continue
                waiting.append(node.name)
            else:
                failing.append(NodeFailure(node.name, node.runtime, result.reason, result.message))
        return NodesSummary(
            desired=ready + len(failing) + len(waiting),
            ready=ready,
            failing=tuple(failing),
            waiting=tuple(waiting),
        )

    def still_trusting(self, uid: str, document: TrustDocument) -> dict[str, str]:
        """Ready nodes that have not confirmed the withdrawal of this registry, and why."""
        waiting = {}
        for node in self.nodes.values():
            if not (node.eligible and node.ready):
                continue
            report = self.reports.get(node.name)
            if report is None or report.revision != document.revision:
                waiting[node.name] = "has not answered for the newest trust document"
            elif uid in report.exceptions:
                waiting[node.name] = report.exceptions[uid].message or "is still at it"
        return waiting

    def _result(self, node: str, uid: str, wanted: str | None) -> NodeResult | None:
        """None where the node is proved for this registry as it is wanted now."""
        report = self.reports.get(node)
        if report is None or wanted is None:
            return NodeResult(NodeReason.PENDING)
        if self._entries.get(report.revision, {}).get(uid) != wanted:
            return NodeResult(NodeReason.PENDING)
        return report.exceptions.get(uid)


def _epoch(timestamp: str) -> float:
    try:
        return float(calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0
