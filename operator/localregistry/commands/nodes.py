"""Each node's part in one LocalRegistry: pure.

The operator's status names up to ten nodes that fail and the first of those that wait. Where that
does not account for a node its agent's own report does, and where nobody may ask that, the row says
that it is not known rather than that all is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.commands.agents import Agents
from localregistry.commands.cluster import Body
from localregistry.spec.conditions import ConditionType
from localregistry.spec.nodes import Management
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import InvalidSpec, LocalRegistry
from localregistry.spec.selector import EVERY_NODE
from localregistry.trust import NodeReason

NOT_READY = "NotReady"
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Row:
    """One node; `runtime` and `version` are of its container runtime."""

    name: str
    runtime: str
    version: str
    reason: str
    message: str = ""

    @property
    def is_pending(self) -> bool:
        return self.reason not in (NodeReason.CONFIGURED, Management.UNMANAGED, Management.PREVIEW)


def rows(body: Body, nodes: Iterable[Body], agents: Agents | None = None) -> list[Row]:
    """The nodes that the LocalRegistry selects and that an agent can be on, by name."""
    try:
        spec = LocalRegistry.from_body(body).spec.nodes
        selector, management = spec.selector, spec.management
    except InvalidSpec:
        selector, management = EVERY_NODE, Management.MANAGED
    status = (body.get("status") or {}).get("nodes") or {}
    found = []
    for node in sorted(nodes, key=lambda node: str(node["metadata"]["name"])):
        labels = node["metadata"].get("labels") or {}
        if not can_have_agent(node) or not selector.matches(labels):
            continue
        name = str(node["metadata"]["name"])
        runtime, version = runtime_of(node)
        reason, message = _judge(body, status, management, name, agents)
        if not is_ready(node) and reason in (NodeReason.CONFIGURED, NodeReason.PENDING, UNKNOWN):
            reason, message = NOT_READY, "The node itself is not Ready, and not waited for."
        found.append(Row(name, runtime, version, reason, message))
    return found


def runtime_of(node: Body) -> tuple[str, str]:
    """Its name and version, such as containerd and 2.1.9."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    name, _, version = str(info.get("containerRuntimeVersion") or "").partition("://")
    return name or "-", version or "-"


def is_ready(node: Body) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def can_have_agent(node: Body) -> bool:
    """As the DaemonSet's own affinity has it: Linux, and a runtime of its own."""
    labels = node["metadata"].get("labels") or {}
    info = (node.get("status") or {}).get("nodeInfo") or {}
    system = labels.get("kubernetes.io/os") or info.get("operatingSystem") or "linux"
    return system == "linux" and labels.get("type") != "virtual-kubelet"


def _judge(
    body: Body, status: Mapping[str, Any], management: Management, name: str, agents: Agents | None
) -> tuple[str, str]:
    failing = {one.get("name"): one for one in status.get("failing") or ()}
    if name in failing:
        one = failing[name]
        return str(one.get("reason") or UNKNOWN), str(one.get("message") or "")
    if management is not Management.MANAGED:
        return management.value, ""
    said = _condition(body)
    if said.get("reason") not in _COUNTED:
        return NodeReason.PENDING.value, str(said.get("message") or "Not looked at yet.")
    if accounted(body):
        # All that are counted as missing are named, so that this one is not among them.
        return NodeReason.CONFIGURED.value, ""
    return _by_agent(str(body["metadata"].get("uid")), name, agents)


def _by_agent(uid: str, name: str, agents: Agents | None) -> tuple[str, str]:
    agent = agents.by_node.get(name) if agents else None
    if agent is None:
        if agents is not None and not agents.note:
            return NodeReason.PENDING.value, "No agent runs on this node."
        return UNKNOWN, ""
    if agent.report is None:
        return UNKNOWN, agent.silence
    result = agent.report.exceptions.get(uid)
    if result:
        return result.reason.value, result.message
    if not agent.revision or agent.report.revision != agent.revision:
        return NodeReason.PENDING.value, "Its agent has not worked through what it was told last."
    return NodeReason.CONFIGURED.value, ""


def accounted(body: Body) -> bool:
    """Whether the operator's status alone says how each node is."""
    status = (body.get("status") or {}).get("nodes") or {}
    failing = len(status.get("failing") or ())
    if status.get("summary") == "-":
        return True
    return "desired" in status and status["desired"] - status.get("ready", 0) == failing


def _condition(body: Body) -> Mapping[str, Any]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == ConditionType.NODES_READY), {})


# With any other, no node has been counted for this registry.
_COUNTED = (Reason.NODES_CONFIGURED, Reason.NODES_PENDING, Reason.NODES_FAILING)
