"""The Lease: who leads, and that nobody leads for longer than the Lease lasts."""

from __future__ import annotations

import asyncio
import datetime
import gc
import re
import time
from typing import Any

import pytest
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection

from localregistry.controller import leader
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import LEASE
from localregistry.controller.leader import Durations, Lease
from unit.controller.bodies import SYSTEM, until
from unit.controller.standin_api import StandInApi

# The shortest that the package takes, and a hold that ends before its own deadline.
SHORT = Durations(lease=1.5, renew=1.3, retry=1, call=0.1, hold=0.4)
LONG_AGO = "2026-01-01T00:00:00.000000Z"


def held_by(holder: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": leader.NAME, "namespace": SYSTEM},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "acquireTime": LONG_AGO,
            "renewTime": LONG_AGO,
            "leaseTransitions": 3,
            **spec,
        },
    }


def lock(api: StandInApi, durations: Durations = SHORT) -> Lease:
    return Lease(api, namespace=SYSTEM, identity="op-1", durations=durations)


def election(lease: Lease) -> LeaderElection:
    async def never() -> None: ...

    d = lease.durations
    return LeaderElection(Config(lease, d.lease, d.renew, d.retry, never, None))


def spec(api: StandInApi) -> dict[str, Any]:
    lease = api.look(LEASE, SYSTEM, leader.NAME)
    assert lease is not None
    return dict(lease["spec"])


