"""Hears of pods anywhere in the cluster that cannot pull from a LocalRegistry, and tells on which
node and why.

One watch of the Events that kubelets write of what failed, filtered by the API server: nothing is
read again and again, and no Event is kept. Of a pod nothing but its node is told on, since whoever
may read a LocalRegistry need not know what runs in other namespaces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.controller import pullwords
from localregistry.controller.claims import Key
from localregistry.controller.eventwords import Seen
from localregistry.controller.kube import Api
from localregistry.controller.listening import listen
from localregistry.controller.nodetrust import NodeTrust
from localregistry.controller.timestamps import epoch
from localregistry.spec.hosts import name_of

# A kubelet tries again after five minutes at most, and tells of it: what was not said again within
# twice that time has passed. That a pull went well is no Event of its own that were worth a watch.
MEMORY_SECONDS = 600.0
# The API server sends what is there anew only where the last Event heard is older than what etcd
# remembers, five minutes; Events are kept for an hour, and few of them are of this kind.
WATCH_SECONDS = 600.0
FIELDS = {"reason": "Failed", "regarding.kind": "Pod"}
# Of a registry that no node can pull from some are as good as all.
MAX_NODES = 100
SHOWN = 3


@dataclass(frozen=True)
class _Failure:
    """`registry` as the image names it; `at`: seconds since 1970, when it was last told."""

    registry: str
    cause: pullwords.Cause
    at: float


class FailedPulls:
    """Single event loop; `changed(key)` has a LocalRegistry reconciled, `is_node(name)` tells
    whether there is such a node: whoever may write an Event could make one up. `clock`: seconds
    since 1970, as Events are dated by it."""

    def __init__(
        self,
        api: Api,
        trust: NodeTrust,
        *,
        changed: Callable[[Key], None],
        is_node: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._trust = trust
        self._changed = changed
        self._is_node = is_node
        self._clock = clock
        # The last failure of each node.
        self._told: dict[Key, dict[str, _Failure]] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        await listen(self._api, None, seconds=WATCH_SECONDS, fields=FIELDS, heard=self.hear)

    def hear(self, event: Mapping[str, Any]) -> None:
        """One Event of events.k8s.io/v1, new, again, or as it expires."""
        pull = pullwords.read(str(event.get("note") or ""))
        node = _node(event)
        if pull is None or not self._is_node(node):
            return
        holder = self._trust.claims.holder(name_of(pull.registry), self._trust.document)
        at = Seen.of(event).at
        if holder is None or self._clock() - at > MEMORY_SECONDS:
            return
        if at < epoch(holder.created):
            return  # Of whoever had the name before, whose Events are there for an hour.
        nodes = self._told.setdefault(holder.key, {})
        before = nodes.pop(node, None)
        if before and before.at > at:
            nodes[node] = before
            return
        nodes[node] = _Failure(pull.registry, pull.cause, at)
        while len(nodes) > MAX_NODES:
            # The one that was heard longest ago.
            del nodes[next(iter(nodes))]
        if before is None or (before.registry, before.cause) != (pull.registry, pull.cause):
            self._changed(holder.key)

    def words(self, key: Key, hosts: tuple[str, ...]) -> tuple[str, float | None]:
        """A sentence for the condition, "" for none, and in how many seconds it will be another.

        `hosts` are the names that the LocalRegistry has: pods that use another port are told apart.
        """
        now = self._clock()
        told = {
            node: failure
            for node, failure in self._told.pop(key, {}).items()
            if now - failure.at <= MEMORY_SECONDS
        }
        if not told:
            return "", None
        self._told[key] = told
        shown = [
            f"{node}{'' if one.registry in hosts else f', as {one.registry}'}: {one.cause}"
            for node, one in sorted(told.items())
        ]
        more = f"; and {len(shown) - SHOWN} nodes more" if len(shown) > SHOWN else ""
        oldest = min(failure.at for failure in told.values())
        words = f"Pods could not pull in the last 10 minutes: {'; '.join(shown[:SHOWN])}{more}"
        # A moment later than it expires.
        return words, max(1.0, oldest + MEMORY_SECONDS - now + 1.0)

    def forget(self, key: Key) -> None:
        self._told.pop(key, None)


def _node(event: Mapping[str, Any]) -> str:
    """Which kubelet wrote it: the host of a core/v1 Event's source, as both versions show it."""
    source = event.get("deprecatedSource") or {}
    return str(source.get("host") or event.get("reportingInstance") or "")
