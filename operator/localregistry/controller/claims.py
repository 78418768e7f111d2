"""What all LocalRegistries claim, and who holds which name: pure, and without a search through all.

The UID in the trust document keeps a name; among claimants without a holder the oldest gets it, and
one that came to the name by a change comes after those that were made with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TypeVar

from localregistry.spec.hosts import Host, name_of
from localregistry.spec.policy import HostPolicy
from localregistry.spec.selector import Selector
from localregistry.trust import TrustDocument, TrustedRegistry

Key = tuple[str, str]
_Name = TypeVar("_Name")


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
        # Who claims a name, and who writes to a volume: to ask all claims for each of theirs would
        # take n times n looks.
        self._by_name: dict[str, dict[Key, Claim]] = {}
        self._by_volume: dict[tuple[str, str], dict[Key, Claim]] = {}
        # Names that a LocalRegistry came to by a change of its spec: since when, and in what order.
        self._came: dict[tuple[str, str], tuple[str, int]] = {}
        self._count = itertools.count(1)

    def __iter__(self) -> Iterator[Claim]:
        return iter(list(self._by_key.values()))

    def get(self, key: Key) -> Claim | None:
        return self._by_key.get(key)

    def older_writer(self, claim: Claim) -> Claim | None:
        """An older LocalRegistry that writes to the same volume: two would damage it."""
        if not claim.volume:
            return None
        writers = self._by_volume.get((claim.namespace, claim.volume), {}).values()
        oldest = min(writers, key=lambda writer: writer.age, default=claim)
        return oldest if oldest.age < claim.age else None

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
            self._unlist(before)
        self._by_key[claim.key] = claim
        for name in claim.names:
            self._by_name.setdefault(name, {})[claim.key] = claim
        self._by_volume.setdefault((claim.namespace, claim.volume), {})[claim.key] = claim

    def drop(self, key: Key) -> Claim | None:
        before = self._by_key.pop(key, None)
        if before:
            self._unlist(before)
            self._forget(before)
        return before

    def _unlist(self, claim: Claim) -> None:
        for name in claim.names:
            _take_out(self._by_name, name, claim.key)
        _take_out(self._by_volume, (claim.namespace, claim.volume), claim.key)

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


def _take_out(index: dict[_Name, dict[Key, Claim]], name: _Name, key: Key) -> None:
    del index[name][key]
    if not index[name]:
        del index[name]


# As many as a document holds, twice: its entries, and those that follow them.
@lru_cache(maxsize=4096)
def _names(entry: TrustedRegistry) -> frozenset[str]:
    return frozenset(map(name_of, entry.names))
