"""`doctor` names each fault and its cure, and after the cure says that all is well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from localregistry.commands import doctor, findings, screen
from localregistry.commands.agents import Agent, Agents
from localregistry.commands.findings import Finding, Severity
from localregistry.commands.frontdoor import Answer
from localregistry.commands.problems import Exit
from localregistry.commands.rights import Right
from localregistry.commands.survey import Survey
from localregistry.trust import NodeReason
from unit.commands.examples import NOW, condition, node
from unit.commands.surveys import DOOR, agent, children, survey
from unit.commands.test_view import on_terminal
from unit.golden import assert_golden

pytestmark = pytest.mark.ux

Break = Callable[[Survey], Any]


def on_node(reason: NodeReason, message: str) -> Break:
    def breaks(seen: Survey) -> None:
        seen.agents = Agents(
            {"node-a": agent("node-a"), "node-b": agent("node-b", reason, message)}
        )

    return breaks


def says(kind: str, status: str, reason: str, message: str) -> Break:
    def breaks(seen: Survey) -> None:
        seen.registries = [children(condition(kind, status, reason, message))]

    return breaks


def door(**changes: Any) -> Break:
    def breaks(seen: Survey) -> None:
        seen.registries[0].door = dataclasses.replace(DOOR, **changes)

    return breaks


def has(**changes: Any) -> Break:
    def breaks(seen: Survey) -> None:
        for name, value in changes.items():
            setattr(seen, name, value)

    return breaks


def without_443(seen: Survey) -> None:
    found = seen.registries[0].service
    assert found is not None
    found["spec"]["ports"] = [port for port in found["spec"]["ports"] if port["port"] != 443]


REFUSED = (
    'Error creating: pods "node-agent-{}" is forbidden: violates PodSecurity "baseline:latest"'
)
NOTES = (*map(REFUSED.format, "ab"), f"(combined from similar events): {REFUSED.format('c')}")
EVENTS = [{"reason": "FailedCreate", "regarding": {"kind": "DaemonSet"}, "note": n} for n in NOTES]
BARE = {"daemonset": {"status": {"currentNumberScheduled": 0}}, "events": EVENTS}

# The fault, how it is seen, words of its finding, words of its cure.
FAULTS: dict[str, tuple[Break, str, str]] = {
    "DNS missing on a Docker node": (
        on_node(NodeReason.PULL_FAILED, "This node does not resolve x: add it to your DNS."),
        "cannot be pulled from on this node: PullFailed",
        "add it to your DNS",
    ),
    "port 443 of the Service gone": (
        without_443,
        "Service dev-registry has lost port 443: docker nodes would wait",
        "kubectl delete service dev-registry -n registries",
    ),
    "config_path unset": (
        on_node(NodeReason.CONFIG_PATH_MISSING, "Add to /etc/containerd/config.toml: config_path"),
        "on this node: ConfigPathMissing",
        "Add to /etc/containerd/config.toml",
    ),
    "foreign hosts.toml": (
        on_node(NodeReason.CONTENDED, "hosts.toml is somebody else's: remove it."),
        "on this node: Contended",
        "remove it",
    ),
    "flag conflict": (
        on_node(NodeReason.FLAG_CONFLICT, "Add --insecure-registry x to its command line."),
        "on this node: FlagConflict",
        "Add --insecure-registry",
    ),
    "ingress without body size": (
        door(status=413, is_registry=False),
        "limits the size of what is sent (413)",
        'proxy-body-size: "0"',
    ),
    "volume full": (
        says("StorageReady", "True", "StorageFull", "The volume is full: pushes fail"),
        "StorageReady says StorageFull: The volume is full",
        "kubectl patch localregistry dev -n registries",
    ),
    "registry image missing": (
        says("RegistryAvailable", "False", "ImagePullFailed", "no such image"),
        "RegistryAvailable says ImagePullFailed: no such image",
        "Name an image that its node can pull in spec.image",
    ),
    "agent blocked": (
        has(**BARE),
        "No agent's pod may be made: Error creating: a pod is forbidden: violates PodSecurity",
        "=privileged --overwrite && kubectl rollout restart daemonset node-agent -n localregistry",
    ),
    "API rights missing": (
        has(lacking=[Right("patch", "", "services")]),
        "The operator lacks rights in the API: patch services.",
        "Apply its roles again: helm upgrade",
    ),
    "no CRD": (has(crd=False), "The CRD of LocalRegistries is not installed.", "helm install"),
    "no operator": (has(operators=[]), "There is no operator in this namespace.", "helm install"),
    "a namespace that lets no agent run": (
        has(system={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}),
        "Pod Security (baseline) lets no node agent run here",
        "kubectl label namespace",
    ),
    "an operator that does not hold its Lease": (
        has(lease={"spec": {"renewTime": "2026-01-02T04:00:00.000000Z"}}),
        "does not hold its Lease",
        "kubectl logs deployment/localregistry",
    ),
    "a node without an agent": (
        has(agents=Agents({"node-a": agent("node-a")})),
        "No agent runs on this node",
        "kubectl describe daemonset",
    ),
    "a node that is not Ready": (
        has(nodes=[node("node-a"), node("node-b", "docker://28.5.2", ready=False)]),
        "This node is not Ready, so that nobody waits for it: no kubelet has answered.",
        "kubectl describe node node-b",
    ),
    "an agent that is not ready": (
        has(agents=Agents({n: Agent(n, "p", n == "node-a") for n in ("node-a", "node-b")})),
        "The agent on this node is not ready.",
        "kubectl describe pods",
    ),
    "a class that is not there": (
        has(classes=[]),
        "There is no default IngressClass, so no controller takes the Ingress",
        "spec.ingress.className",
    ),
    "a host that does not resolve here": (
        door(addresses=()),
        "does not resolve on this machine",
        "echo '203.0.113.7 registry.example.internal' >> /etc/hosts",
    ),
    "a redirect to https": (
        door(status=308, location="https://registry.example.internal/v2/"),
        "sends clients on to https://",
        "ssl-redirect",
    ),
    "somebody else who answers": (
        door(status=404, is_registry=False),
        "Something else than the registry answers",
        "another Ingress of that host",
    ),
    "nobody who answers": (
        door(status=0, words="Connection refused"),
        "Nothing answers http at 203.0.113.7: Connection refused.",
        "kubectl get ingress -A",
    ),
    "what may not be read": (
        has(nodes=None, unread=[("nodes", "You may not do that.", "list nodes")]),
        "Nodes not seen: You may not do that.",
        "Ask for the right to list nodes",
    ),
    "a registry that nobody has looked at": (
        lambda seen: seen.registries[0].registry.pop("status"),
        "No operator has looked at this LocalRegistry.",
        "kubectl get pods -n localregistry-system",
    ),
}


def examine(seen: Survey) -> list[Finding]:
    return doctor.examine(seen, now=NOW)


@pytest.mark.parametrize(("breaks", "words", "cure"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_named_with_what_mends_it(breaks: Break, words: str, cure: str) -> None:
    seen = survey()
    breaks(seen)
    found = examine(seen)
    told = [one for one in found if words in one.sentence]
    assert told, found
    assert all(cure in one.cure for one in told)
    assert findings.code(found) in (Exit.NOT, Exit.WARNED)
    # No finding without what mends it, and none that tells of more than what was broken.
    assert all(one.cure for one in found if one.severity is not Severity.NOTE)
    assert len([one for one in found if one.severity is not Severity.NOTE]) <= 2


def test_where_all_is_well_it_says_so_and_what_was_looked_at() -> None:
    found = examine(survey())
    assert [one.sentence for one in found] == ["2 nodes, 2 agents, 1 LocalRegistries."]
    assert doctor.conclusion(found) == "All is well."
    assert findings.code(found) is Exit.WELL


FORECASTS = {
    "containerd 1.7": ("containerd://1.7.24", "Debian", True),
    "containerd 2.1": ("containerd://2.1.9", "Debian", True),
    "containerd 2.2": ("containerd://2.2.0", "Debian", False),
    "docker": ("docker://29.0.1", "Debian", False),
    "a runtime that is not known": ("rkt://1.0", "Debian", True),
    "a read-only system": ("containerd://2.2.0", "Bottlerocket OS 1.20", True),
}


@pytest.mark.parametrize(("runtime", "system", "told"), FORECASTS.values(), ids=FORECASTS)
def test_before_the_installation_nodes_are_judged_by_what_they_run(
    runtime: str, system: str, told: bool
) -> None:
    one = node("node-a", runtime)
    one["status"]["nodeInfo"]["osImage"] = system
    seen = Survey("localregistry-system", nodes=[one], operators=[], classes=[], controllers=[])
    found = [one for one in examine(seen) if one.about == "node node-a"]
    assert bool(found) is told


def test_k3s_needs_no_line() -> None:
    one = node("node-a", "containerd://1.7.20-k3s1")
    one["status"]["nodeInfo"]["kubeletVersion"] = "v1.34.1+k3s1"
    seen = Survey("localregistry-system", nodes=[one], operators=[])
    assert not [one for one in examine(seen) if one.about == "node node-a"]


def test_a_failing_node_is_told_from_the_status_where_agents_may_not_be_asked() -> None:
    seen = survey()
    seen.agents = Agents(note="You may not.")
    seen.registries[0].registry["status"]["nodes"]["failing"] = [
        {"name": "node-b", "reason": "FlagConflict", "message": "Add the flag."}
    ]
    told = [one for one in examine(seen) if one.about == "node node-b"]
    assert [one.cure for one in told] == ["Add the flag."]


@pytest.mark.parametrize("how", ["terminal", "pipe"])
def test_it_is_shown_whole(request: pytest.FixtureRequest, how: str) -> None:
    seen = survey()
    for name in ("DNS missing on a Docker node", "ingress without body size"):
        FAULTS[name][0](seen)
    seen.unread = [("nodes", "You may not do that.", "list nodes")]
    found = examine(seen)
    parts = doctor.on_terminal(found) if how == "terminal" else doctor.in_pipe(found)
    whole = [*parts, doctor.conclusion(found)]
    text = on_terminal(whole) if how == "terminal" else screen.plain(whole)
    assert_golden(request, f"commands/doctor-{how}.txt", text)


def test_the_code_follows_the_worst() -> None:
    kinds = [findings.warning("a", "b", "c"), findings.note("a", "b")]
    assert findings.code(kinds) is Exit.WARNED
    assert findings.code([*kinds, findings.error("a", "b", "c")]) is Exit.NOT
    assert findings.in_order([kinds[1], *kinds])[0] is kinds[0]


def test_a_tls_door_is_not_knocked_at() -> None:
    seen = survey()
    seen.registries[0].door = Answer(("203.0.113.7",), "203.0.113.7")
    assert findings.code(examine(seen)) is Exit.WELL


@pytest.mark.parametrize(
    ("reason", "severity"),
    [("StorageFull", Severity.ERROR), ("StorageAlmostFull", Severity.WARNING)],
)
def test_a_volume_is_an_error_once_pushes_fail(reason: str, severity: Severity) -> None:
    seen = survey()
    says("StorageReady", "True", reason, "The volume")(seen)
    told = [one for one in examine(seen) if reason in one.sentence]
    assert [one.severity for one in told] == [severity]
