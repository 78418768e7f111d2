"""The watches' thread: what comes over from it, and how both ends end. Watching itself is tested
against a real API server.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import kopf
import pytest

from localregistry.controller import kopffailures, watches
from localregistry.controller.kinds import SERVICE
from localregistry.controller.kopffailures import WatchesEnded
from localregistry.controller.listings import Listings
from localregistry.controller.watches import Sinks, watch
from unit.controller.bodies import SYSTEM, until

Watching = Callable[[Sinks, str, threading.Event], Any]

# What does not end by itself hangs; a busy machine may take seconds to start a thread.
HANG_SECONDS = 20


def collecting(into: list[tuple[Any, ...]]) -> Sinks:
    def sink(name: str) -> Callable[..., None]:
        return lambda *arguments: into.append((name, threading.current_thread().name, *arguments))

    names = ("registry", "child", "node", "agent", "trust", "listing", "listed")
    return Sinks(*(sink(name) for name in names))


def alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watches"]


def instead(monkeypatch: pytest.MonkeyPatch, watching: Watching) -> None:
    monkeypatch.setattr(watches, "_watch", watching)


async def until_stopped(stop: threading.Event) -> None:
    while not stop.is_set():  # noqa: ASYNC110 - a flag of another thread
        await asyncio.sleep(0.01)


async def test_events_come_over_to_the_loop_that_asked_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        sinks.registry({"kind": "LocalRegistry", "seen": namespace})
        sinks.child({"kind": "Service"})
        sinks.node({"kind": "Node"}, True)
        sinks.agent({"kind": "Pod"}, False)
        sinks.trust()
        sinks.listing(SERVICE)
        sinks.listed(SERVICE)
        await until_stopped(stop)

    instead(monkeypatch, watching)
    came: list[tuple[Any, ...]] = []
    running = asyncio.create_task(watch(collecting(came), namespace=SYSTEM))
    await until(lambda: len(came) == 7)
    here = threading.current_thread().name
    assert came == [
        ("registry", here, {"kind": "LocalRegistry", "seen": SYSTEM}),
        ("child", here, {"kind": "Service"}),
        ("node", here, {"kind": "Node"}, True),
        ("agent", here, {"kind": "Pod"}, False),
        ("trust", here),
        ("listing", here, SERVICE),
        ("listed", here, SERVICE),
    ]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_stop_waits_for_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        sinks.trust()
        await until_stopped(stop)
        await asyncio.sleep(0.1)

    instead(monkeypatch, watching)
    came: list[tuple[Any, ...]] = []
    running = asyncio.create_task(watch(collecting(came), namespace=SYSTEM))
    await until(lambda: came)
    assert alive()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not alive()


async def test_signs_of_life_come_while_the_watches_loop_runs_and_none_while_it_is_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block, blocked, go_on = threading.Event(), threading.Event(), threading.Event()

    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        while not block.is_set():  # noqa: ASYNC110 - a flag of another thread
            await asyncio.sleep(0.005)
        blocked.set()
        go_on.wait(5)
        await until_stopped(stop)

    instead(monkeypatch, watching)
    monkeypatch.setattr(watches, "BEAT_SECONDS", 0.01)
    beats: list[str] = []
    running = asyncio.create_task(
        watch(
            collecting([]),
            namespace=SYSTEM,
            beat=lambda: beats.append(threading.current_thread().name),
        )
    )
    await until(lambda: len(beats) > 3)
    assert set(beats) == {"watches"}, "in its own thread: a busy controller is no silence"
    block.set()
    await asyncio.to_thread(blocked.wait, 5)
    before = len(beats)
    await asyncio.sleep(0.1)
    assert len(beats) == before
    go_on.set()
    await until(lambda: len(beats) > before)
    running.cancel()
    await asyncio.wait({running}, timeout=2)
    assert not alive()


async def test_a_thread_that_does_not_end_holds_up_the_stop_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        sinks.trust()
        await until_stopped(release)

    instead(monkeypatch, watching)
    monkeypatch.setattr(watches, "STOP_SECONDS", 0.1)
    came: list[tuple[Any, ...]] = []
    running = asyncio.create_task(watch(collecting(came), namespace=SYSTEM))
    await until(lambda: came)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=1)
    release.set()
    assert done
    await until(lambda: not alive())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("the CRD is gone"), "the CRD is gone"),
        (None, "the watches ended"),
    ],
    ids=["an error is raised here", "an end unasked is an error too"],
)
async def test_the_end_of_the_watches_is_the_operator_s(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, told: str
) -> None:
    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        if error:
            raise error

    instead(monkeypatch, watching)
    with pytest.raises(RuntimeError, match=told):
        await asyncio.wait_for(watch(collecting([]), namespace=SYSTEM), HANG_SECONDS)
    assert not alive()


class Refused(Exception):
    """As kopf's own, which say the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__("404 page not found")
        self.status = status


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("too old resource version"), "^too old resource version$"),
        (Refused(404), "refuses a watch: 404 page not found"),
    ],
    ids=["a fault", "a refusal"],
)
async def test_a_failure_after_which_kopf_never_ends_ends_the_operator_all_the_same(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setattr(watches, "STOP_SECONDS", 0.2)

    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        logging.getLogger("kopf._core.reactor.running").error("It has failed", exc_info=error)
        await until_stopped(stop)

    instead(monkeypatch, watching)
    with pytest.raises(Exception, match=told):
        await asyncio.wait_for(watch(collecting([]), namespace=SYSTEM), HANG_SECONDS)
    assert not alive()


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (ExceptionGroup("g", [Refused(404)]), True),
        (ExceptionGroup("g", [ExceptionGroup("h", [Refused(403)])]), True),
        (ExceptionGroup("g", [Refused(500)]), False),
        (ExceptionGroup("g", [Refused(404), ValueError("ours")]), False),
        (ValueError("ours"), False),
    ],
    ids=["a CRD that is gone", "a lacking right", "a fault", "a defect beside it", "a defect"],
)
async def test_a_refused_watch_ends_in_one_sentence_and_a_defect_with_its_stack(
    monkeypatch: pytest.MonkeyPatch, error: Exception, short: bool
) -> None:
    async def watching(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
        raise error

    instead(monkeypatch, watching)
    with pytest.raises(Exception, match=r".") as raised:
        await asyncio.wait_for(watch(collecting([]), namespace=SYSTEM), HANG_SECONDS)
    assert isinstance(raised.value, WatchesEnded) == short
    if short:
        assert str(raised.value) == "the API server refuses a watch: 404 page not found"
    else:
        assert raised.value is error


@pytest.mark.parametrize(("error", "stack"), [(Refused(404), False), (ValueError("x"), True)])
def test_kopf_s_own_stack_of_a_refusal_is_left_out(
    error: Exception, stack: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("kopf.of.a.test")
    logger.addFilter(kopffailures.IN_SHORT)
    logger.error("Watcher has failed: %s", error, exc_info=error)
    [record] = caplog.records
    assert bool(record.exc_info) == stack
    assert str(error) in record.getMessage()


@pytest.mark.parametrize("stopping", [False, True])
def test_asyncio_shows_no_stack_of_what_was_cut_off_at_the_end(
    stopping: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    if stopping:
        stop.set()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(watches._silent_at_the_end(stop))
    with caplog.at_level("DEBUG"):
        loop.call_exception_handler({"message": "cut off", "exception": RuntimeError("x")})
    loop.close()
    [record] = [record for record in caplog.records if "cut off" in record.getMessage()]
    assert record.levelname == ("DEBUG" if stopping else "ERROR")
    assert bool(record.exc_info) != stopping


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("10.96.0.1", "https://10.96.0.1:6443"),
        ("fd00::1", "https://[fd00::1]:6443"),
    ],
)
def test_in_a_pod_the_api_server_is_reached_by_its_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, host: str, server: str
) -> None:
    (tmp_path / "token").write_text("not-a-real-token\n")
    monkeypatch.setattr(watches, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    info = watches._login()
    assert info is not None
    assert (info.server, info.token) == (server, "not-a-real-token")


async def test_a_login_gives_kopf_a_new_session_whenever_it_takes_one() -> None:
    """kopf closes the one that it has while some of its watches still run, and goes on."""
    told: list[str] = []
    listings = Listings(
        (SERVICE,), listing=lambda kind: told.append(kind.plural), listed=lambda kind: None
    )
    info = kopf.ConnectionInfo(server="http://127.0.0.1:9", token="not-a-real-token")
    login = watches._Traced(info, listings)
    first = login.aiohttp_session
    await first.close()
    async with login.aiohttp_session as second:
        assert not second.closed
        assert second.headers["Authorization"] == "Bearer not-a-real-token"
        with pytest.raises(aiohttp.ClientConnectionError):
            await second.get(f"{login.server}/api/v1/services")
    assert told == ["services"]


def test_a_login_that_was_refused_is_known_again_and_tells_no_secret() -> None:
    listings = Listings((), listing=lambda kind: None, listed=lambda kind: None)

    def login(token: str) -> watches._Traced:
        info = kopf.ConnectionInfo(server="https://10.96.0.1", token=token)
        return watches._Traced(info, listings)

    assert login("a") == login("a")
    assert len({login("a"), login("a")}) == 1
    assert login("a") != login("b")
    assert login("a") != "https://10.96.0.1"
    assert "https://10.96.0.1" in repr(login("secret"))
    assert "secret" not in repr(login("secret"))
