"""Which of several operators acts: a Lease, by the `kubernetes` package's election, mended.

The package's lock cannot create a Lease, waits 300 s on an API server that hangs (by then somebody
else leads too), ends without a word on one that refuses connections, writes local time as UTC, and
never releases. `Lease` mends all five; the election loop itself is the package's.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable
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

# renew_deadline + retry_period + the time-out of one call must stay below lease_duration: then the
# old leader has stopped before anybody else may take over.
LEASE_DURATION = 15
RENEW_DEADLINE = 10
RETRY_PERIOD = 2
CALL_TIMEOUT = 2.0


class Lease(BaseLock):  # type: ignore[misc]
    """The lock on one `coordination.k8s.io/v1` Lease. Calls answer within CALL_TIMEOUT."""

    def __init__(self, api: Api, *, namespace: str, identity: str, name: str = NAME) -> None:
        super().__init__(name, namespace, identity)
        self._api = api
        self._lease: dict[str, Any] = {}

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
            "leaseDurationSeconds": LEASE_DURATION,
            "acquireTime": old["acquireTime"] if same and old.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": transitions if same or not old else transitions + 1,
        }

    async def _written(self, call: Awaitable[dict[str, Any]]) -> bool:
        try:
            self._lease = await self._bounded(call)
        except ApiError as error:
            logger.info("Could not write the Lease: %s", error)
            return False
        return True

    @staticmethod
    async def _bounded(call: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(call, CALL_TIMEOUT)
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
        try:
            await task
        finally:
            ended.set()

    election = LeaderElection(
        Config(
            lease,
            lease_duration=LEASE_DURATION,
            renew_deadline=RENEW_DEADLINE,
            retry_period=RETRY_PERIOD,
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
        elif running.done():
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
