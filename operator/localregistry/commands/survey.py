"""Everything that `doctor` looks at, read once; what could not be read is remembered with why."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from localregistry.commands import agents, frontdoor, paths, registries, rights
from localregistry.commands.agents import Agents
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.frontdoor import Answer
from localregistry.commands.problems import Problem
from localregistry.commands.rights import Right
from localregistry.resources import node_agent
from localregistry.spec.names import child_name

T = TypeVar("T")

OPERATOR = "app.kubernetes.io/part-of=localregistry,app.kubernetes.io/component=operator"
LEASE = "localregistry-operator"


@dataclass
class Children:
    """One LocalRegistry and what the operator made of it; None where there is none."""

    registry: Body
    service: Body | None = None
    ingress: Body | None = None
    door: Answer | None = None

    @property
    def about(self) -> str:
        meta = self.registry["metadata"]
        return f"{meta['namespace']}/{meta['name']}"


@dataclass
class Survey:
    """`unread`: (what, why, which right) of all that could not be looked at.

    A list that is None could not be read, and nothing may be concluded from it.
    """

    namespace: str
    crd: bool = False
    registries: list[Children] = field(default_factory=list)
    nodes: list[Body] | None = None
    system: Body | None = None
    operators: list[Body] | None = None
    lease: Body | None = None
    daemonset: Body | None = None
    agents: Agents = field(default_factory=Agents)
    events: list[Body] | None = None
    classes: list[Body] | None = None
    controllers: list[Body] | None = None
    creates: bool | None = None
    lacking: list[Right] | None = None
    unread: list[tuple[str, str, str]] = field(default_factory=list)

    def try_to(self, what: str, right: str, read: Callable[[], T]) -> T | None:
        """The answer; None where it is refused, which is remembered."""
        try:
            return read()
        except Problem as problem:
            self.unread.append((what, problem.sentence, right))
            return None


def take(cluster: Cluster, arguments: argparse.Namespace) -> Survey:
    """Only reads, and asks for reviews of rights, which are POSTs that store nothing.

    Raises Problem where the API server does not answer at all.
    """
    system = arguments.operator_namespace
    found = Survey(system)
    found.crd = cluster.get(paths.GROUP_PATH) is not None
    found.nodes = found.try_to("nodes", "list nodes", lambda: cluster.items(paths.NODES))
    _installation(cluster, found, arguments)
    found.classes = found.try_to(
        "Ingress classes", "list ingressclasses", lambda: cluster.items(paths.INGRESS_CLASSES)
    )
    found.controllers = found.try_to(
        "Ingress controllers",
        "list pods in all namespaces",
        lambda: cluster.items(paths.of("Pod", None), labelSelector=frontdoor.CONTROLLERS),
    )
    if found.crd:
        _registries(cluster, found, arguments)
    return found


def _installation(cluster: Cluster, found: Survey, arguments: argparse.Namespace) -> None:
    system = found.namespace
    found.system = found.try_to(
        "the operator's namespace", "get namespaces", lambda: cluster.get(paths.namespace(system))
    )
    found.operators = found.try_to(
        "the operator",
        f"list deployments in {system}",
        lambda: cluster.items(paths.of("Deployment", system), labelSelector=OPERATOR),
    )
    if found.operators:
        account = _account(found.operators[0])
        found.lacking = found.try_to(
            "the operator's rights",
            "create subjectaccessreviews",
            lambda: rights.lacking(cluster, account),
        )
    found.lease = found.try_to(
        "the operator's Lease",
        f"get leases in {system}",
        lambda: cluster.get(paths.of("Lease", system, LEASE)),
    )
    found.daemonset = found.try_to(
        "the agents' DaemonSet",
        f"get daemonsets in {system}",
        lambda: cluster.get(paths.of("DaemonSet", system, node_agent.NAME)),
    )
    found.agents = agents.ask(cluster, system, arguments.agent_port)
    if found.agents.note:
        right = f"list pods and get pods/proxy in {system}"
        found.unread.append(("the agents' reports", found.agents.note, right))
    fields = "type=Warning"
    found.events = found.try_to(
        "Events",
        f"list events in {system}",
        lambda: cluster.items(paths.of("Event", system), fieldSelector=fields),
    )


def _registries(cluster: Cluster, found: Survey, arguments: argparse.Namespace) -> None:
    namespace = arguments.namespace
    if arguments.name:
        chosen = namespace or cluster.namespace
        bodies: list[Body] | None = [registries.one(cluster, chosen, arguments.name)]
    else:
        bodies = found.try_to(
            "LocalRegistries",
            "list localregistries",
            lambda: registries.several(cluster, namespace),
        )
    for body in bodies or ():
        found.registries.append(_children(cluster, found, body, arguments.http_port))
    where = namespace or cluster.namespace
    found.creates = found.try_to(
        "your rights",
        "create selfsubjectaccessreviews",
        lambda: rights.may_i(cluster, rights.CREATE, where),
    )


def _children(cluster: Cluster, found: Survey, body: Body, port: int) -> Children:
    meta = body["metadata"]
    child, where = child_name(meta["name"]), meta["namespace"]

    def read(kind: str, right: str) -> Body | None:
        path = paths.of(kind, where, child)
        return found.try_to(f"{kind} {child}", f"get {right} in {where}", lambda: cluster.get(path))

    one = Children(body, read("Service", "services"), read("Ingress", "ingresses"))
    if one.ingress is not None:
        one.door = frontdoor.knock(body, one.ingress, port=port)
    return one


def _account(deployment: Body) -> str:
    """The operator's user name, as the API server has it."""
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    namespace = deployment["metadata"]["namespace"]
    return f"system:serviceaccount:{namespace}:{pod.get('serviceAccountName') or 'default'}"
