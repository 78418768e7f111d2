"""Which of a LocalRegistry's names are its own: by the policy, and by who holds them.

Pure. A host that it may not have is told instead of everything else: without it nothing is trusted
and nothing exposed. An alias that it may not have is left out alone, and told while it lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from localregistry.controller.claims import Claim
from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

Problem = tuple[Reason, str]


@dataclass(frozen=True)
class Naming:
    """`host` and `alias`: what is wrong, if anything. `served`: the registry with the aliases that
    it has."""

    served: LocalRegistry
    host: Problem | None = None
    alias: Problem | None = None

    @classmethod
    def judge(
        cls, registry: LocalRegistry, *, policy: HostPolicy, holders: Mapping[str, Claim]
    ) -> Naming:
        """`holders`: who else holds a name, by name."""
        spec, namespace = registry.spec, registry.namespace
        refused = policy.refused(namespace, spec.aliases)
        held = [one for one in spec.aliases if one.name in holders and one not in refused]
        lost = {*refused, *held}
        kept = tuple(one for one in spec.aliases if one not in lost)
        served = replace(registry, spec=replace(spec, aliases=kept))
        alias: Problem | None = None
        if refused:
            alias = not_allowed(registry, policy, *refused)
        elif held:
            alias = _conflict(held[0], holders, "choose another alias, or take it out")
        host: Problem | None = None
        if not policy.allows(namespace, spec.host):
            host = not_allowed(registry, policy, spec.host)
        elif spec.host.name in holders:
            host = _conflict(spec.host, holders, "choose another host, or delete that one")
        return cls(served, host, alias)


def not_allowed(registry: LocalRegistry, policy: HostPolicy, *refused: Host) -> Problem:
    words = policy.sentence(registry.namespace, refused)
    return Reason.HOST_NOT_ALLOWED, f"{words}. Ask who administers the cluster, or change the spec"


def _conflict(host: Host, holders: Mapping[str, Claim], way_out: str) -> Problem:
    holder = holders[host.name]
    words = f"{host.name} is held by LocalRegistry {holder.namespace}/{holder.name}: {way_out}"
    return Reason.HOST_CONFLICT, words
