"""What the operator's administrator decides for all registries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from localregistry.spec.policy import HostPolicy
from localregistry.version import VERSION

# About 24 MiB with the page cache of its files, and 16 MiB for the CRI call's process.
AGENT_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "5m", "memory": "24Mi"},
    "limits": {"memory": "96Mi"},
}


@dataclass(frozen=True)
class OperatorConfig:
    """The images, and where the objects that exist once for the cluster live.

    `image_pull_secrets` are Secrets of `namespace`, so they serve the agent's pods only; a
    registry's pod takes those of its own resource. `agent_privileged=False` gives the agent the
    least that works: root in the host's pid namespace, and no capability. `agent_resources` are the
    requests and limits of its container, as in a pod. `host_policy`: which namespaces may declare
    which hosts. `hosting`: the one LocalRegistry that is annotated for it is named to tools, in
    kube-public, with `hosting_help` as the address of a page for those who cannot push ("": none).
    """

    namespace: str = "localregistry-system"
    registry_image: str = "docker.io/library/registry:3.1.1"
    agent_image: str = f"docker.io/localregistry/agent:{VERSION}"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    agent_privileged: bool = True
    agent_resources: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: AGENT_RESOURCES
    )
    host_policy: HostPolicy = field(default_factory=HostPolicy)
    hosting: bool = False
    hosting_help: str = ""
