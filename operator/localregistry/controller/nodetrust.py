"""What all LocalRegistries together mean for the nodes: the trust document and the agents.

The document is computed from all claims and so owned by none. It is also the record of who holds
which name, read back at start.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from localregistry.controller import grants, previews
from localregistry.controller.claims import Claim, Claims, Key
from localregistry.controller.fleet import Fleet, Node, NodesSummary
from localregistry.controller.kinds import CONFIG_MAP, DAEMON_SET
from localregistry.controller.kube import Api
from localregistry.controller.latecomers import late_names
from localregistry.controller.previews import Previews
from localregistry.controller.selection import Selection
from localregistry.resources import claim as claim_resource
from localregistry.resources import node_agent, trust_config
from localregistry.resources.config import OperatorConfig
from localregistry.spec.hosts import Host
from localregistry.spec.nodes import Management, Resolve
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import (
    DOCUMENT_KEY,
    Damaged,
    NodeReason,
    TrustDocument,
    TrustedRegistry,
)

logger = logging.getLogger(__name__)

# Many registries that come at once share one write; a withdrawal never waits.
WRITE_EVERY = 2.0
# Where the document was lost the agents keep what they know. Until the registries have answered
# again, a second or two each, a new document would withdraw them all; one that does not answer for
# this long cannot be pulled from anyway.
REBUILD_PATIENCE = 30.0
REBUILD_LOOK = 1.0


class NodeTrust:
    """`wake(key)` has a LocalRegistry reconciled, `wake_trust()` this; both may come at any time.

    `tell(node)` has a node's task renewed. `clock` is monotonic, `now` seconds since the epoch.
    """

    def __init__(
        self,
        api: Api,
        config: OperatorConfig,
        fleet: Fleet,
        *,
        wake: Callable[[Key], None],
        wake_trust: Callable[[], None],
        tell: Callable[[str], None],
        port: int = 80,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._config = config
        self._fleet = fleet
        self._wake = wake
        self._wake_trust = wake_trust
        self._tell = tell
        self._port = port
        self._clock = clock
        self._now = now
        self.claims = Claims(config.host_policy)
        self.selection = Selection(covered=fleet.covered)
        self.document = TrustDocument()
        self._installed = False
        # No document was found at the start, and none has been written since.
        self._missing = False
        self._left_out: frozenset[str] = frozenset()
        self._written_at = float("-inf")
        self._rebuild_until = float("-inf")

    async def load(self) -> None:
        """Reads the document back that an earlier process wrote."""
        namespace = self._config.namespace
        body = await self._api.get(CONFIG_MAP, namespace, trust_config.NAME)
        if body is None:
            agents = await self._api.get(DAEMON_SET, namespace, node_agent.NAME)
            self._installed = agents is not None
            self._missing = True
            self._rebuild()
        else:
            self._installed = True
            try:
                self.document = TrustDocument.from_json((body.get("data") or {})[DOCUMENT_KEY])
            except (KeyError, Damaged) as error:
                logger.warning("The trust document is damaged and is made anew: %s", error)
                self._rebuild()
        self._fleet.remember(self.document)

    # What a LocalRegistry's own reconcile says and asks

    def seen(self, registry: LocalRegistry) -> Claim:
        """Takes in what the spec claims; address and reachability stay as they are known."""
        self._recall(registry)
        claim = self._claimed(registry)
        return self.update(claim, late=late_names(registry))

    def lost(self, uid: str) -> bool:
        """Whether the document was lost, and what it said of this LocalRegistry is not back."""
        return self._clock() < self._rebuild_until and not self.covers(uid)

    def frozen(self, registry: LocalRegistry, *, address: str = "") -> None:
        """A suspended LocalRegistry keeps exactly the trust that it has.

        `address` is that of its Service: where the document was lost it is needed to go on.
        """
        self._recall(registry)
        claim, entry = self._claimed(registry), self._entry(registry.uid)
        if entry:
            claim = grants.with_trust(claim, entry)
        elif self.lost(registry.uid):
            claim = grants.with_record(claim, registry.status, address or claim.address)
        else:
            claim = grants.without_trust(claim)
        self.update(claim, late=late_names(registry))

    def _claimed(self, registry: LocalRegistry) -> Claim:
        key = (registry.namespace, registry.name)
        known = self.claims.get(key)
        entry = self._entry(registry.uid)
        if known is None or known.uid != registry.uid:
            known = None
        nodes = registry.spec.nodes
        claim = Claim(
            uid=registry.uid,
            namespace=registry.namespace,
            name=registry.name,
            created=registry.created,
            host=registry.spec.host,
            aliases=registry.spec.aliases,
            managed=nodes.management is not Management.UNMANAGED,
            address=known.address if known else entry.address if entry else "",
            port=self._port,
            reachable=known.reachable if known else self.told_as(registry.uid, preview=False),
            preview=nodes.management is Management.PREVIEW,
            dns=nodes.resolve is Resolve.DNS,
            selector=nodes.selector,
            volume=claim_resource.claim_name(registry) or "",
        )
        claim = self.claims.permitted(claim)
        served: bool | None = None
        if known and known.hosts == claim.hosts:
            served = known.served
        elif all(self.covers(registry.uid, host) for host in (claim.host, *claim.aliases)):
            served = True
        return replace(claim, served=served)

    def update(self, claim: Claim, *, late: Collection[str] = ()) -> Claim:
        """Records a claim as far as the policy has it, and returns that.

        Where it is news, the document and the rivals are looked at again; `late` as Claims.put.
        """
        claim = self.claims.permitted(claim)
        before = self.claims.get(claim.key)
        if before == claim:
            return claim
        self.claims.put(claim, late=late)
        self.selection.put(claim.uid, claim.selector, frozen=claim.frozen)
        self._wake_trust()
        if before is None or before.hosts != claim.hosts or before.uid != claim.uid:
            # Those who may now have a name that it had, and those who may no longer have its new.
            for changed in filter(None, (before, claim)):
                self._wake_rivals(changed)
        return claim

    def known(self) -> set[Key]:
        """All that claim something or are trusted."""
        owners = {
            (ns, name) for ns, _, name in (e.owner.partition("/") for e in self.document.registries)
        }
        return owners | {claim.key for claim in self.claims}

    def drop(self, key: Key) -> None:
        """This LocalRegistry claims nothing any more: it is gone, going, or cannot be read."""
        before = self.claims.drop(key)
        if before:
            self._wake_trust()
            self._wake_rivals(before)

    def holders(self, claim: Claim) -> dict[str, Claim]:
        """Who else holds names of this claim, by name; nothing where all are this one's."""
        found = {name: self.claims.holder(name, self.document) for name in sorted(claim.names)}
        return {
            name: holder for name, holder in found.items() if holder and holder.key != claim.key
        }

    def covers(self, uid: str, host: Host | None = None) -> bool:
        """Whether nodes are told of it, and by this name, where one is given."""
        entry = self._entry(uid)
        return entry is not None and (host is None or str(host) in entry.names)

    def told_as(self, uid: str, *, preview: bool) -> bool:
        """Whether nodes are told to trust it, or, for a preview, what to look at."""
        entry = self._entry(uid)
        return entry is not None and entry.preview == preview

    def left_out(self, uid: str) -> bool:
        """Whether the document had no room for it."""
        return uid in self._left_out

    def trusted_hosts(self) -> int:
        """How many names nodes are told to trust."""
        return sum(len(e.names) for e in self.document.registries if not e.preview)

    def failed_pulls(self, uid: str) -> bool:
        """Whether some node could not pull the probe image: it may be gone from the registry."""
        return any(
            uid in report.exceptions and report.exceptions[uid].reason is NodeReason.PULL_FAILED
            for report in self._fleet.reports.values()
        )

    def summarize(self, registry: LocalRegistry) -> NodesSummary | None:
        """The nodes for this registry; None while the agents have not all been asked once."""
        if not self._fleet.surveyed:
            return None
        conditions = registry.status.get("conditions") or ()
        settled = any(c["type"] == "NodesReady" and c["status"] == "True" for c in conditions)
        selector = registry.spec.nodes.selector
        return self._fleet.summarize(
            registry.uid, self.document, selector, now=self._now(), settled=settled
        )

    def previews(self, registry: LocalRegistry) -> Previews | None:
        """What nodes would change for this registry; None while they have not all been asked."""
        if not self._fleet.surveyed:
            return None
        selector = registry.spec.nodes.selector
        return previews.collect(self._fleet, registry.uid, self.document, selector)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes, as they are known now."""
        return self._fleet.nodes

    def excluded(self, node: str) -> tuple[str, ...]:
        """The registries that leave this node out."""
        known, pod = self._fleet.nodes.get(node), self._fleet.pods.get(node)
        if known is None:
            return ()
        return self.selection.excluded(self.document, known, pod.task if pod else "")

    def still_trusting(self, uid: str) -> dict[str, str]:
        """Ready nodes that have not confirmed the withdrawal, and why; none without agents."""
        return self._fleet.still_trusting(uid, self.document) if self._installed else {}

    # The reconcile of the nodes' side

    async def reconcile(self) -> float | None:
        """Writes document and DaemonSet where they differ; returns when to look again, if ever."""
        self.selection.keep({claim.uid for claim in self.claims} | self.document.by_uid.keys())
        decided = grants.decide(self.claims, self.document)
        if not (self._installed or any(claim.managed for claim in self.claims)):
            return None
        if self._rebuilding():
            return REBUILD_LOOK
        before, after = self.document, decided.document
        wait = self._written_at + WRITE_EVERY - self._clock()
        if before != after and wait > 0 and not _withdraws(before, after):
            return wait
        await self._api.apply(CONFIG_MAP, trust_config.build(after, self._config))
        news, self._left_out = self._left_out ^ decided.left_out, decided.left_out
        self._installed, self._missing = True, False
        if before != after:
            self._written_at = self._clock()
            self._announce(before, after)
        for claim in self.claims:
            # A document that is full may stay as it is when one more has no room in it.
            if claim.uid in news:
                self._wake(claim.key)
        # Before the DaemonSet: where that is refused, running agents must withdraw all the same.
        for node in self._fleet.pods:
            self._tell(node)
        await self._api.apply(DAEMON_SET, node_agent.build(self._config))
        return None

    def _recall(self, registry: LocalRegistry) -> None:
        """Neither document nor agents are there, as where the namespace was deleted and all is
        installed anew: nodes may go on as they were told before."""
        if self._missing and not self._installed and grants.told(registry.status):
            self._installed = True
            self._rebuild()

    def _rebuild(self) -> None:
        if self._installed:
            self._rebuild_until = self._clock() + REBUILD_PATIENCE

    def _rebuilding(self) -> bool:
        """Whether the document is lost and some registry has not answered yet."""
        if self._clock() >= self._rebuild_until:
            return False
        for claim in self.claims:
            holds = self.claims.holder(claim.host.name, self.document) == claim
            if claim.managed and holds and not (claim.reachable or claim.preview):
                return True
        self._rebuild_until = float("-inf")
        return False

    def _announce(self, before: TrustDocument, after: TrustDocument) -> None:
        self.document = after
        self._fleet.remember(after)
        old, new = before.by_uid, after.by_uid
        changed = {uid for uid in old.keys() | new.keys() if old.get(uid) != new.get(uid)}
        for uid in sorted(changed):
            entry = new.get(uid) or old[uid]
            verb = "Withdrew" if uid not in new else "Previews" if entry.preview else "Granted"
            logger.info(
                "%s trust in %s for LocalRegistry %s", verb, ", ".join(entry.names), entry.owner
            )
        for claim in self.claims:
            if claim.uid in changed:
                self._wake(claim.key)
                self._wake_rivals(claim)

    def _wake_rivals(self, claim: Claim) -> None:
        for rival in self.claims.rivals(claim):
            self._wake(rival.key)

    def _entry(self, uid: str) -> TrustedRegistry | None:
        return self.document.by_uid.get(uid)


def _withdraws(before: TrustDocument, after: TrustDocument) -> bool:
    """Whether a registry or a name is taken out, or nodes are to change nothing for it any more."""
    new = after.by_uid
    return any(
        entry.uid not in new
        or set(entry.names) - set(new[entry.uid].names)
        or (new[entry.uid].preview and not entry.preview)
        for entry in before.registries
    )
