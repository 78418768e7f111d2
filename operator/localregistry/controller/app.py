"""Wires the controller's parts together, and runs them while this operator leads."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from localregistry.controller import kube
from localregistry.controller.children import owner_key
from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events
from localregistry.controller.failedpulls import FailedPulls
from localregistry.controller.fleet import Fleet
from localregistry.controller.frontdoors import FrontDoors
from localregistry.controller.hearing import Hearing
from localregistry.controller.hosting import HOSTING, Hosting
from localregistry.controller.kinds import LOCAL_REGISTRY, NODE, POD, Kind
from localregistry.controller.latecomers import late_names
from localregistry.controller.metrics import Metrics, Result, Sources, Subject
from localregistry.controller.news import Echoes, News
from localregistry.controller.nodetasks import NodeTasks
from localregistry.controller.nodetrust import NodeTrust
from localregistry.controller.poller import Poller
from localregistry.controller.probe import Pusher
from localregistry.controller.reconcile import Reconciler
from localregistry.controller.rollcall import RollCall
from localregistry.controller.settings import Settings
from localregistry.controller.usages import Usages
from localregistry.controller.watches import Sinks, watch
from localregistry.controller.workqueue import WorkQueue
from localregistry.resources import hosting, node_agent
from localregistry.spec.registry import InvalidSpec, LocalRegistry

logger = logging.getLogger(__name__)

# The key of what all LocalRegistries together mean for the nodes; no namespace has this name.
TRUST: Key = ("", "node-trust")

# One event loop, and an API server that four writers keep busy: more of them would only hold more
# half-done runs.
WORKERS = 4
# Answers of several agents within this time make one run.
NODE_NEWS_SECONDS = 0.1
# What several parts of Kubernetes say of one pod at a time, too.
EVENT_NEWS_SECONDS = 1.0
# While the API server is away its return must be noticed quickly; a fault of one object may wait.
UNREACHABLE_BACKOFF = 10.0
CRD_WAIT = 2.0


class Controller:
    """All parts of one leading operator, from start to stop."""

    def __init__(
        self,
        api: kube.Api,
        session: aiohttp.ClientSession,
        settings: Settings,
        metrics: Metrics | None = None,
    ) -> None:
        config = settings.config
        self._metrics = metrics or Metrics()
        # Monotonic seconds of the watches' last sign of life; their thread writes it.
        self._beat: float | None = None
        self._api = api
        self._namespace = config.namespace
        self._resync_seconds = settings.resync_seconds
        self.queue: WorkQueue[Key] = WorkQueue()
        self._fleet = Fleet()
        wake_trust = functools.partial(self.queue.add, TRUST)
        self._trust = NodeTrust(
            api,
            config,
            self._fleet,
            wake=self.queue.add,
            wake_trust=wake_trust,
            tell=lambda node: self._tasks.tell(node),
            port=settings.registry_port,
        )
        self._poller = Poller(
            self._fleet,
            session,
            revision=lambda: self._trust.document.revision,
            changed=self._node_news,
            late=lambda node: self._tasks.nudge(node),
            port=settings.agent_port,
        )
        self._tasks = NodeTasks(
            api,
            self._fleet,
            namespace=config.namespace,
            document=lambda: self._trust.document,
            excluded=self._trust.excluded,
            told=self._poller.soon,
        )
        posts = Events(api, instance=settings.identity, namespace=config.namespace)
        push = Pusher(session).push
        self._usages = Usages(
            session,
            changed=self.queue.add,
            port=settings.usage_port,
            every=settings.usage_seconds,
        )
        echoes = Echoes()

        def heard(key: Key) -> None:
            self.queue.add_after(key, EVENT_NEWS_SECONDS)

        self._hearing = Hearing(api, changed=heard)
        self._pulls = FailedPulls(
            *(api, self._trust), changed=heard, is_node=lambda name: name in self._fleet.nodes
        )
        self._doors = FrontDoors(session, changed=self.queue.add)
        self._hosting = Hosting(api, config, self._trust, wake=self.queue.add)
        self._reconciler = Reconciler(
            *(api, config, self._trust, posts),
            push=push,
            usages=self._usages,
            echoes=echoes,
            hearing=self._hearing,
            hosting=self._hosting,
            pulls=self._pulls,
            doors=self._doors,
        )
        self._news = News(
            echoes,
            add=self.queue.add,
            hurry=functools.partial(self.queue.add, urgent=True),
            later=_call_later,
        )
        self._calls = RollCall(self._known, self._missing, later=_call_later)

    async def run(self) -> None:
        """Runs until cancelled; raises where the process should end and be started anew."""
        sources = Sources(
            queue_depth=self.queue.__len__,
            oldest_key=self.queue.oldest_age,
            census=self._reconciler.census,
            trusted_hosts=self._trust.trusted_hosts,
        )
        with self._metrics.leading(sources):
            await self._patiently(self._trust.load)
            await self._patiently(self._relist)
            try:
                await self._all()
            finally:
                await self._hearing.close()

    def watches_silent(self) -> float:
        """Seconds since the watches' event loop gave a sign of life; 0 before they start."""
        return 0.0 if self._beat is None else time.monotonic() - self._beat

    def _alive(self) -> None:
        self._beat = time.monotonic()

    async def _all(self) -> None:
        self._alive()
        async with asyncio.TaskGroup() as group:
            for task in (
                watch(self._sinks(), namespace=self._namespace, beat=self._alive),
                self._poller.run(),
                self._usages.run(),
                self._pulls.run(),
                self._doors.run(),
                self._tasks.run(),
                self._resync(),
                *(self._work() for _ in range(WORKERS)),
            ):
                group.create_task(task)

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self._one(key)
            finally:
                self.queue.done(key)

    async def _one(self, key: Key) -> None:
        """One run; whatever it raises is this key's alone."""
        started = time.monotonic()
        result = await self._run(key)
        seconds = time.monotonic() - started
        self._metrics.ran(Subject.NODES if key == TRUST else Subject.REGISTRY, result, seconds)
        logger.debug("Reconciled %s/%s in %.3f s: %s", *key, seconds, result)

    async def _run(self, key: Key) -> Result:
        try:
            if key == TRUST:
                again = await self._trust.reconcile()
            elif key == HOSTING:
                again = await self._hosting.reconcile()
            else:
                again = await self._reconciler.reconcile(key)
        except ApiError as error:
            if error.stale:
                self.queue.add_failed(key, longest=1.0)
                return Result.CONFLICT
            longest = UNREACHABLE_BACKOFF if error.unreachable else 300.0
            self.queue.add_failed(key, longest=longest, at_least=error.retry_after)
            logger.warning("Could not reconcile %s/%s: %s", *key, error)
            return Result.UNREACHABLE if error.unreachable else Result.REFUSED
        except Exception:
            # A defect of ours: told in full, and kept from the other keys.
            self.queue.add_failed(key)
            logger.exception("Reconcile of %s/%s failed", *key)
            return Result.DEFECT
        self.queue.forget(key)
        if again is not None:
            self.queue.add_after(key, again)
        return Result.SUCCESS

    async def _relist(self) -> None:
        """All LocalRegistries, nodes and agents as they are now."""
        self._fleet.listing()
        nodes = await self._api.list_all(NODE)
        pods = await self._api.list_all(POD, self._namespace, labels=node_agent.PODS)
        self._fleet.replace(nodes, pods)
        # Last, since workers go on meanwhile: what they have seen newly must be in this list, or
        # its trust would be withdrawn below.
        bodies = {_key(body): body for body in await self._api.list_all(LOCAL_REGISTRY)}
        # Trust is taken away for what is gone, not for what an old list does not know.
        for key in self._trust.known() - bodies.keys():
            if live := await self._api.get(LOCAL_REGISTRY, *key):
                bodies[key] = live
        registries = []
        for body in bodies.values():
            with contextlib.suppress(InvalidSpec):
                registries.append(LocalRegistry.from_body(body))
        # Whoever came to a name late comes after those that have it.
        for registry in sorted(registries, key=lambda one: bool(late_names(one))):
            if registry.deleted:
                continue
            if registry.spec.suspend:
                self._trust.frozen(registry)
            else:
                self._trust.seen(registry)
        # Whose a name is only all of them together say.
        for registry in registries:
            if not registry.deleted:
                self._hosting.seen(registry)
        for claim in self._trust.claims:
            if claim.key not in bodies:
                self._trust.drop(claim.key)
                self._hosting.drop(claim.key)
        if self._hosting.enabled:
            self.queue.add(HOSTING)
        for key in (TRUST, *bodies):
            self.queue.add(key)

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._resync_seconds * random.uniform(0.9, 1.1))
            try:
                await self._relist()
            except ApiError as error:
                logger.warning("Could not list everything anew: %s", error)

    @staticmethod
    async def _patiently(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A start that finds the API server away waits for it."""
        while True:
            try:
                return await step()
            except ApiError as error:
                logger.warning("Could not start yet: %s", error)
                await asyncio.sleep(CRD_WAIT)

    def _known(self, kind: Kind) -> dict[str, Any]:
        """What there must be of a kind, for a roll call: see _missing."""
        if kind == NODE:
            return {name: name for name in self._fleet.nodes}
        if kind == POD:
            return {pod.uid: pod for pod in self._fleet.pods.values()}
        return self._hosting.known(kind) | self._reconciler.known(kind)

    def _missing(self, kind: Kind, what: Any) -> None:
        """Went while nothing was watched: as if a watch had told so."""
        if kind == NODE:
            self._node({"metadata": {"name": what}}, True)
        elif kind == POD:
            self._agent({"metadata": {"uid": what.uid}, "spec": {"nodeName": what.node}}, True)
        else:
            self.queue.add(what)

    def _sinks(self) -> Sinks:
        def registry(body: dict[str, Any]) -> None:
            self._calls.seen(body["metadata"]["uid"])
            self._news.tell_parent(_key(body), body)

        def child(body: dict[str, Any]) -> None:
            self._calls.seen(body["metadata"]["uid"])
            key = HOSTING if hosting.is_it(body) else owner_key(body)
            if key:
                self._reconciler.saw(key, body)
                self._news.tell(key, body)

        return Sinks(
            registry=registry,
            child=child,
            node=self._node,
            agent=self._agent,
            trust=lambda: self.queue.add(TRUST),
            listing=self._calls.listing,
            listed=self._calls.listed,
        )

    def _node(self, body: dict[str, Any], gone: bool) -> None:
        name = body["metadata"]["name"]
        self._calls.seen(name)
        before = self._fleet.nodes.get(name)
        if self._fleet.observe_node(body, gone=gone):
            self._tasks.tell(name)
            self._node_news(self._trust.selection.moved(before, self._fleet.nodes.get(name)))

    def _agent(self, body: dict[str, Any], gone: bool) -> None:
        self._calls.seen(body["metadata"]["uid"])
        if self._fleet.observe_pod(body, gone=gone):
            name = body["spec"]["nodeName"]
            self._tasks.tell(name)
            self._poller.soon(name)

    def _node_news(self, uids: set[str] | None) -> None:
        for claim in self._trust.claims:
            if claim.managed and (uids is None or claim.uid in uids):
                self.queue.add_after(claim.key, NODE_NEWS_SECONDS)


def _key(body: dict[str, Any]) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _call_later(*arguments: Any) -> object:
    return asyncio.get_running_loop().call_later(*arguments)
