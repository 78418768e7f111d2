"""The nodes, the agents on them and what they answered; and what that means for one registry.

Fed by watches and by the poller, mended by the periodic resync (a watch that was cut may miss a
deletion). Holds a few hundred bytes a node and no object.
"""

from __future__ import annotations

import calendar
import sys
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from localregistry.spec.selector import EVERY_NODE, Selector
from localregistry.trust import TASK_ANNOTATION, NodeReason, NodeResult, Report, TrustDocument

_T = TypeVar("_T")

# A node that has just joined gets a minute before its pending result can make Ready flap.
JOINING_SECONDS = 60.0
# A report of an older revision still proves the registries that have not changed since.
REMEMBERED_REVISIONS = 64
# What the status may show of failing nodes.
MAX_EXAMPLES = 10


@dataclass(frozen=True)
class Node:
    """What counts of a node. `created` is in seconds since the epoch.

    Labels of nodes are much alike: their texts are kept once, which leaves about 1 KB a node.
    """

    name: str
    ready: bool
    runtime: str
    created: float
    eligible: bool
    labels: Mapping[str, str] = field(default_factory=dict)

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
            labels={sys.intern(str(key)): sys.intern(str(labels[key])) for key in labels},
        )

    def without_labels(self) -> Node:
        return replace(self, labels={})


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
    """How far the nodes are for one registry. `misses`: its selector fits no node at all."""

    desired: int
    ready: int
    failing: tuple[NodeFailure, ...]
    waiting: tuple[str, ...]
    misses: bool = False

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
    # The nodes of which watches told since a list was asked for; None while none is under way.
    _told_of: set[str] | None = None

    def observe_node(self, body: Mapping[str, Any], *, gone: bool) -> bool:
        """Takes a node in; returns whether anything that counts has changed."""
        name = body["metadata"]["name"]
        self._note(name)
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
        self._note(node)
        before = self.pods.get(node)
        pod = None if gone else AgentPod.from_body(body)
        if pod:
            self.pods[node] = pod
        elif before and before.uid == body["metadata"]["uid"]:
            del self.pods[node]
        return self.pods.get(node) != before

    def listing(self) -> None:
        """To be called before a full list is asked for that `replace` is to be given."""
        self._told_of = set()

    def replace(
        self, nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
    ) -> None:
        """What a full list says is all there is, but where a watch has told of something since the
        list was asked for: that is newer."""
        newer, self._told_of = self._told_of or set(), None
        listed = {node.name: node for node in map(Node.from_body, nodes)}
        self.nodes = _mended(self.nodes, listed, newer)
        placed = {pod.node: pod for pod in map(AgentPod.from_body, pods) if pod}
        self.pods = _mended(self.pods, placed, newer)
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
        moved |= set(before.excluded) ^ set(after.excluded)
        for old_ones, new_ones in (
            (before.exceptions, after.exceptions),
            (before.previews, after.previews),
        ):
            told = old_ones.keys() | new_ones.keys()
            moved |= {uid for uid in told if old_ones.get(uid) != new_ones.get(uid)}
        return moved

    def covered(self, revision: str) -> Collection[str]:
        """The UIDs of the registries that this document held; none where it is not remembered."""
        return self._entries.get(revision, {}).keys()

    def leave_out(self, node: str, excluded: Collection[str]) -> None:
        """The node is told to forget these: what it proved before proves nothing any more."""
        report = self.reports.get(node)
        if report and not set(excluded) <= set(report.excluded):
            both = tuple(sorted({*report.excluded, *excluded}))
            self.reports[node] = replace(report, excluded=both)

    def selected(self, selector: Selector) -> Iterator[Node]:
        """The nodes that can count: eligible, Ready and of these labels; by name."""
        for node in sorted(self.nodes.values(), key=lambda node: node.name):
            if node.eligible and node.ready and selector.matches(node.labels):
                yield node

    def misses(self, selector: Selector) -> bool:
        """Whether there are nodes that could count, Ready or not, and none has these labels."""
        eligible = [node for node in self.nodes.values() if node.eligible]
        return bool(eligible) and not any(selector.matches(node.labels) for node in eligible)

    def answer(self, node: str, uid: str, wanted: str | None) -> Report | None:
        """The node's report, where it speaks of this registry as it is wanted now (a digest)."""
        report = self.reports.get(node)
        if report is None or wanted is None or uid in report.excluded:
            return None
        return report if self._entries.get(report.revision, {}).get(uid) == wanted else None

    def summarize(
        self,
        uid: str,
        document: TrustDocument,
        selector: Selector = EVERY_NODE,
        *,
        now: float,
        settled: bool,
    ) -> NodesSummary:
        """The nodes of one registry that is to be configured. `now` is seconds since the epoch.

        `settled`: all nodes were ready for it before, so one that joins is not counted while it
        is new and under way. Until then every node counts: Ready must not come before the last.
        """
        entry = document.by_uid.get(uid)
        wanted = entry.digest() if entry and not entry.preview else None
        ready, failing, waiting = 0, [], []
        for node in self.selected(selector):
            report = self.answer(node.name, uid, wanted)
            result = report.exceptions.get(uid) if report else NodeResult(NodeReason.PENDING)
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
            misses=self.misses(selector),
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

    def _note(self, node: str) -> None:
        if self._told_of is not None:
            self._told_of.add(node)


def _mended(known: Mapping[str, _T], listed: Mapping[str, _T], newer: set[str]) -> dict[str, _T]:
    kept = {name: known[name] for name in newer if name in known}
    return {name: item for name, item in listed.items() if name not in newer} | kept


def _epoch(timestamp: str) -> float:
    try:
        return float(calendar.timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0
