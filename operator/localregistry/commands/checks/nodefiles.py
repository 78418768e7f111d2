"""Each node: what its agent reports, or before there are agents what its runtime makes likely."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localregistry.commands import nodes
from localregistry.commands.cluster import Body
from localregistry.commands.findings import Finding, error, warning
from localregistry.commands.survey import Survey
from localregistry.trust import NodeReason

KNOWN = ("docker", "containerd", "cri-o")
# Systems whose /etc cannot be written to, as the kubelet names them.
READ_ONLY = ("Bottlerocket", "Talos", "Container-Optimized OS", "Flatcar")
# From this release containerd has a config_path without being told.
WITH_CONFIG_PATH = (2, 2)
LEAVE_OUT = "Leave this node out: spec.nodes.selector."


def check(survey: Survey) -> Iterator[Finding]:
    """Reported faults of every registry; forecasts where no operator is."""
    owners = {str(one.registry["metadata"].get("uid")): one.about for one in survey.registries}
    for node in survey.nodes or ():
        if not nodes.can_have_agent(node):
            continue
        name = str(node["metadata"]["name"])
        agent = survey.agents.by_node.get(name)
        if not nodes.is_ready(node):
            yield warning(
                f"node {name}",
                f"This node is not Ready, so that nobody waits for it: {_kubelets_words(node)}.",
                f"kubectl describe node {name}, and on it the log of its kubelet and its runtime.",
            )
        # Once there is an operator its agents say how it is.
        if survey.operators == []:
            yield from _forecast(node, f"node {name}")
        if agent is None or agent.report is None:
            continue
        for uid, result in agent.report.exceptions.items():
            if uid in owners and result.reason is not NodeReason.PENDING:
                sentence = f"{owners[uid]} cannot be pulled from on this node: {result.reason}."
                yield error(f"node {name}", sentence, result.message)
    yield from _told(survey)


def _kubelets_words(node: Body) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    said: Body = next((c for c in conditions if c.get("type") == "Ready"), {})
    return str(said.get("message") or said.get("reason") or "no kubelet has answered").rstrip(".")


def _told(survey: Survey) -> Iterator[Finding]:
    """From the status, where agents could not be asked themselves."""
    for one in survey.registries:
        status = (one.registry.get("status") or {}).get("nodes") or {}
        for failing in status.get("failing") or ():
            name = str(failing.get("name"))
            agent = survey.agents.by_node.get(name)
            if agent is None or agent.report is None:
                sentence = f"{one.about} cannot be pulled from on this node: {failing['reason']}."
                yield error(f"node {name}", sentence, str(failing.get("message") or ""))


def _forecast(node: Body, about: str) -> Iterator[Finding]:
    runtime, version = nodes.runtime_of(node)
    system = str(((node.get("status") or {}).get("nodeInfo") or {}).get("osImage") or "")
    if runtime not in KNOWN:
        yield error(
            about, f"The runtime {runtime} {version} is not one that is configured.", LEAVE_OUT
        )
    elif runtime == "containerd" and _release(version) < WITH_CONFIG_PATH and not _is_k3s(node):
        yield warning(
            about,
            f"containerd {version} has no config_path by itself, and without one reads no registry "
            "directory.",
            f"On this node: {_line(version)}, and restart containerd, unless it is there already.",
        )
    if any(name in system for name in READ_ONLY):
        yield warning(
            about,
            f"{system} may not let the runtime's configuration below /etc be written.",
            "Try it by spec.nodes.management: Preview, which writes nothing. " + LEAVE_OUT,
        )


def _release(version: str) -> tuple[int, int]:
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _line(version: str) -> str:
    plugin = (
        "[plugins.'io.containerd.cri.v1.images'.registry]"
        if _release(version) >= (2, 0)
        else '[plugins."io.containerd.grpc.v1.cri".registry]'
    )
    return f'{plugin} config_path = "/etc/containerd/certs.d" in /etc/containerd/config.toml'


def _is_k3s(node: Body) -> bool:
    """They generate the whole configuration, and ask for no line in it."""
    kubelet = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
    return "+k3s" in kubelet or "+rke2" in kubelet
