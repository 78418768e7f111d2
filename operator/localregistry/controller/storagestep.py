"""The first step of a reconcile: the claim, and the configuration that is mounted beside it.

What holds images is never made again, made smaller or taken over: it is told of, and the rest of
the reconcile goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from localregistry.controller import claimstate
from localregistry.controller.causes import Causes
from localregistry.controller.children import Children, owner_uid
from localregistry.controller.claims import Claim
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CLAIM, CONFIG_MAP
from localregistry.controller.kube import Api
from localregistry.controller.work import LOOK_AGAIN, Body, Work
from localregistry.resources import claim as claim_resource
from localregistry.resources import configmap
from localregistry.resources.config import OperatorConfig
from localregistry.spec import names
from localregistry.spec.conditions import ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import StorageKind

# A storage class that comes to allow growth is not watched; asking costs two requests.
GROW_AGAIN = 60.0
# Where StorageReady is so, no pod may run on what is there under the claim's name.
NO_VOLUME = frozenset(
    {Reason.DATA_LOST, Reason.NAME_CONFLICT, Reason.CLAIM_UNSUITABLE, Reason.CLAIM_IN_USE}
)


class StorageStep:
    """`older_writer` gives the LocalRegistry that a claim's volume belongs to, if not this one."""

    def __init__(
        self,
        api: Api,
        config: OperatorConfig,
        children: Children,
        causes: Causes,
        *,
        older_writer: Callable[[Claim], Claim | None],
    ) -> None:
        self._api = api
        self._config = config
        self._children = children
        self._causes = causes
        self._older_writer = older_writer

    async def run(self, work: Work) -> None:
        """Raises as Children.reconcile does."""
        registry = work.registry
        if other := self._older_writer(work.claim):
            work.found(ConditionType.STORAGE_READY, Reason.CLAIM_IN_USE, _in_use(other))
            work.within(LOOK_AGAIN)
            return
        name = claim_resource.claim_name(registry)
        live = await self._api.get(CLAIM, registry.namespace, name) if name else None
        kept = _claim_to_keep(registry)
        if name and kept and (live is None or live["metadata"]["uid"] != kept):
            work.found(ConditionType.STORAGE_READY, Reason.DATA_LOST, _lost(registry, name, kept))
            work.within(LOOK_AGAIN)
            return
        config_map = configmap.build(registry, self._config)
        await self._children.reconcile(registry, CONFIG_MAP, config_map)
        refused = ""
        if registry.spec.storage.kind is StorageKind.SIZE:
            # One that is nobody's is a conflict of names, whatever it is like.
            if live and owner_uid(live) and (unfit := claimstate.unsuitable(registry, live)):
                work.found(ConditionType.STORAGE_READY, Reason.CLAIM_UNSUITABLE, unfit)
                work.within(LOOK_AGAIN)
                return
            live, refused = await self._apply(registry, live, kept)
        work.findings.claim = live
        condition = claimstate.storage(registry, live, refused=refused)
        pending = live is not None and condition.reason is Reason.CLAIM_PENDING
        if live and pending:
            condition = await self._causes.of_claim(registry, live, condition)
            work.within(self._causes.again(registry, condition.type))
        work.findings.put(condition)
        if refused:
            work.within(GROW_AGAIN)
        elif not condition.is_true and not pending:
            work.within(LOOK_AGAIN)

    async def _apply(
        self, registry: LocalRegistry, live: Body | None, kept: str | None
    ) -> tuple[Body | None, str]:
        """The claim as it is then, and why the API server would not let it grow."""
        body = claim_resource.build(registry, self._config)
        if body is None:
            return None, ""
        wanted = claimstate.fitted(body, live)
        if live is None:
            made = await self._children.reconcile(registry, CLAIM, wanted, uid=kept, absent=True)
            return made, ""
        # Who makes it larger after it was read must not see it made smaller by us: 409.
        version = {"resourceVersion": live["metadata"]["resourceVersion"]}
        wanted["metadata"] = {**wanted["metadata"], **version}
        try:
            return await self._children.reconcile(registry, CLAIM, wanted, uid=kept), ""
        except ApiError as error:
            if error.status not in (403, 422) or not claimstate.grows(wanted, live):
                raise
            refused = error.message
        # Whether it was the size, or is a right that lacks, shows in what is left without it.
        wanted = claimstate.unchanged(wanted, live)
        return await self._children.reconcile(registry, CLAIM, wanted, uid=kept), refused


def _claim_to_keep(registry: LocalRegistry) -> str | None:
    """The UID of the claim that holds the images, unless the user has given it up."""
    recorded = (registry.status.get("storage") or {}).get("claimUID")
    accepted = registry.annotations.get(names.ACCEPT_DATA_LOSS_ANNOTATION)
    return None if recorded == accepted else recorded


def _in_use(other: Claim) -> str:
    return (
        f"PersistentVolumeClaim {other.volume} is that of LocalRegistry {other.name}, which is "
        "older. Two that write to one volume damage it: give this one a claim of its own"
    )


def _lost(registry: LocalRegistry, name: str, recorded: str) -> str:
    return (
        f"PersistentVolumeClaim {name} with the images (UID {recorded}) is gone. Restore it, "
        f"or start empty; for either, then: kubectl annotate localregistry {registry.name} "
        f"-n {registry.namespace} {names.ACCEPT_DATA_LOSS_ANNOTATION}={recorded}"
    )
