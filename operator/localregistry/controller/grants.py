"""Who may have which name trusted by the nodes: pure decisions over all LocalRegistries.

Whoever makes nodes trust a name can take over every pull of it, so a name (without its port: nodes
have one hosts line and the Ingress one host) has one holder, be it by host or by alias. What the
administrator's policy does not let a namespace declare is no claim at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from localregistry.controller.claims import Claim, Claims
from localregistry.resources import probe_image
from localregistry.spec.conditions import ConditionType
from localregistry.spec.hosts import Host, InvalidHost, name_of
from localregistry.spec.reasons import Reason
from localregistry.trust import MAX_DOCUMENT_BYTES, TrustDocument, TrustedRegistry

# The reasons of NodesReady that are found only where nodes have been told of the registry.
TOLD = {
    Reason.NODES_CONFIGURED,
    Reason.NODES_PENDING,
    Reason.NODES_FAILING,
    Reason.NO_ELIGIBLE_NODES,
    Reason.NO_NODES_SELECTED,
    Reason.PREVIEW,
}


@dataclass(frozen=True)
class Grants:
    """The next trust document, and the UIDs that it had no room for."""

    document: TrustDocument
    left_out: frozenset[str] = frozenset()


def decide(claims: Claims, current: TrustDocument, *, limit: int = MAX_DOCUMENT_BYTES) -> Grants:
    """The document that the claims deserve.

    A registry enters when it can be pulled from, and stays while it is managed, even when it does
    not answer for a while: withdrawing trust would not mend it. For a preview an address is enough,
    and a preview it stays until it has answered. Where not all fit, those that are in the document
    already stay, then the older ones come first.
    """
    trusted = current.by_uid
    granted: list[tuple[Claim, TrustedRegistry]] = []
    for claim in claims:
        entry = _deserved(claim, trusted.get(claim.uid), claims, current)
        if entry:
            known = trusted.get(claim.uid)
            # One object as long as it says the same, so that what is derived from it is kept.
            granted.append((claim, known if known == entry else entry))
    granted.sort(key=lambda pair: (pair[0].uid not in trusted, pair[0].age))
    entries: list[TrustedRegistry] = []
    left_out: set[str] = set()
    size = len(TrustDocument().to_json())
    for claim, entry in granted:
        size += _bytes(entry)
        if size > limit:
            left_out.add(claim.uid)
        else:
            entries.append(entry)
    return Grants(TrustDocument(tuple(sorted(entries, key=lambda e: e.uid))), frozenset(left_out))


def _deserved(
    claim: Claim, entry: TrustedRegistry | None, claims: Claims, current: TrustDocument
) -> TrustedRegistry | None:
    """The entry of one claim, which has `entry` now; None where it is to have none.

    The host decides; an alias that another holds is left out, and the rest is served all the same.
    """
    if not (
        claim.allowed
        and claim.managed
        and claim.address
        and (claim.reachable or claim.preview or entry)
    ):
        return None
    if claim.served is None and entry:
        # In the moment between the change of the host and that of the Service a node would be
        # pointed at a port that is not there yet. A name that another waits for is given up.
        kept = tuple(
            name
            for name in entry.names
            if claims.holder(name_of(name), current) in (None, claim)
            and claims.policy.allows(claim.namespace, Host.parse_alias(name))
        )
        return replace(entry, names=kept) if kept[:1] == entry.names[:1] else None
    if claim.served and claims.holder(claim.host.name, current) == claim:
        configured = entry is not None and not entry.preview
        held = [host for host in claim.hosts if claims.holder(host.name, current) == claim]
        return _entry(claim, held, preview=claim.preview or not (claim.reachable or configured))
    return None


def with_trust(claim: Claim, entry: TrustedRegistry) -> Claim:
    """The claim of a suspended LocalRegistry that nodes were told of: as they know it now."""
    return replace(
        claim,
        host=Host.parse(entry.names[0]),
        aliases=tuple(map(Host.parse_alias, entry.names[1:])),
        address=entry.address,
        port=entry.port,
        dns=entry.dns,
        preview=entry.preview,
        managed=True,
        reachable=not entry.preview,
        served=True,
        frozen=True,
    )


def told(status: Mapping[str, Any]) -> bool:
    """Whether, by its own status, nodes were told of a LocalRegistry."""
    return _nodes_reason(status) in TOLD or bool((status.get("nodes") or {}).get("ready"))


def _nodes_reason(status: Mapping[str, Any]) -> str | None:
    conditions = {c.get("type"): c.get("reason") for c in status.get("conditions") or ()}
    return conditions.get(ConditionType.NODES_READY.value)


def with_record(claim: Claim, status: Mapping[str, Any], address: str) -> Claim:
    """The claim of a suspended LocalRegistry after the document was lost, by its own status.

    Without an address it waits for one. The status tells no aliases: they are the spec's,
    where the host is.
    """
    try:
        host = Host.parse(str(status.get("url") or "").partition("://")[2])
    except InvalidHost:
        return without_trust(claim)
    if not told(status):
        return without_trust(claim)
    preview = _nodes_reason(status) == Reason.PREVIEW
    return replace(
        claim,
        host=host,
        aliases=claim.aliases if host == claim.host else (),
        address=address,
        preview=preview,
        managed=True,
        reachable=bool(address) and not preview,
        served=True,
        frozen=True,
    )


def without_trust(claim: Claim) -> Claim:
    """The claim of a suspended LocalRegistry that nodes know nothing of: so it shall stay."""
    return replace(claim, managed=False, frozen=True)


def _entry(claim: Claim, held: Iterable[Host], *, preview: bool) -> TrustedRegistry:
    return TrustedRegistry(
        uid=claim.uid,
        owner=f"{claim.namespace}/{claim.name}",
        names=tuple(map(str, held)),
        address=claim.address,
        port=claim.port,
        probe=probe_image.trust_probe(claim.host, claim.uid),
        dns=claim.dns,
        preview=preview,
    )


# As many as a document holds, twice: its entries, and those that follow them.
@lru_cache(maxsize=4096)
def _bytes(entry: TrustedRegistry) -> int:
    alone = TrustDocument((entry,)).to_json()
    # One entry costs what the document grows by, and a comma.
    return len(alone) - len(TrustDocument().to_json()) + len(json.dumps(", "))
