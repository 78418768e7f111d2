"""What `doctor` sees of a cluster where all is well, to be broken in one place."""

from __future__ import annotations

from typing import Any

from localregistry.commands.agents import Agent, Agents
from localregistry.commands.frontdoor import Answer
from localregistry.commands.survey import Children, Survey
from localregistry.resources import ingress, service
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import NodeReason, NodeResult, Report
from unit.commands.examples import condition, node, registry
from unit.spec.bodies import UID

Body = dict[str, Any]

DOOR = Answer(("203.0.113.7",), "203.0.113.7", 200, is_registry=True)
CLASS: Body = {
    "metadata": {
        "name": "nginx",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
    },
    "spec": {"controller": "k8s.io/ingress-nginx"},
}
READY = (
    condition("Ready", "True", "Ready"),
    condition("StorageReady", "True", "ClaimBound"),
    condition("RegistryAvailable", "True", "DeploymentAvailable"),
    condition("Exposed", "True", "IngressAdmitted"),
    condition("NodesReady", "True", "NodesConfigured"),
)


def agent(name: str, reason: NodeReason | None = None, message: str = "") -> Agent:
    exceptions = {UID: NodeResult(reason, message)} if reason else {}
    return Agent(name, f"agent-{name}", True, "r", Report("r", "", exceptions))


def children(*said: Body, spec: Body | None = None) -> Children:
    """One that is ready, but for the conditions that are given."""
    given = {one["type"]: one for one in said}
    conditions = [given.get(one["type"], one) for one in READY]
    body = registry(spec, status={"conditions": conditions, "nodes": {"summary": "2/2"}})
    parsed, config = LocalRegistry.from_body(body), OperatorConfig()
    return Children(body, service.build(parsed, config), ingress.build(parsed, config), DOOR)


def survey(*registries: Children) -> Survey:
    """Two nodes, an operator, agents that report success, and these registries."""
    return Survey(
        "localregistry-system",
        crd=True,
        registries=list(registries) or [children()],
        nodes=[node("node-a"), node("node-b", "docker://28.5.2")],
        system={"metadata": {"name": "localregistry-system", "labels": {}}},
        operators=[
            {
                "metadata": {"name": "localregistry", "namespace": "localregistry-system"},
                "spec": {"replicas": 1},
                "status": {"availableReplicas": 1},
            }
        ],
        lease={"spec": {"renewTime": "2026-01-02T04:59:58.000000Z"}},
        daemonset={"status": {"currentNumberScheduled": 2}},
        agents=Agents({name: agent(name) for name in ("node-a", "node-b")}),
        events=[],
        classes=[CLASS],
        controllers=[{"metadata": {"name": "ingress-nginx-controller"}}],
        creates=True,
        lacking=[],
    )
