"""The four steps of a reconcile: storage, registry, exposure, nodes.

Each applies what is its own, judges it in one condition, and leaves what the later steps need in
the `Work`. A step that fails says so in its condition and lets the others go on; only an API server
that does not answer, or was quicker than we were, ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from localregistry.controller import lostnode, readiness
from localregistry.controller.causes import Causes
from localregistry.controller.children import BeingDeleted, Children, NameConflict
from localregistry.controller.errors import ApiError
from localregistry.controller.frontdoors import FrontDoors
from localregistry.controller.hearing import Hearing
from localregistry.controller.kinds import DEPLOYMENT, INGRESS, SERVICE
from localregistry.controller.kube import Api
from localregistry.controller.naming import Naming
from localregistry.controller.news import Echoes
from localregistry.controller.nodetrust import NodeTrust
from localregistry.controller.probe import PushFailed
from localregistry.controller.storagestep import NO_VOLUME, StorageStep
from localregistry.controller.timestamps import epoch
from localregistry.controller.work import LOOK_AGAIN, SOON_AGAIN, Body, Work
from localregistry.resources import deployment, ingress, rollout, service
from localregistry.resources.config import OperatorConfig
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.nodes import Management
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

# A pod that is ready is reachable by its Service a little later: kube-proxy has to write rules on
# the operator's node first. Until this has passed a refused push is no fault.
PUSH_PATIENCE = 10.0
PUSH_AGAIN = 0.3


class Steps:
    """`push(endpoint, uid)` puts the probe image into a registry; `clock`: seconds since 1970."""

    def __init__(
        self,
        api: Api,
        config: OperatorConfig,
        trust: NodeTrust,
        *,
        push: Callable[[str, str], Awaitable[bool]],
        echoes: Echoes | None = None,
        hearing: Hearing | None = None,
        doors: FrontDoors | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._config = config
        self._trust = trust
        self._push = push
        self._doors = doors
        self._clock = clock
        self._children = Children(api, echoes)
        self._causes = Causes(api, hearing=hearing, clock=clock)
        self._storage = StorageStep(
            *(api, config, self._children, self._causes), older_writer=trust.claims.older_writer
        )
        # What the next run must know of the Deployment as it is, by UID: some 100 bytes each.
        self._deployed: dict[str, Body] = {}
        self._pushed: set[str] = set()
        self._refused_since: dict[str, float] = {}

    async def run(self, work: Work, *, new: bool = False) -> None:
        """All steps, each needing what the one before has found; `new`: this is the first run."""
        self._children.start(work.registry.uid, new=new)
        self._causes.start(work.registry.uid)
        for which, step in (
            (ConditionType.STORAGE_READY, self._storage.run),
            (ConditionType.REGISTRY_AVAILABLE, self._registry),
            (ConditionType.EXPOSED, self._exposure),
            (ConditionType.NODES_READY, self._nodes),
        ):
            try:
                await step(work)
            except NameConflict as error:
                work.within(LOOK_AGAIN)
                work.found(which, Reason.NAME_CONFLICT, str(error))
            except BeingDeleted as error:
                work.within(SOON_AGAIN)
                work.found(which, Reason.RECONCILING, str(error), ConditionStatus.UNKNOWN)
            except ApiError as error:
                reason = _reason(error)
                if reason is None:
                    raise
                work.within(LOOK_AGAIN)
                work.found(which, reason, str(error))
        self._causes.end(work.registry.uid)

    @property
    def children(self) -> Children:
        return self._children

    def saw(self, owner: str, body: Body) -> None:
        """A watch tells of a child, of the LocalRegistry with this UID."""
        if self._children.saw(owner, body) and body.get("kind") == DEPLOYMENT.kind:
            self._deployed[owner] = rollout.trace(body)

    def at_rest(self, uid: str) -> None:
        """Nothing is done about this LocalRegistry for now: nobody asks why it is not well."""
        self._causes.forget(uid)
        if self._doors:
            self._doors.forget(uid)

    def forget(self, uid: str) -> None:
        """This LocalRegistry is going."""
        self._children.forget(uid)
        self.at_rest(uid)
        self._pushed.discard(uid)
        self._deployed.pop(uid, None)
        self._refused_since.pop(uid, None)

    async def _registry(self, work: Work) -> None:
        registry = work.registry
        stored = work.findings.conditions[ConditionType.STORAGE_READY]
        if stored.reason in NO_VOLUME:
            which, message = ConditionType.REGISTRY_AVAILABLE, stored.message
            work.found(which, Reason.WAITING_FOR_STORAGE, message)
            return
        live = await self._deployment(registry)
        body = service.build(registry, self._config)
        served = await self._children.reconcile(registry, SERVICE, body)
        if live and served:
            work.findings.put(await self._available(work, live))
            address = str((served.get("spec") or {}).get("clusterIP") or "")
            work.claim = replace(
                work.claim,
                address="" if address == "None" else address,
                served=service.serves(served, registry),
            )

    async def _deployment(self, registry: LocalRegistry) -> Body | None:
        """Applied so that a new release of the operator restarts no registry."""
        body = deployment.build(registry, self._config)
        if body and registry.uid in self._deployed:
            body = rollout.undisturbed(body, self._deployed[registry.uid])
        live = await self._children.reconcile(registry, DEPLOYMENT, body, adapt=rollout.undisturbed)
        if live:
            self._deployed[registry.uid] = rollout.trace(live)
        return live

    async def _available(self, work: Work, live: Body) -> Condition:
        judged = readiness.available(work.registry, live)
        if judged.is_true or judged.reason is Reason.POD_REFUSED:
            return judged
        # No watch tells what keeps the pod from running, and the Deployment does not know it.
        judged = await self._causes.of_registry(work.registry, live, judged)
        work.within(self._causes.again(work.registry, judged.type))
        return lostnode.tell(judged, work.findings.claim, self._trust.nodes)

    async def _exposure(self, work: Work) -> None:
        naming = self._naming(work)
        registry = naming.served
        deployed = self._deployed.get(registry.uid)
        page = deployed is None or rollout.has_page(deployed)
        wanted = None if naming.host else ingress.build(registry, self._config, page=page)
        live = await self._children.reconcile(registry, INGRESS, wanted)
        if naming.host:
            work.found(ConditionType.EXPOSED, *naming.host)
            return
        age = self._clock() - epoch(live["metadata"].get("creationTimestamp")) if live else 0.0
        condition = readiness.exposed(registry, live, age=age)
        condition = self._through(work, registry, live) or condition
        work.findings.put(condition)
        if not (condition.is_true or condition.reason is Reason.PUSH_STOPPED):
            work.within(LOOK_AGAIN)

    def _through(self, work: Work, registry: LocalRegistry, live: Body | None) -> Condition | None:
        """Exposed where a push through the Ingress was stopped. Begun only while the registry
        answers: else it would be blamed on the front."""
        if self._doors is None:
            return None
        if not (live and readiness.admitted(live)):
            self._doors.forget(registry.uid)
            return None
        if work.findings.conditions[ConditionType.REGISTRY_AVAILABLE].is_true:
            return readiness.stopped(self._doors.through(registry, live))
        return readiness.stopped(self._doors.told(registry.uid))

    async def _nodes(self, work: Work) -> None:
        registry, which = work.registry, ConditionType.NODES_READY
        selector = registry.spec.nodes.selector
        if registry.spec.nodes.management is Management.UNMANAGED:
            work.claim = self._trust.update(work.claim)
            message = "Nodes are left alone, as spec.nodes.management says"
            work.found(which, Reason.UNMANAGED, message, ConditionStatus.TRUE)
            return
        if work.claim.served is None:
            work.claim = replace(work.claim, served=False)
        preview = registry.spec.nodes.management is Management.PREVIEW
        naming = self._naming(work)
        available = work.findings.conditions[ConditionType.REGISTRY_AVAILABLE]
        refused = None
        if not (naming.host or preview) and available.is_true:
            refused = await self._make_reachable(work)
        else:
            # A refusal of before is no part of the patience with the next start.
            self._refused_since.pop(registry.uid, None)
        work.claim = self._trust.update(work.claim)
        if preview:
            work.findings.previews = self._trust.previews(registry)
        else:
            work.findings.nodes = self._trust.summarize(registry)
        if naming.host:
            work.found(which, *naming.host)
        elif refused:
            work.found(which, Reason.PROBE_PUSH_FAILED, refused)
        elif self._trust.left_out(registry.uid):
            message = "The nodes' trust document is full: remove LocalRegistries that are not used"
            work.found(which, Reason.TRUST_TOO_LARGE, message)
        elif not self._trust.covers(registry.uid, registry.spec.host) or (
            # Until the registry has answered what was a preview stays one.
            not preview and self._trust.told_as(registry.uid, preview=True)
        ):
            message = "Nodes are configured as soon as the registry answers"
            if preview:
                message = "Nodes are asked as soon as the registry has an address"
            work.found(which, Reason.WAITING_FOR_REGISTRY, message, ConditionStatus.UNKNOWN)
        elif naming.alias:
            work.found(which, *naming.alias)
        elif work.findings.previews is not None:
            work.findings.put(readiness.preview(work.findings.previews, selector))
        elif work.findings.nodes is not None:
            work.findings.put(readiness.nodes(work.findings.nodes, selector))

    def _naming(self, work: Work) -> Naming:
        policy, holders = self._config.host_policy, self._trust.holders(work.claim)
        return Naming.judge(work.registry, policy=policy, holders=holders)

    async def _make_reachable(self, work: Work) -> str | None:
        """Makes the registry one that nodes can prove themselves on; why it refuses, if it does."""
        claim = work.claim
        if not claim.address:
            return None
        if claim.uid not in self._pushed or self._trust.failed_pulls(claim.uid):
            host = f"[{claim.address}]" if ":" in claim.address else claim.address
            try:
                await self._push(f"http://{host}:{claim.port}", claim.uid)
            except PushFailed as error:
                if unwritable := readiness.unwritable(str(error)):
                    work.findings.put(unwritable)
                    work.within(LOOK_AGAIN)
                    return unwritable.message
                now = self._clock()
                if 0 <= now - self._refused_since.setdefault(claim.uid, now) < PUSH_PATIENCE:
                    work.within(PUSH_AGAIN)
                    return None
                work.within(SOON_AGAIN)
                return f"The probe image could not be pushed: {error}"
            self._refused_since.pop(claim.uid, None)
            self._pushed.add(claim.uid)
        work.claim = replace(claim, reachable=True)
        return None


def _reason(error: ApiError) -> Reason | None:
    """The reason of a failure that trying again at once would not mend; None: try again."""
    if error.namespace_terminating:
        return Reason.TERMINATING
    if error.forbidden:
        return Reason.FORBIDDEN
    if error.rejected:
        return Reason.APPLY_FAILED
    return None
