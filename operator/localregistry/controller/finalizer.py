"""The one finalizer: a LocalRegistry goes when the nodes no longer trust its name.

While it is going only the trust is reconciled; no child is made again. Nodes that are NotReady are
not waited for: they withdraw when they are back, since the trust document no longer names the host.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from localregistry.controller.children import owner_uid
from localregistry.controller.events import Events
from localregistry.controller.kinds import CLAIM, LOCAL_REGISTRY
from localregistry.controller.kube import Api
from localregistry.controller.nodetrust import NodeTrust
from localregistry.spec import names
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import ReclaimPolicy, StorageKind

logger = logging.getLogger(__name__)

Body = dict[str, Any]

# A node that is Ready answers within a second or two; after this it is left to its agent.
LONGEST_WAIT = 30.0
# Most go within a second. Each look takes a request, and a namespace may hold hundreds: those that
# wait longer are looked at a quarter of that time later, so about 15 times in 30 s and not 100.
LOOK_AGAIN = 0.3
SLOWER = 1.25
LONGEST_LOOK = 5.0


class Finalizer:
    """`clock` is monotonic seconds: how long a deletion waits must not depend on anybody's date."""

    def __init__(
        self,
        api: Api,
        trust: NodeTrust,
        posts: Events,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._trust = trust
        self._events = posts
        self._clock = clock
        self._since: dict[str, float] = {}
        self._looks: dict[str, float] = {}

    @staticmethod
    def holds(body: Body) -> bool:
        """Whether our finalizer is on the LocalRegistry."""
        return names.FINALIZER in (body["metadata"].get("finalizers") or ())

    async def hold(self, body: Body) -> Body:
        """Puts it there, before anything that needs it; returns the LocalRegistry."""
        finalizers = body["metadata"].get("finalizers") or ()
        return await put_finalizers(self._api, body, [*finalizers, names.FINALIZER])

    async def finish(self, body: Body, registry: LocalRegistry | None) -> float | None:
        """One look at a LocalRegistry that is being deleted: when to look again, or None.

        `registry` is None where its spec cannot be read: then its claim stays.
        """
        meta = body["metadata"]
        if not self.holds(body):
            return None
        if self._trust.covers(meta["uid"]):
            return self._later(meta["uid"])
        # From here on: however long the API server was away, nodes get their time after it.
        if meta["uid"] not in self._since:
            self._since[meta["uid"]] = self._clock()
            self._looks.pop(meta["uid"], None)
        waited = self._clock() - self._since[meta["uid"]]
        waiting = self._trust.still_trusting(meta["uid"])
        if waiting and waited < LONGEST_WAIT:
            return min(self._later(meta["uid"]), max(LOOK_AGAIN, LONGEST_WAIT - waited))
        if registry:
            await self._reclaim(registry)
        await let_go(self._api, body)
        note = f"Withdrew the trust in LocalRegistry {meta['namespace']}/{meta['name']}"
        if waiting:
            late = "; ".join(f"{node} {why}" for node, why in sorted(waiting.items())[:10])
            note += f" after {waited:.0f} s; not confirmed: {late}"
        logger.info("%s", note)
        kind = "Warning" if waiting else "Normal"
        await self._events.post(
            body, reason=Reason.TERMINATING, note=note, kind=kind, elsewhere=True
        )
        return None

    def forget(self, uid: str) -> None:
        self._since.pop(uid, None)
        self._looks.pop(uid, None)

    def _later(self, uid: str) -> float:
        again = self._looks.get(uid, LOOK_AGAIN)
        self._looks[uid] = min(again * SLOWER, LONGEST_LOOK)
        return again

    async def _reclaim(self, registry: LocalRegistry) -> None:
        """Deletes the claim where the user said so, and only the one that is this resource's."""
        storage = registry.spec.storage
        if storage.kind is not StorageKind.SIZE:
            return
        if storage.reclaim_policy is not ReclaimPolicy.DELETE:
            return
        claim = await self._api.get(CLAIM, registry.namespace, names.child_name(registry.name))
        if claim is None or owner_uid(claim) != registry.uid:
            return
        if not claim["metadata"].get("deletionTimestamp"):
            await self._api.delete(CLAIM, claim)
            logger.info("Deleted PersistentVolumeClaim of %s/%s", registry.namespace, registry.name)


async def put_finalizers(api: Api, body: Body, finalizers: list[str]) -> Body:
    """Writes them on the LocalRegistry as it was read; returns it. Raises ApiError 409 where it has
    changed since."""
    meta = body["metadata"]
    patch = {
        "metadata": {
            # Somebody else's finalizer that came meanwhile must not be lost: 409, read again.
            "resourceVersion": meta["resourceVersion"],
            "uid": meta["uid"],
            "finalizers": finalizers,
        }
    }
    return await api.merge_patch(LOCAL_REGISTRY, meta["namespace"], meta["name"], patch)


async def let_go(api: Api, body: Body) -> Body:
    """Takes our finalizer off it, and nobody else's."""
    kept = [item for item in body["metadata"].get("finalizers") or () if item != names.FINALIZER]
    return await put_finalizers(api, body, kept)
