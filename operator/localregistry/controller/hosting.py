"""Names one LocalRegistry to tools, in the ConfigMap kube-public/local-registry-hosting (KEP-1755).

Level-triggered, as the nodes' trust is: computed from all LocalRegistries that are annotated for
it, and so owned by none. The oldest of them is named; the others are told which. A ConfigMap that
somebody else made is left as it is. Nothing is asked of the API server where the operator's
administrator has not turned it on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CONFIG_MAP, Kind
from localregistry.controller.kube import ABSENT, Api
from localregistry.controller.nodetrust import NodeTrust
from localregistry.resources import hosting
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

# The key of all this in the work queue; no namespace has this name.
HOSTING: Key = ("", hosting.NAME)
# No watch tells of somebody else's ConfigMap that goes, nor of a right that is given. A look is one
# GET, and only while a registry waits for it.
LOOK_AGAIN = 60.0

WHERE = f"{hosting.NAMESPACE}/{hosting.NAME}"
OFF = (
    f"Tools do not find it by {WHERE}: whoever administers the operator turns that on, by the"
    " chart's localRegistryHosting.enabled"
)
FOREIGN = (
    f"Tools do not find it: ConfigMap {WHERE} was not made by this operator and is left as it is."
    " Delete that, or take the annotation away"
)
NOT_ITS_HOST = f"Tools do not find it by {WHERE}, as its host is not its own"


@dataclass(frozen=True)
class _Candidate:
    """One that is annotated. `holds`: its host is its own; `frozen`: it is suspended."""

    key: Key
    uid: str
    created: str
    holds: bool
    frozen: bool
    wanted: dict[str, Any]


class Hosting:
    """`wake(key)` has a LocalRegistry reconciled, `wake(HOSTING)` this."""

    def __init__(
        self, api: Api, config: OperatorConfig, trust: NodeTrust, *, wake: Callable[[Key], None]
    ) -> None:
        self._api = api
        # Where it is not, a run asks nothing, and would count as one that ended well.
        self.enabled = config.hosting
        self._help = config.hosting_help
        self._trust = trust
        self._wake = wake
        self._by_key: dict[Key, _Candidate] = {}
        self._told: dict[Key, str] = {}
        # Of the ConfigMap as it was last seen, while it is ours.
        self._uid: str | None = None

    def seen(self, registry: LocalRegistry) -> None:
        """Takes in whether it is annotated, and whose its host is now."""
        key = (registry.namespace, registry.name)
        if not hosting.asked(registry):
            self.drop(key)
            return
        claim = self._trust.claims.get(key)
        candidate = _Candidate(
            key=key,
            uid=registry.uid,
            created=registry.created,
            holds=bool(
                claim and claim.allowed and claim.host.name not in self._trust.holders(claim)
            ),
            frozen=registry.spec.suspend,
            wanted=hosting.build(registry, help_page=self._help),
        )
        if self._by_key.get(key) != candidate:
            self._by_key[key] = candidate
            self._wake(HOSTING)

    def drop(self, key: Key) -> None:
        """It is gone, going, cannot be read, or is not annotated any more."""
        if self._by_key.pop(key, None):
            self._wake(HOSTING)

    def verdict(self, key: Key) -> str:
        """What its user is told: a sentence, or "" where there is nothing to tell."""
        return self._told.get(key, "") if key in self._by_key else ""

    def known(self, kind: Kind) -> dict[str, Key]:
        """The ConfigMap by UID, for the roll call after a watch that was away."""
        return {self._uid: HOSTING} if self._uid and kind == CONFIG_MAP else {}

    async def reconcile(self) -> float | None:
        """When to look again unasked. Raises ApiError where it must be tried again."""
        problem, chosen = OFF, None
        if self.enabled:
            live = None
            try:
                live = await self._api.get(CONFIG_MAP, hosting.NAMESPACE, hosting.NAME)
                chosen = self._choose(live)
                problem = await self._bring(live, chosen)
            except ApiError as error:
                if not (error.forbidden or error.rejected or error.not_found):
                    raise
                chosen = chosen or self._choose(live)
                problem = f"Tools do not find it: {error}"
                logger.warning("ConfigMap %s is not as it should be: %s", WHERE, error)
        self._tell(chosen, problem)
        return LOOK_AGAIN if self.enabled and problem else None

    def _choose(self, live: dict[str, Any] | None) -> _Candidate | None:
        """Whom it shall name: of those that hold their host the oldest."""
        held = [candidate for candidate in self._by_key.values() if candidate.holds]
        named = hosting.owner(live) if live else None
        for candidate in held:
            if candidate.frozen and candidate.uid == named:
                return candidate  # Nothing about a suspended one is changed.
        free = [candidate for candidate in held if not candidate.frozen]
        return min(free, key=lambda one: (one.created, one.key), default=None)

    async def _bring(self, live: dict[str, Any] | None, chosen: _Candidate | None) -> str:
        """What is in the way, or ""."""
        self._uid = None
        if live and hosting.owner(live) is None:
            return FOREIGN if chosen else ""
        if chosen is None:
            if live and not live["metadata"].get("deletionTimestamp"):
                await self._api.delete(CONFIG_MAP, live)
                logger.info("Deleted ConfigMap %s", WHERE)
            return ""
        if live is None or not (chosen.frozen or hosting.same(live, chosen.wanted)):
            # As it was read, or not at all: what somebody else makes meanwhile is not taken over.
            meta = live["metadata"] if live else {"resourceVersion": ABSENT}
            only = {key: meta[key] for key in ("uid", "resourceVersion") if key in meta}
            body = {**chosen.wanted, "metadata": {**chosen.wanted["metadata"], **only}}
            live = await self._api.apply(CONFIG_MAP, body)
            logger.info("Named LocalRegistry %s/%s in ConfigMap %s", *chosen.key, WHERE)
        self._uid = live["metadata"]["uid"]
        return ""

    def _tell(self, chosen: _Candidate | None, problem: str) -> None:
        """Has those reconciled for whom there is other news than before."""
        before, self._told = self._told, {}
        for key, candidate in self._by_key.items():
            self._told[key] = self._words(candidate, chosen, problem)
            if self._told[key] != before.get(key, ""):
                self._wake(key)

    @staticmethod
    def _words(candidate: _Candidate, chosen: _Candidate | None, problem: str) -> str:
        if problem == OFF:
            return OFF
        if not candidate.holds:
            return NOT_ITS_HOST
        if candidate == chosen:
            return problem or f"Tools find it by ConfigMap {WHERE}"
        if chosen is None:
            return ""
        which = "{}/{}".format(*chosen.key)
        return f"Tools find LocalRegistry {which} by {WHERE}, which asked for it and is older"
