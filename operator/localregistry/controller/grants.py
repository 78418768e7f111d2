"""Who may have which name trusted by the nodes: pure decisions over all LocalRegistries.

Whoever makes nodes trust a name can take over every pull of it, so a name (without its port: nodes
have one hosts line and the Ingress one host) has one holder, be it by host or by alias. The UID in
the trust document keeps the name; among claimants without a holder the oldest gets it, and one that
came to the name by a change comes after those that were made with it. What the administrator's
policy does not let a namespace declare is no claim at all.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from localregistry.resources import probe_image
from localregistry.spec.conditions import ConditionType
from localregistry.spec.hosts import Host, InvalidHost, name_of
from localregistry.spec.policy import HostPolicy
from localregistry.spec.reasons import Reason
from localregistry.spec.selector import Selector
from localregistry.trust import MAX_DOCUMENT_BYTES, TrustDocument, TrustedRegistry

Key = tuple[str, str]

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
class Claim:
    """What one living LocalRegistry wants of the nodes, as of its last reconcile.

    `managed`: nodes are told of it; with `preview` they only say what they would change, with `dns`
    they resolve the name themselves. `selector` says which nodes; `frozen`: it is suspended.
    `address` is its Service's cluster IP ("" while there is none). `reachable` tells that the
    registry has answered and holds the probe image: nodes are never pointed at what cannot answer.
    `served`: whether the Service has the ports of host and aliases; None since one of them was
    changed, until the reconcile has come to the Service. `allowed`: whether the policy grants the
    host; `aliases` are those that it grants. `volume` is the PersistentVolumeClaim that it writes
    to, "" for none.
    """

    uid: str
    namespace: str
    name: str
    created: str
    host: Host
    managed: bool
    aliases: tuple[Host, ...] = ()
    allowed: bool = True
    address: str = ""
    port: int = 80
    reachable: bool = False
    served: bool | None = None
    preview: bool = False
    dns: bool = False
    selector: Selector = field(default_factory=Selector)
    frozen: bool = False
    volume: str = ""

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All that it may have if nobody else has it: without the host no alias either."""
        return (self.host, *self.aliases) if self.allowed else ()

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(host.name for host in self.hosts)

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts older first: RFC 3339 times of one server sort as text."""
        return self.created, self.namespace, self.name


class Claims:
    """The claims of all LocalRegistries, by namespace and name, as far as the policy has them."""

    def __init__(self, policy: HostPolicy | None = None) -> None:
        self.policy = policy or HostPolicy()
        self._by_key: dict[Key, Claim] = {}
        # Who claims a name: to ask all claims for each of theirs would take n times n looks.
        self._by_name: dict[str, dict[Key, Claim]] = {}
        # Names that a LocalRegistry came to by a change of its spec: since when, and in what order.
        self._came: dict[tuple[str, str], tuple[str, int]] = {}
        self._count = itertools.count(1)

    def __iter__(self) -> Iterator[Claim]:
        return iter(list(self._by_key.values()))

    def get(self, key: Key) -> Claim | None:
        return self._by_key.get(key)

    def older_writer(self, claim: Claim) -> Claim | None:
        """An older LocalRegistry that writes to the same volume: two would damage it."""
        others = [
            other
            for other in self
            if (other.namespace, other.volume) == (claim.namespace, claim.volume)
            and claim.volume
            and other.age < claim.age
        ]
        return min(others, key=lambda other: other.age, default=None)

    def permitted(self, claim: Claim) -> Claim:
        """The claim without what the policy does not grant its namespace."""
        allowed = self.policy.allows(claim.namespace, claim.host)
        kept = tuple(one for one in claim.aliases if self.policy.allows(claim.namespace, one))
        return replace(claim, allowed=allowed, aliases=kept)

    def put(self, claim: Claim, *, late: Collection[str] = ()) -> None:
        """`claim` is one that was `permitted`. Where it is a new one, it has come to the names in
        `late` after those that claim them already."""
        before = self._by_key.get(claim.key)
        if before and before.uid == claim.uid:
            for name in before.names - claim.names:
                self._came.pop((claim.uid, name), None)
            late = claim.names - before.names
        elif before:
            self._forget(before)
        for name in claim.names.intersection(late):
            # Before those that are made from now on.
            since = max([claim.created, *(self._since(c, name)[0] for c in self._claimants(name))])
            self._came[claim.uid, name] = since, next(self._count)
        if before:
            self._unname(before)
        self._by_key[claim.key] = claim
        for name in claim.names:
            self._by_name.setdefault(name, {})[claim.key] = claim

    def drop(self, key: Key) -> Claim | None:
        before = self._by_key.pop(key, None)
        if before:
            self._unname(before)
            self._forget(before)
        return before

    def _unname(self, claim: Claim) -> None:
        for name in claim.names:
            claimants = self._by_name[name]
            del claimants[claim.key]
            if not claimants:
                del self._by_name[name]

    def _forget(self, claim: Claim) -> None:
        for name in claim.names:
            self._came.pop((claim.uid, name), None)

    def rivals(self, claim: Claim) -> list[Claim]:
        """The others that claim one of its names."""
        found = {c.key: c for name in sorted(claim.names) for c in self._claimants(name)}
        found.pop(claim.key, None)
        return list(found.values())

    def holder(self, name: str, document: TrustDocument) -> Claim | None:
        """Whose the name is: the living claim that nodes trust already, else the oldest."""
        claimants = self._claimants(name)
        for claim in claimants:
            entry = document.by_uid.get(claim.uid)
            if entry and name in _names(entry):
                return claim
        return min(
            claimants,
            key=lambda claim: (self._since(claim, name), claim.age),
            default=None,
        )

    def _claimants(self, name: str) -> list[Claim]:
        return list(self._by_name.get(name, {}).values())

    def _since(self, claim: Claim, name: str) -> tuple[str, int]:
        """Sorts those first that claimed the name first."""
        return self._came.get((claim.uid, name), (claim.created, 0))


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
def _names(entry: TrustedRegistry) -> frozenset[str]:
    return frozenset(map(name_of, entry.names))


@lru_cache(maxsize=4096)
def _bytes(entry: TrustedRegistry) -> int:
    alone = TrustDocument((entry,)).to_json()
    # One entry costs what the document grows by, and a comma.
    return len(alone) - len(TrustDocument().to_json()) + len(json.dumps(", "))
