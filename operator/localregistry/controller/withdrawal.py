"""Has every node undo everything, and waits until each one that is Ready has said so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from localregistry.controller.fleet import Fleet
from localregistry.controller.kinds import NODE, POD
from localregistry.controller.kube import Api
from localregistry.controller.nodetasks import NodeTasks
from localregistry.controller.poller import Poller
from localregistry.resources import node_agent
from localregistry.trust import TrustDocument

# Nodes and agents are listed anew this often: it is a matter of seconds, no watch is worth it.
LIST_SECONDS = 2.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    """`waiting` are Ready nodes that have not confirmed, and why; `away` those that are not Ready,
    which nobody waits for; `clean` is how many are as they were."""

    clean: int
    waiting: dict[str, str] = field(default_factory=dict)
    away: tuple[str, ...] = ()


class Withdrawal:
    """`document` is the one that names no registry; it is in the ConfigMap already."""

    def __init__(
        self,
        api: Api,
        session: aiohttp.ClientSession,
        *,
        namespace: str,
        document: TrustDocument,
        port: int,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._document = document
        self._fleet = Fleet()
        self._poller = Poller(
            self._fleet,
            session,
            revision=lambda: document.revision,
            changed=lambda uids: None,
            late=lambda node: self._tasks.nudge(node),
            port=port,
        )
        self._tasks = NodeTasks(
            api,
            self._fleet,
            namespace=namespace,
            document=lambda: document,
            excluded=lambda node: (),
            told=self._poller.soon,
        )

    async def run(self, seconds: float, *, say: Callable[[str], None]) -> Outcome:
        """At most `seconds` long. Raises ApiError where nodes cannot be listed."""
        deadline, told = time.monotonic() + seconds, ""
        await self._list()
        running = [asyncio.ensure_future(part.run()) for part in (self._poller, self._tasks)]
        listed = time.monotonic()
        try:
            while (outcome := self.outcome()).waiting and time.monotonic() < deadline:
                total = outcome.clean + len(outcome.waiting)
                if told != (told := f"Nodes that are as they were: {outcome.clean}/{total}"):
                    say(told)
                await asyncio.sleep(LOOK_SECONDS)
                if time.monotonic() - listed > LIST_SECONDS:
                    await self._list()
                    listed = time.monotonic()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return outcome

    def outcome(self) -> Outcome:
        waiting: dict[str, str] = {}
        clean, away = 0, []
        for node in sorted(self._fleet.nodes.values(), key=lambda node: node.name):
            if not node.eligible:
                continue
            if not node.ready:
                away.append(node.name)
            elif why := self._why(node.name):
                waiting[node.name] = why
            else:
                clean += 1
        return Outcome(clean, waiting, tuple(away))

    def _why(self, node: str) -> str:
        report = self._fleet.reports.get(node)
        if node not in self._fleet.pods:
            return "has no agent"
        if report is None or report.revision != self._document.revision:
            return "has not answered for the newest trust document"
        return "; ".join(
            f"{result.reason}: {result.message}" for result in report.exceptions.values()
        )

    async def _list(self) -> None:
        self._fleet.listing()
        nodes = await self._api.list_all(NODE)
        pods = await self._api.list_all(POD, self._namespace, labels=node_agent.PODS)
        before = dict(self._fleet.pods)
        self._fleet.replace(nodes, pods)
        for name, pod in self._fleet.pods.items():
            self._tasks.tell(name)
            if name in before and before[name].uid != pod.uid:
                self._poller.soon(name)
