"""Whether the operator and its agents are there and at work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from localregistry.commands import nodes
from localregistry.commands.findings import Finding, error, note, warning
from localregistry.commands.survey import Survey

INSTALL = (
    "helm install localregistry manifests/chart -n {namespace} --create-namespace, or kubectl "
    "apply --server-side -f manifests/install.yaml"
)
# What the release has got by its values stays.
UPGRADE = (
    "helm upgrade localregistry manifests/chart -n {namespace} --reuse-values, or kubectl apply "
    "--server-side -f manifests/install.yaml"
)
LABEL = (
    "kubectl label namespace {namespace} pod-security.kubernetes.io/enforce=privileged --overwrite"
)
# Once pods were refused, the DaemonSet's controller waits for up to 17 minutes before each try.
TRY_AGAIN = "kubectl rollout restart daemonset node-agent -n {namespace}"
ENFORCE = "pod-security.kubernetes.io/enforce"
# A Lease of 15 s, renewed every 2 s; the clocks of two machines may differ by more than that.
LEASE_SECONDS = 60


def check(survey: Survey, now: datetime) -> Iterator[Finding]:
    """The CRD, the operator, its namespace, its agents."""
    install = INSTALL.format(namespace=survey.namespace)
    if not survey.crd:
        yield error("cluster", "The CRD of LocalRegistries is not installed.", install)
    yield from _namespace(survey)
    if survey.operators is not None:
        yield from _operator(survey, install, now)
    if survey.operators and survey.daemonset is not None:
        yield from _agents(survey)


def _namespace(survey: Survey) -> Iterator[Finding]:
    labels = ((survey.system or {}).get("metadata") or {}).get("labels") or {}
    level = labels.get(ENFORCE, "privileged")
    if level != "privileged":
        yield error(
            f"namespace {survey.namespace}",
            f"Pod Security ({level}) lets no node agent run here: it writes the node's files.",
            _unblocks(survey),
        )


def _operator(survey: Survey, install: str, now: datetime) -> Iterator[Finding]:
    about = f"operator in {survey.namespace}"
    if not survey.operators:
        yield error(about, "There is no operator in this namespace.", install)
        return
    meta = survey.operators[0]["metadata"]
    status = survey.operators[0].get("status") or {}
    deployment = f"deployment/{meta['name']} -n {survey.namespace}"
    if survey.operators[0].get("spec", {}).get("replicas") == 0:
        scale = f"kubectl scale {deployment} --replicas=1"
        yield error(about, "The operator is scaled to 0: nothing is looked after.", scale)
    elif not status.get("availableReplicas"):
        yield error(about, "The operator's pod is not ready.", f"kubectl describe {deployment}")
    elif survey.lacking:
        lacking = ", ".join(map(str, survey.lacking[:5]))
        cure = f"Apply its roles again: {UPGRADE.format(namespace=survey.namespace)}"
        yield error(about, f"The operator lacks rights in the API: {lacking}.", cure)
    elif _is_stale(survey, now):
        logs = f"kubectl logs {deployment}"
        yield error(
            about, "The operator runs, but does not hold its Lease: it acts on nothing.", logs
        )


def _is_stale(survey: Survey, now: datetime) -> bool:
    renewed = ((survey.lease or {}).get("spec") or {}).get("renewTime")
    if not renewed:
        return False
    return now - datetime.fromisoformat(renewed) > timedelta(seconds=LEASE_SECONDS)


def _agents(survey: Survey) -> Iterator[Finding]:
    """Nodes without an agent that runs. What the kubelets and policies say is in Events."""
    for refused in _refusals(survey):
        yield error(
            "node agents", f"No agent's pod may be made: {refused}", _mends(survey, refused)
        )
    if survey.agents.note or survey.nodes is None:
        return
    for node in survey.nodes:
        name = str(node["metadata"]["name"])
        if not nodes.can_have_agent(node) or not nodes.is_ready(node):
            continue
        agent = survey.agents.by_node.get(name)
        describe = (
            f"kubectl describe pods -n {survey.namespace} -l app.kubernetes.io/name=node-agent"
        )
        if agent is None:
            cure = f"kubectl describe daemonset node-agent -n {survey.namespace}"
            yield error(f"node {name}", "No agent runs on this node, so it cannot pull.", cure)
        elif not agent.ready:
            yield error(f"node {name}", "The agent on this node is not ready.", describe)
        elif agent.report is None:
            yield warning(
                f"node {name}",
                f"The agent on this node could not be asked: {agent.silence}",
                "Let the API server through to port 9808 of the agents.",
            )


# Before the words of an Event that stands for several.
_SIMILAR = "(combined from similar events): "


def _refusals(survey: Survey) -> list[str]:
    """What the DaemonSet's controller was told, each once, whatever pod it was."""
    found = [
        re.sub(r'pods "[^"]+"', "a pod", str(event.get("note") or "")).rpartition(_SIMILAR)[2]
        for event in survey.events or ()
        if (event.get("regarding") or {}).get("kind") == "DaemonSet"
        and event.get("reason") == "FailedCreate"
    ]
    wanted = ((survey.daemonset or {}).get("status") or {}).get("currentNumberScheduled")
    return [] if wanted else list(dict.fromkeys(found))[:3]


def _mends(survey: Survey, refused: str) -> str:
    if "PodSecurity" in refused:
        return _unblocks(survey)
    return f"kubectl describe daemonset node-agent -n {survey.namespace}"


def _unblocks(survey: Survey) -> str:
    """One line: the label, and where there is a DaemonSet what makes it try at once."""
    commands = [LABEL, TRY_AGAIN] if survey.daemonset else [LABEL]
    return " && ".join(commands).format(namespace=survey.namespace)


def summary(survey: Survey) -> Finding:
    """What was looked at, so that silence about it means that it is well."""
    counts = (
        f"{len(survey.nodes or ())} nodes",
        f"{sum(agent.report is not None for agent in survey.agents.by_node.values())} agents",
        f"{len(survey.registries)} LocalRegistries",
    )
    return note("looked at", f"{', '.join(counts)}.")
