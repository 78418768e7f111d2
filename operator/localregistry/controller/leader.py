"""Which of several operators acts: a Lease, by the `kubernetes` package's election, mended.

The package's lock cannot create a Lease, waits 300 s on an API server that hangs (by then somebody
else leads too), ends without a word on one that refuses connections, writes local time as UTC, and
never releases. `Lease` mends all five; the election loop itself is the package's.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kubernetes.aio.client import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import LEASE
from localregistry.controller.kube import Api

logger = logging.getLogger(__name__)

NAME = "localregistry-operator"


@dataclass(frozen=True)
class Durations:
    """Seconds. `lease`, `renew` and `retry` are the package's, which takes none below 1.

    By the package alone the old leader may stop too late: it notices a renewal up to `call` after
    it, sleeps `retry`, then tries until `renew` has passed, the last time with two calls and one
    more `retry`: 2 + 2 + 10 + 4 + 2 = 20 s, and by the wall clock, which may jump. So the work ends
    `hold` after the last renewal that succeeded was sent. Nobody else may take over before `lease`
    has passed since: that leaves 2 s to cancel what is under way.
    """

    lease: float = 15
    renew: float = 10
    retry: float = 2
    call: float = 2
    hold: float = 13


class Lease(BaseLock):  # type: ignore[misc]
    """The lock on one `coordination.k8s.io/v1` Lease. Calls answer within `durations.call`."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        identity: str,
        name: str = NAME,
        durations: Durations | None = None,
    ) -> None:
        super().__init__(name, namespace, identity)
        self.durations = durations or Durations()
        self._api = api
        self._lease: dict[str, Any] = {}
        self._held_until = float("-inf")

    async def lapse(self) -> None:
        """Returns when the Lease may soon be somebody else's, unless it is renewed meanwhile."""
        loop = asyncio.get_running_loop()
        while (left := self._held_until - loop.time()) > 0:  # noqa: ASYNC110 - it is time itself
            await asyncio.sleep(left)

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        try:
            lease = await self._bounded(self._api.get(LEASE, namespace, name))
        except ApiError as error:
            return False, _exception(error.status, error.message)
        if lease is None:
            return False, _exception(404, "there is no such Lease", body='{"code": 404}')
        self._lease = lease
        spec = lease.get("spec") or {}
        record = LeaderElectionRecord(
            spec.get("holderIdentity") or None,
            str(spec.get("leaseDurationSeconds") or "") or None,
            spec.get("acquireTime"),
            spec.get("renewTime"),
        )
        return True, record

    async def create(
        self, *, name: str, namespace: str, election_record: LeaderElectionRecord
    ) -> bool:
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": self._spec(str(election_record.holder_identity), {}),
        }
        return await self._written(self._api.create(LEASE, body))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        spec = self._spec(str(updated_record.holder_identity), self._lease.get("spec") or {})
        return await self._written(self._api.replace(LEASE, {**self._lease, "spec": spec}))

    async def release(self) -> None:
        """Lets the next one lead at once, at a clean exit. Does nothing where we do not hold it."""
        try:
            lease = await self._bounded(self._api.get(LEASE, self.namespace, self.name))
            if lease and (lease.get("spec") or {}).get("holderIdentity") == self.identity:
                lease["spec"].update(holderIdentity="", leaseDurationSeconds=1)
                await self._bounded(self._api.replace(LEASE, lease))
        except ApiError as error:
            logger.info("Could not release the Lease, it runs out by itself: %s", error)

    def _spec(self, holder: str, old: dict[str, Any]) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == holder
        transitions = int(old.get("leaseTransitions") or 0)
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(self.durations.lease),
            "acquireTime": old["acquireTime"] if same and old.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": transitions if same or not old else transitions + 1,
        }

    async def _written(self, call: Awaitable[dict[str, Any]]) -> bool:
        sent = asyncio.get_running_loop().time()
        try:
            self._lease = await self._bounded(call)
        except ApiError as error:
            logger.info("Could not write the Lease: %s", error)
            return False
        self._held_until = sent + self.durations.hold
        return True

    async def _bounded(self, call: Awaitable[Any]) -> Any:
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that meets an answer.
            async with asyncio.timeout(self.durations.call):
                return await call
        except TimeoutError:
            raise ApiError(0, "the API server did not answer in time") from None


async def lead(lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
    """Waits for the Lease, then runs `work` while it is held; releases it at the end.

    Returns when `work` has ended (and raises what it raised) or when the Lease was lost: the
    process must end then, since what it believes about the cluster may be old.
    """
    ended = asyncio.Event()
    task: asyncio.Task[None] | None = None

    async def started() -> None:
        nonlocal task
        logger.info("Acquired the Lease as %s", lease.identity)
        task = asyncio.ensure_future(work())
        lapse = asyncio.ensure_future(lease.lapse())
        try:
            await asyncio.wait({task, lapse}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lapse.cancel()
            ended.set()

    election = LeaderElection(
        Config(
            lease,
            lease_duration=lease.durations.lease,
            renew_deadline=lease.durations.renew,
            retry_period=lease.durations.retry,
            onstarted_leading=started,
            onstopped_leading=None,
        )
    )
    running = asyncio.ensure_future(election.run())
    done = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait({running, done}, return_when=asyncio.FIRST_COMPLETED)
        if running.done() and running.exception():
            raise running.exception() or RuntimeError()
        if task is not None and task.done() and not task.cancelled():
            task.result()
        else:
            logger.warning("Lost the Lease: stopping")
    finally:
        # First the work, then the Lease: nobody may lead while we still write.
        pending = [t for t in (task, running, done) if t is not None]
        for pending_task in pending:
            pending_task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await lease.release()


def _exception(status: int, message: str, *, body: str | None = None) -> ApiException:
    exception = ApiException(status=status, reason=message)
    exception.body = body
    return exception
