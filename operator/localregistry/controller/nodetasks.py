"""Writes each agent its task: one annotation of its own pod, the per-node channel.

The patch also makes the kubelet refresh the pod's ConfigMap volume at once (0.2 to 0.4 s, against
up to 75 s without). A kubelet that had not heard of the new ConfigMap yet has refreshed it in vain:
such a node is nudged by one more patch.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable

from localregistry.controller.errors import ApiError
from localregistry.controller.fleet import AgentPod, Fleet
from localregistry.controller.kinds import POD
from localregistry.controller.kube import Api
from localregistry.controller.timestamps import rfc3339
from localregistry.controller.workqueue import WorkQueue
from localregistry.trust import NUDGE_ANNOTATION, TASK_ANNOTATION, Task, TrustDocument

logger = logging.getLogger(__name__)

# 1,000 nodes take 20 s, and the API server sees no burst.
PATCHES_PER_SECOND = 50
LONGEST_BACKOFF = 30.0


class NodeTasks:
    """`excluded(node)` are the UIDs of registries that leave a node out.

    `told(node)` is called when a node has a new task: it is time to ask its agent.
    """

    def __init__(
        self,
        api: Api,
        fleet: Fleet,
        *,
        namespace: str,
        document: Callable[[], TrustDocument],
        excluded: Callable[[str], tuple[str, ...]],
        told: Callable[[str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._fleet = fleet
        self._namespace = namespace
        self._document = document
        self._excluded = excluded
        self._told = told
        self._now = now
        self._late: set[str] = set()
        self._queue: WorkQueue[str] = WorkQueue()

    def tell(self, node: str) -> None:
        """Have this node's task looked at; nothing is written where it is right already."""
        self._queue.add(node)

    def nudge(self, node: str) -> None:
        """This node has its task for some seconds and still not the document that it names."""
        self._late.add(node)
        self._queue.add(node)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            node = await self._queue.get()
            try:
                if await self._write(node):
                    await asyncio.sleep(1 / PATCHES_PER_SECOND)
                self._queue.forget(node)
            except ApiError as error:
                if not error.not_found:
                    logger.info("Could not give the agent on %s its task: %s", node, error)
                    self._queue.add_failed(
                        node, longest=LONGEST_BACKOFF, at_least=error.retry_after
                    )
            finally:
                self._queue.done(node)

    async def _write(self, name: str) -> bool:
        pod, node = self._fleet.pods.get(name), self._fleet.nodes.get(name)
        if pod is None or node is None or not node.runtime:
            return False
        late = name in self._late
        self._late.discard(name)
        excluded = self._excluded(name)
        task = Task(self._document().revision, node.runtime, excluded).to_json()
        if pod.task == task:
            if late:
                await self._patch(pod, {NUDGE_ANNOTATION: rfc3339(self._now())})
            return late
        await self._patch(pod, {TASK_ANNOTATION: task})
        self._fleet.leave_out(name, excluded)
        now = self._fleet.pods.get(name)
        if now is not None and now.uid == pod.uid:
            # Else it went while it was told: its successor is told by itself.
            self._fleet.pods[name] = dataclasses.replace(now, task=task)
        self._told(name)
        return True

    async def _patch(self, pod: AgentPod, annotations: dict[str, str]) -> None:
        patch = {"metadata": {"uid": pod.uid, "annotations": annotations}}
        await self._api.merge_patch(POD, self._namespace, pod.name, patch)
