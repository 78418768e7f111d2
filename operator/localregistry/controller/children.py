"""Applies and deletes the children of one LocalRegistry, and never touches anybody else's.

Ownership is judged by UID: a child is ours when its ownerReference (the claim: its annotation)
names the LocalRegistry's UID. Labels only say what to watch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CLAIM, LOCAL_REGISTRY, Kind
from localregistry.controller.kube import ABSENT, Api
from localregistry.controller.news import Echoes
from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

Body = dict[str, Any]


class NameConflict(Exception):
    """An object of the child's name is there and is not ours; it was left as it is."""


class BeingDeleted(Exception):
    """A child of ours is on its way out and cannot be brought back before it is gone."""


def owner_key(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Namespace and name of the LocalRegistry whose child this is, for the watches."""
    meta = body.get("metadata") or {}
    for reference in meta.get("ownerReferences") or ():
        if reference.get("kind") == names.KIND and _of_group(reference):
            return meta["namespace"], reference["name"]
    name = (meta.get("annotations") or {}).get(names.OWNER_NAME_ANNOTATION)
    return (meta["namespace"], name) if name else None


def owner_uid(body: Mapping[str, Any]) -> str | None:
    """The UID of the LocalRegistry whose child this is."""
    meta = body.get("metadata") or {}
    for reference in meta.get("ownerReferences") or ():
        if reference.get("kind") == names.KIND and _of_group(reference):
            return str(reference.get("uid"))
    if body.get("kind") == CLAIM.kind:
        return (meta.get("annotations") or {}).get(names.OWNER_UID_ANNOTATION)
    return None


class Children:
    """Remembers the UIDs of the children that this process has applied or, before that, was told
    of, and whose they are.

    `echoes` is shown what an apply has answered.
    """

    def __init__(self, api: Api, echoes: Echoes | None = None) -> None:
        self._api = api
        self._echoes = echoes or Echoes()
        self._uids: dict[tuple[str, str], str] = {}
        self._owners: dict[str, Key] = {}
        self._new: set[str] = set()

    def saw(self, owner: str, body: Mapping[str, Any]) -> bool:
        """A watch tells of an object whose owner has this UID. Before the owner's first run, the
        object is taken for known, so that a start need not ask for what was listed already; later
        it is no news. Whether it was taken."""
        meta, key = body["metadata"], owner_key(body)
        mine = key and meta["name"] == names.child_name(key[1]) and owner_uid(body) == owner
        if not mine or owner in self._owners or meta.get("deletionTimestamp"):
            return False
        self._uids[owner, str(body.get("kind"))] = meta["uid"]
        return True

    def start(self, uid: str, *, new: bool) -> None:
        """A run for this LocalRegistry begins; a `new` one has no children, most likely, so that
        they are created unseen. What is there already is looked at in the run after."""
        if new:
            self._new.add(uid)
        else:
            self._new.discard(uid)

    async def reconcile(
        self,
        registry: LocalRegistry,
        kind: Kind,
        wanted: Body | None,
        *,
        uid: str | None = None,
        absent: bool = False,
        adapt: Callable[[Body, Body], Body] = lambda wanted, live: wanted,
    ) -> Body | None:
        """Makes the child what `wanted` says (None: absent); returns the live object.

        With `uid` it is this very object or nothing: one that is gone is not made again (409), and
        one that is going is returned as it is. `absent`: the caller has just seen that there is
        none. `adapt` makes of it what fits the live object, where that is read before.
        Raises NameConflict, BeingDeleted or ApiError. An apply that changes nothing writes nothing.
        """
        name = names.child_name(registry.name)
        if wanted is None:
            await self._remove(registry, kind, name)
            return None
        known = uid or self._uids.get((registry.uid, kind.kind))
        absent = absent or (registry.uid in self._new and kind != CLAIM)  # one may have been kept
        if known is None and not absent:
            found = await self._existing(registry, kind, name)
            if found:
                known, wanted = str(found["metadata"]["uid"]), adapt(wanted, found)
        # Where nothing was found, nothing may have come in between: somebody else's would be ours.
        expected = {"resourceVersion": ABSENT} if known is None else {"uid": known}
        wanted = {**wanted, "metadata": {**wanted["metadata"], **expected}}
        try:
            live = await self._api.apply(kind, wanted)
        except ApiError as error:
            # Deleted and made again, by somebody or by us: look again whose it is now.
            if known is not None and (error.stale or error.rejected):
                self._uids.pop((registry.uid, kind.kind), None)
            raise
        if live["metadata"].get("deletionTimestamp") and uid is None:
            self._uids.pop((registry.uid, kind.kind), None)
            raise BeingDeleted(f"{kind} {name} is being deleted: it is made again when it is gone")
        if known is None:
            logger.info("Created %s %s/%s", kind, registry.namespace, name)
        self._uids[registry.uid, kind.kind] = live["metadata"]["uid"]
        self._owners[registry.uid] = (registry.namespace, registry.name)
        self._echoes.wrote(registry.uid, live)
        return live

    def known(self, kind: Kind) -> dict[str, Key]:
        """The children of this kind that must be there, by UID, and the LocalRegistry of each."""
        return {
            uid: self._owners[owner]
            for (owner, k), uid in self._uids.items()
            if k == kind.kind and owner in self._owners
        }

    def forget(self, uid: str) -> None:
        self._new.discard(uid)
        self._owners.pop(uid, None)
        for kind in [kind for owner, kind in self._uids if owner == uid]:
            del self._uids[uid, kind]

    async def _existing(self, registry: LocalRegistry, kind: Kind, name: str) -> Body | None:
        """The child that is there and ours (or to be adopted); None where none is."""
        live = await self._api.get(kind, registry.namespace, name)
        if live is None:
            return None
        if kind == CLAIM:
            await self._check_adoption(registry, live)
        elif owner_uid(live) != registry.uid:
            if owner_key(live) == (registry.namespace, registry.name):
                # Its owner had our name and so is dead: the garbage collector is about to come.
                raise BeingDeleted(
                    f"{kind} {name} of an earlier LocalRegistry {registry.name} is still there: "
                    "it is made anew when the garbage collector has taken it"
                )
            raise NameConflict(
                f"{kind} {name} exists and is not this LocalRegistry's: "
                "delete or rename it, or give the LocalRegistry another name"
            )
        return live

    async def _check_adoption(self, registry: LocalRegistry, live: Body) -> None:
        """A kept claim serves again the LocalRegistry of the same name, unless its owner lives."""
        meta = live["metadata"]
        owner = owner_uid(live)
        if owner == registry.uid:
            return
        labels = meta.get("labels") or {}
        if owner is None or labels.get(names.MANAGED_BY_LABEL) != names.MANAGED_BY:
            raise NameConflict(
                f"PersistentVolumeClaim {meta['name']} exists and was not made by this operator: "
                "rename it, or name it in spec.storage.existingClaim of a new LocalRegistry"
            )
        key = owner_key(live)
        if key and key[1] != registry.name:
            other = await self._api.get(LOCAL_REGISTRY, registry.namespace, key[1])
            if other and other["metadata"]["uid"] == owner:
                raise NameConflict(
                    f"PersistentVolumeClaim {meta['name']} belongs to LocalRegistry {key[1]}"
                )
        logger.info("Adopted PersistentVolumeClaim %s/%s", registry.namespace, meta["name"])

    async def _remove(self, registry: LocalRegistry, kind: Kind, name: str) -> None:
        if kind == CLAIM:
            return
        live = await self._api.get(kind, registry.namespace, name)
        if live is None or owner_uid(live) != registry.uid:
            return
        if not live["metadata"].get("deletionTimestamp"):
            await self._api.delete(kind, live)
            logger.info("Deleted %s %s/%s", kind, registry.namespace, name)
        self._uids.pop((registry.uid, kind.kind), None)


def _of_group(reference: Mapping[str, Any]) -> bool:
    return str(reference.get("apiVersion") or "").partition("/")[0] == names.GROUP