class Work:
    """Work that runs until it is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.stopped.set()


def test_the_defaults_stop_the_work_before_anybody_may_take_over() -> None:
    durations = Durations()
    assert durations.hold + durations.call <= durations.lease
    # A renewal in time, and one that fails once, must not end the work.
    assert 2 * (durations.retry + 2 * durations.call) < durations.hold


async def test_a_lease_that_is_not_there_is_made() -> None:
    api = StandInApi()
    assert await election(lock(api)).try_acquire_or_renew()
    made = spec(api)
    assert made["holderIdentity"] == "op-1"
    assert made["leaseDurationSeconds"] == 2
    assert made["leaseTransitions"] == 0
    assert made["acquireTime"] == made["renewTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", made["renewTime"])
    said = datetime.datetime.fromisoformat(made["renewTime"]).timestamp()
    assert abs(said - time.time()) < 5


@pytest.mark.parametrize(
    ("before", "transitions", "acquired_anew"),
    [
        (held_by(""), 4, True),
        (held_by("op-1"), 3, False),
        (held_by("op-0", leaseDurationSeconds=None), 4, True),
        (held_by("op-0", renewTime=None), 4, True),
    ],
    ids=["released", "ours already", "without a duration", "never renewed"],
)
async def test_a_lease_is_taken_at_once(
    before: dict[str, Any], transitions: int, acquired_anew: bool
) -> None:
    api = StandInApi(before)
    assert await election(lock(api)).try_acquire_or_renew()
    after = spec(api)
    assert (after["holderIdentity"], after["leaseTransitions"]) == ("op-1", transitions)
    assert (after["acquireTime"] != LONG_AGO) is acquired_anew
    assert after["renewTime"] != LONG_AGO


async def test_a_lease_of_another_is_taken_only_when_it_was_not_renewed_for_its_duration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    api = StandInApi(held_by("op-0"))
    candidate = election(lock(api, Durations()))
    assert not await candidate.try_acquire_or_renew()
    now += 14
    assert not await candidate.try_acquire_or_renew()
    api.put(held_by("op-0", renewTime="2026-01-01T00:00:14.000000Z"))
    assert not await candidate.try_acquire_or_renew()
    now += 14
    assert not await candidate.try_acquire_or_renew()
    assert spec(api)["holderIdentity"] == "op-0"
    now += 2
    assert await candidate.try_acquire_or_renew()
    assert spec(api)["holderIdentity"] == "op-1"


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        ("get", ApiError(0, "refused")),
        ("get", ApiError(403, "leases is forbidden")),
        ("get", ApiError(404, "the server could not find the requested resource")),
        ("replace", ApiError(409, "modified")),
        ("replace", ApiError(503, "starting")),
    ],
    ids=["refused", "forbidden", "no such path", "somebody was quicker", "starting"],
)
async def test_a_call_that_fails_is_no_lease_and_no_end(verb: str, error: ApiError) -> None:
    api = StandInApi(held_by(""))
    api.fail(verb, LEASE, error)
    candidate = election(lock(api))
    assert not await candidate.try_acquire_or_renew()
    assert await candidate.try_acquire_or_renew()


async def test_a_lease_that_two_make_at_once_is_one_s() -> None:
    api = StandInApi()

    def quicker() -> None:
        api.put(held_by("op-0"))

    api.meanwhile("get", LEASE, quicker)
    assert not await election(lock(api)).try_acquire_or_renew()
    assert spec(api)["holderIdentity"] == "op-0"


async def test_a_hung_api_server_is_waited_for_no_longer_than_a_call_may_take() -> None:
    api = StandInApi(held_by(""))
    api.delay = 60
    began = time.monotonic()
    assert not await election(lock(api)).try_acquire_or_renew()
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("turns", range(6))
async def test_a_stop_is_not_lost_while_the_lease_is_renewed(turns: int) -> None:
    api, work = StandInApi(), Work()
    leading = asyncio.create_task(leader.lead(lock(api), work))
    await work.started.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    leading.cancel()
    done, _ = await asyncio.wait({leading}, timeout=10)
    assert done, "it would have gone on leading until it was killed"


async def test_work_begins_with_the_lease_and_releases_it_when_cancelled() -> None:
    api, work = StandInApi(), Work()
    leading = asyncio.create_task(leader.lead(lock(api), work))
    await asyncio.wait_for(work.started.wait(), 1)
    assert spec(api)["holderIdentity"] == "op-1"
    api.meanwhile("replace", LEASE, lambda: order.append(work.stopped.is_set()))
    order: list[bool] = []
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    assert order == [True], "the Lease is released after the work has stopped"
    assert spec(api)["holderIdentity"] == ""
    assert spec(api)["leaseDurationSeconds"] == 1


@pytest.mark.parametrize(
    "fault",
    ["hangs", "refuses", "stolen"],
    ids=["the API server hangs", "it refuses", "another took the Lease"],
)
async def test_work_ends_before_the_lease_does(fault: str) -> None:
    api, work = StandInApi(), Work()
    leading = asyncio.create_task(leader.lead(lock(api), work))
    await asyncio.wait_for(work.started.wait(), 1)
    began = time.monotonic()
    match fault:
        case "hangs":
            api.delay = 60
        case "refuses":
            for verb in ("get", "replace"):
                api.fail(verb, LEASE, ApiError(0, "refused"), times=99)
        case _:
            api.put(held_by("op-2"))
    await asyncio.wait_for(leading, 3)
    assert work.stopped.is_set()
    # Its hold, and the release, which may wait for one call.
    assert time.monotonic() - began < SHORT.hold + SHORT.call + 0.2
    if fault == "stolen":
        assert spec(api)["holderIdentity"] == "op-2"


async def test_renewals_keep_the_work_going() -> None:
    api, work = StandInApi(), Work()
    # A renewal at 0 s and one at 1 s: without them the work would end after 2 s. The second that is
    # left between the two is for a busy machine.
    durations = Durations(lease=3, renew=2.5, retry=1, call=0.1, hold=2)
    leading = asyncio.create_task(leader.lead(lock(api, durations), work))
    await until(lambda: len(api.called("replace", LEASE)) == 2)
    await asyncio.sleep(1.3)
    assert not work.stopped.is_set()
    assert not leading.done()
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)


async def test_what_the_work_raises_is_raised_once_and_the_lease_released() -> None:
    api = StandInApi()
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))

    async def work() -> None:
        raise RuntimeError("the watches ended")

    with pytest.raises(RuntimeError, match="the watches ended"):
        await asyncio.wait_for(leader.lead(lock(api), work), 1)
    gc.collect()
    await asyncio.sleep(0)
    assert lost == []
    assert spec(api)["holderIdentity"] == ""


async def test_a_release_that_fails_is_no_error_and_leaves_another_s_alone() -> None:
    api = StandInApi(held_by("op-2"))
    await lock(api).release()
    assert spec(api)["holderIdentity"] == "op-2"
    api.put(held_by("op-1"))
    api.fail("replace", LEASE, ApiError(503, "starting"))
    await lock(api).release()
    assert spec(api)["holderIdentity"] == "op-1"
    assert len(api.called("replace", LEASE)) == 1
