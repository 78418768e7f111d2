"""Brings one LocalRegistry to what its spec says: read the parent, apply the children, judge, write
the status once. Level-triggered: it may run at any time and as often as anybody likes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from localregistry.controller import naming
from localregistry.controller.census import Census
from localregistry.controller.children import owner_uid
from localregistry.controller.claims import Key
from localregistry.controller.events import Events
from localregistry.controller.failedpulls import FailedPulls
from localregistry.controller.finalizer import Finalizer
from localregistry.controller.frontdoors import FrontDoors
from localregistry.controller.hearing import Hearing
from localregistry.controller.hosting import Hosting
from localregistry.controller.kinds import LOCAL_REGISTRY, SERVICE, Kind
from localregistry.controller.kube import Api
from localregistry.controller.news import Echoes
from localregistry.controller.nodetrust import NodeTrust
from localregistry.controller.status import complete, node_counts
from localregistry.controller.statuswriter import StatusWriter
from localregistry.controller.steps import Steps
from localregistry.controller.usages import Usages
from localregistry.controller.work import Body, Work
from localregistry.resources.config import OperatorConfig
from localregistry.spec import names
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.nodes import Management
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import InvalidSpec, LocalRegistry

# When a new LocalRegistry is told of, if its children have no news before.
FIRST_STATUS = 0.5


class Reconciler:
    """Many keys run side by side in one event loop; one key never twice at once."""

    def __init__(
        self,
        api: Api,
        config: OperatorConfig,
        trust: NodeTrust,
        posts: Events,
        *,
        push: Callable[[str, str], Awaitable[bool]],
        usages: Usages | None = None,
        echoes: Echoes | None = None,
        hearing: Hearing | None = None,
        hosting: Hosting | None = None,
        pulls: FailedPulls | None = None,
        doors: FrontDoors | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._trust = trust
        self._policy = config.host_policy
        self._usages = usages
        self._pulls = pulls
        self._hosting = hosting or Hosting(api, config, trust, wake=lambda key: None)
        self._echoes = echoes = echoes or Echoes()
        self._steps = Steps(
            *(api, config, trust),
            push=push,
            echoes=echoes,
            hearing=hearing,
            doors=doors,
            clock=clock,
        )
        self._status = StatusWriter(api, posts, wrote=echoes.wrote, clock=clock)
        self._finalizer = Finalizer(api, trust, posts)
        self._uids: dict[Key, str] = {}
        self.census = Census()

    async def reconcile(self, key: Key) -> float | None:
        """When to look again unasked, in seconds, if at all.

        Raises ApiError where the run must be tried again.
        """
        namespace, name = key
        body = await self._api.get(LOCAL_REGISTRY, namespace, name)
        uid = body["metadata"]["uid"] if body else None
        if self._uids.get(key, uid) != uid:
            # Gone, maybe with its finalizer stripped, or a namesake in its place.
            self._forget(key)
        if body is None:
            self._drop(key)
            return None
        self._uids[key] = body["metadata"]["uid"]
        try:
            registry = LocalRegistry.from_body(body)
        except InvalidSpec as error:
            self._steps.at_rest(body["metadata"]["uid"])
            return await self._invalid(key, body, str(error))
        if registry.deleted or registry.spec.suspend:
            self._steps.at_rest(registry.uid)
            self.census.forget(registry.uid)
        if registry.deleted:
            return await self._finish(key, body, registry)
        if registry.spec.suspend:
            return await self._suspend(body, registry)
        if new := not self._finalizer.holds(body):
            body = await self._finalizer.hold(body)
            self._echoes.wrote(registry.uid, body)
        work = Work(body, registry, self._trust.seen(registry))
        await self._steps.run(work, new=new)
        self._hosting.seen(registry)
        work.findings.add(ConditionType.EXPOSED, self._hosting.verdict(key))
        if self._usages:
            available = work.findings.conditions[ConditionType.REGISTRY_AVAILABLE].is_true
            address = work.claim.address if available else ""
            work.findings.usage = self._usages.observe(
                registry, address=address, nodes=node_counts(registry, work.findings)
            )
        if self._pulls:
            told, again = self._pulls.words(key, tuple(map(str, registry.spec.hosts)))
            work.findings.add(ConditionType.NODES_READY, told)
            if again is not None:
                work.within(again)
        complete(registry, work.findings)
        self.census.put(registry.uid, work.findings)
        if new and work.findings.conditions[ConditionType.READY].status is ConditionStatus.UNKNOWN:
            # Its children were asked for a moment ago, and nothing is known of them yet: those of
            # others come first.
            work.within(FIRST_STATUS)
            return work.again
        later = await self._status.write(body, registry, work.findings)
        if later is not None:
            work.within(later)
        return work.again

    def saw(self, key: Key, body: Body) -> None:
        """A watch tells of a child of this LocalRegistry, if that lives and is known."""
        if claim := self._trust.claims.get(key):
            self._steps.saw(claim.uid, body)

    def known(self, kind: Kind) -> dict[str, Key]:
        """The LocalRegistries, or their children of this kind, by UID; and whom to reconcile where
        one of them is not there any more."""
        if kind == LOCAL_REGISTRY:
            return {uid: key for key, uid in self._uids.items()}
        return self._steps.children.known(kind)

    async def _finish(self, key: Key, body: Body, registry: LocalRegistry | None) -> float | None:
        """Deletion: the trust goes first, and no child is made again."""
        self._drop(key)
        again = await self._finalizer.finish(body, registry)
        if again is None:
            self._forget(key)
        return again

    def _drop(self, key: Key) -> None:
        """It claims nothing any more: it is gone, going, or cannot be read."""
        self._trust.drop(key)
        self._hosting.drop(key)
        if self._pulls:
            self._pulls.forget(key)

    def _forget(self, key: Key) -> None:
        """Nothing is kept of a UID that is gone: no part may grow with what has been."""
        uid = self._uids.pop(key, None)
        if uid:
            self.census.forget(uid)
            self._steps.forget(uid)
            self._status.forget(uid)
            self._finalizer.forget(uid)
            self._echoes.forget(uid)
            if self._usages:
                self._usages.forget(uid)

    async def _suspend(self, body: Body, registry: LocalRegistry) -> float | None:
        """Everything stays as it is, trust included; only that this was seen is told.

        What the policy grants no longer is withdrawn all the same: it is not the tenant's to keep.
        """
        self._trust.frozen(registry, address=await self._lost_address(registry))
        self._hosting.seen(registry)
        refused = self._policy.refused(registry.namespace, registry.spec.hosts)
        conditions: list[Condition] = []
        if refused and registry.spec.nodes.management is not Management.UNMANAGED:
            reason, message = naming.not_allowed(registry, self._policy, *refused)
            conditions = [
                Condition(which, ConditionStatus.FALSE, reason, message)
                for which in (ConditionType.READY, ConditionType.NODES_READY)
            ]
        await self._status.write_conditions(body, conditions)
        return None

    async def _lost_address(self, registry: LocalRegistry) -> str:
        """Its Service's cluster IP, where the trust document was lost; else it is not needed."""
        if not self._trust.lost(registry.uid):
            return ""
        child = names.child_name(registry.name)
        service = await self._api.get(SERVICE, registry.namespace, child)
        if service is None or owner_uid(service) != registry.uid:
            return ""
        return str((service.get("spec") or {}).get("clusterIP") or "")

    async def _invalid(self, key: Key, body: Body, message: str) -> float | None:
        """What an older CRD let pass, say: nothing is applied, and nothing trusted any more."""
        if body["metadata"].get("deletionTimestamp"):
            return await self._finish(key, body, None)
        self._drop(key)
        condition = Condition(
            ConditionType.READY, ConditionStatus.FALSE, Reason.INVALID_SPEC, message
        )
        self.census.put_conditions(body["metadata"]["uid"], condition)
        await self._status.write_conditions(body, [condition])
        return None
