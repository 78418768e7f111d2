"""Asks the agents how far they are: after each change until they are through, else once a minute.

Agents hold no credential and call nobody; the controller asks them, at a bounded rate.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace

import aiohttp

from localregistry.controller.fleet import AgentPod, Fleet
from localregistry.controller.workqueue import WorkQueue
from localregistry.trust import AGENT_PORT, Damaged, NodeReason, Report, Task

logger = logging.getLogger(__name__)

# Agents answer from memory; a node that takes longer is asked again later.
TIMEOUT = aiohttp.ClientTimeout(total=3)
ASKERS = 16
# A node that is through is asked again once a minute, spread so that 1,000 nodes make 17 calls/s.
SETTLED_SECONDS = 60.0
# One that has something to report may be mended by its administrator at any time.
FAILING_SECONDS = 8.0
# While a change is under way: five times a second for as many nodes as 16 askers keep up with.
BUSY_SECONDS = 0.2
BUSY_NODES = 50
# What takes 0.4 s by rule has not come after 5 s; asked again at the same pace, and slower later.
LATE_ATTEMPTS = 25
# After this many questions something else is wrong than slowness: slow down, up to 5 s.
PATIENCE = 50
SLOWEST_SECONDS = 5.0
# An answer is a line per registry that is not proved: 1 MiB is far more than 900 KB of trust.
MAX_ANSWER = 1 << 20


class Poller:
    """Keeps `fleet.reports` fresh.

    `changed(uids)` is called when an answer is news for these registries (None: for all);
    `late(node)` where an agent answers and has not come to know its task for some seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        session: aiohttp.ClientSession,
        *,
        revision: Callable[[], str],
        changed: Callable[[set[str] | None], None],
        late: Callable[[str], None],
        port: int = AGENT_PORT,
    ) -> None:
        self._fleet = fleet
        self._session = session
        self._revision = revision
        self._changed = changed
        self._late = late
        self._port = port
        self._queue: WorkQueue[str] = WorkQueue()
        self._attempts: dict[str, int] = {}
        self._unasked: set[str] | None = None

    async def run(self) -> None:
        """Runs until cancelled."""
        self._unasked = set(self._fleet.pods)
        self._note_asked("")
        for node in self._fleet.pods:
            self._queue.add(node)
        async with asyncio.TaskGroup() as group:
            for _ in range(ASKERS):
                group.create_task(self._ask_forever())

    def soon(self, node: str) -> None:
        """This node has something new to work on, or a new agent."""
        self._attempts.pop(node, None)
        self._queue.add_after(node, self._busy())

    async def _ask_forever(self) -> None:
        while True:
            node = await self._queue.get()
            try:
                await self._ask(node)
            except Exception:
                # A node that answers what nobody thought of must not end the operator.
                logger.exception("Asking the agent on %s failed", node)
                self._queue.add_after(node, SLOWEST_SECONDS)
            finally:
                self._queue.done(node)

    async def _ask(self, node: str) -> None:
        pod = self._fleet.pods.get(node)
        if pod is None:
            self._attempts.pop(node, None)
            self._note_asked(node)
            return
        report = await self._report(pod) if pod.address else None
        # The task may be another one since the agent was asked.
        excluded = _excluded(self._fleet.pods.get(node, pod))
        if report is not None:
            self._learn(node, report, excluded)
        self._note_asked(node)
        if report is not None and self._through(report, excluded):
            self._attempts.pop(node, None)
            seconds = FAILING_SECONDS if report.exceptions else SETTLED_SECONDS
            self._queue.add_after(node, seconds * random.uniform(0.8, 1.2))
            return
        attempts = self._attempts[node] = self._attempts.get(node, 0) + 1
        if attempts % LATE_ATTEMPTS == 0 and report and report.revision != self._revision():
            self._late(node)
        late = max(0, attempts - PATIENCE)
        self._queue.add_after(node, min(self._busy() * 1.3 ** min(late, 40), SLOWEST_SECONDS))

    async def _report(self, pod: AgentPod) -> Report | None:
        host = f"[{pod.address}]" if ":" in pod.address else pod.address
        try:
            url = f"http://{host}:{self._port}/status"
            # No redirect: a node must not send the operator's requests anywhere else.
            async with self._session.get(url, timeout=TIMEOUT, allow_redirects=False) as answer:
                if answer.status != 200:
                    return None
                return Report.from_json(await _whole(answer))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.debug("Agent on %s does not answer: %s", pod.node, error)
        except Damaged as error:
            logger.warning("Agent on %s gave an answer that cannot be read: %s", pod.node, error)
        return None

    def _learn(self, node: str, report: Report, excluded: set[str]) -> None:
        """Takes an answer in. What the agent has yet to forget is proved no more, whatever it says:
        it may forget it before it is asked again."""
        known = replace(report, excluded=tuple(sorted({*report.excluded, *excluded})))
        before = self._fleet.reports.get(node)
        if before != known:
            self._fleet.reports[node] = known
            self._changed(self._fleet.affected(before, known))

    def _through(self, report: Report, excluded: set[str]) -> bool:
        if report.revision != self._revision() or set(report.excluded) != excluded:
            return False
        reasons = {result.reason for result in report.exceptions.values()}
        return NodeReason.PENDING not in reasons

    def _busy(self) -> float:
        return BUSY_SECONDS * max(1.0, len(self._fleet.pods) / BUSY_NODES)

    def _note_asked(self, node: str) -> None:
        if self._unasked is None:
            return
        self._unasked.discard(node)
        if not self._unasked:
            self._unasked = None
            self._fleet.surveyed = True
            self._changed(None)


def _excluded(pod: AgentPod) -> set[str]:
    """The registries that leave this node out, as its agent was told."""
    try:
        return set(Task.from_json(pod.task).excluded)
    except Damaged:
        return set()


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """The body, which comes in pieces. Raises Damaged where it is too long."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise Damaged(f"report: more than {MAX_ANSWER} bytes")
    return bytes(body)
