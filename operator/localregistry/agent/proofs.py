"""What a pull proved, and for how long that holds."""

from __future__ import annotations

import hashlib

from localregistry.agent.inputs import Goal
from localregistry.agent.writer import Detected, Plan
from localregistry.trust import NodeResult, TrustedRegistry


def keys(goal: Goal, plan: Plan, found: Detected | NodeResult) -> dict[str, str]:
    """UID → what its proof will be proof of, for all that the plan serves."""
    identity = found.identity if isinstance(found, Detected) else ""
    wanted = {registry.uid: registry for registry in goal.registries}
    return {uid: key(wanted[uid], identity, text) for uid, text in plan.entries.items()}


def key(registry: TrustedRegistry, identity: str, entry: str) -> str:
    """A proof holds for this registry, this start of the runtime, this text on the node."""
    text = "\0".join([registry.digest(), identity, entry])
    return hashlib.sha256(text.encode()).hexdigest()
