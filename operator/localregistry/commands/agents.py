"""What the node agents themselves report, through the API server's proxy to their pods.

That needs `get` on `pods/proxy` in the operator's namespace, which administrators have. Without it
a command does with what the operator wrote into the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from localregistry.commands import paths
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.problems import Problem, Refused
from localregistry.resources import node_agent
from localregistry.trust import TASK_ANNOTATION, Damaged, Report, Task

# Each answer takes some milliseconds of the API server's; a cluster of 1,000 nodes takes seconds.
AT_ONCE = 8
PATH = "/status"


@dataclass(frozen=True)
class Agent:
    """One agent's pod; without a `report`, `silence` says why. `revision`: what it was told."""

    node: str
    pod: str
    ready: bool
    revision: str = ""
    report: Report | None = None
    silence: str = ""


@dataclass(frozen=True)
class Agents:
    """By node. `note` says why there may be less than there should."""

    by_node: Mapping[str, Agent] = field(default_factory=dict)
    note: str = ""


def ask(cluster: Cluster, namespace: str, port: int) -> Agents:
    """All of them; never a Problem, since others know nearly as much."""
    try:
        pods = cluster.items(paths.of("Pod", namespace), labelSelector=node_agent.PODS)
    except Problem as problem:
        return Agents(note=f"Agents were not asked: {problem.sentence}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda pod: _ask(cluster, namespace, pod, port), _running(pods)))
    refused = next((a.silence for a in found if a.silence.startswith("You may not")), "")
    note = f"Agents were not asked: {refused}" if refused else ""
    return Agents({agent.node: agent for agent in found}, note)


def _running(pods: list[Body] | None) -> list[Body]:
    """Of a node where one agent follows another only the one that stays."""
    return [
        pod
        for pod in pods or ()
        if (pod.get("spec") or {}).get("nodeName") and not pod["metadata"].get("deletionTimestamp")
    ]


def _ask(cluster: Cluster, namespace: str, pod: Body, port: int) -> Agent:
    name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
    agent: dict[str, Any] = {"node": node, "pod": name, "ready": _is_ready(pod)}
    agent["revision"] = _revision(pod)
    try:
        status, content, _ = cluster.raw(paths.pod_proxy(namespace, name, port) + PATH)
        if status == 200:
            return Agent(**agent, report=Report.from_json(content))
        cluster.checked(status, content, name)
    except Refused as problem:
        return Agent(**agent, silence=problem.sentence)
    except (Problem, Damaged) as error:
        return Agent(**agent, silence=str(error))
    return Agent(**agent, silence=f"It answers {status}.")


def _revision(pod: Body) -> str:
    try:
        return Task.from_json((pod["metadata"].get("annotations") or {})[TASK_ANNOTATION]).revision
    except (KeyError, Damaged):
        return ""


def _is_ready(pod: Body) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
