"""Which of a LocalRegistry's names it came to late, as an operator that starts finds it out: pure.

Whoever moves to a name, however old it is, comes after those that claim it already. An operator
that runs sees the move; one that starts sees only where everybody is, and what was written of it.
"""

from __future__ import annotations

from localregistry.spec.conditions import ConditionType, observed_generation
from localregistry.spec.hosts import name_of
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

# It asked, and might not have it.
REFUSED = {Reason.HOST_CONFLICT, Reason.HOST_NOT_ALLOWED}


def late_names(registry: LocalRegistry) -> frozenset[str]:
    """By name, without ports; none of a LocalRegistry that no operator has looked at yet.

    The status names no alias. Where it says that one was refused, or the spec has changed since,
    all are late: it matters only for those that somebody else wants too.
    """
    status = registry.status
    seen = observed_generation(status)
    if not seen:
        return frozenset()
    reasons = {c.get("type"): c.get("reason") for c in status.get("conditions") or ()}
    before = name_of(str(status.get("url") or "").partition("://")[2])
    host, aliases = registry.spec.host.name, {one.name for one in registry.spec.aliases}
    moved = before not in ("", host)
    late: set[str] = set()
    if moved or reasons.get(ConditionType.EXPOSED.value) in REFUSED:
        late.add(host)
    if seen != registry.generation or reasons.get(ConditionType.NODES_READY.value) in REFUSED:
        late |= aliases
    return frozenset(late)
