"""The probes' endpoints."""

from __future__ import annotations

import asyncio
import queue
import threading

import aiohttp
import pytest

from localregistry.controller import health
from localregistry.controller.health import SILENT_SECONDS, STUCK_SECONDS, Health


async def ask(port: int, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("source", "age", "status", "text"),
    [
        ("oldest_key", 0.0, 200, "ok"),
        ("oldest_key", STUCK_SECONDS, 200, "ok"),
        ("oldest_key", STUCK_SECONDS + 1, 500, "a key has been waiting for 301 s for a worker"),
        ("longest_run", STUCK_SECONDS, 200, "ok"),
        ("longest_run", STUCK_SECONDS + 1, 500, "a key has been worked on for 301 s"),
        ("watches_silent", SILENT_SECONDS, 200, "ok"),
        ("watches_silent", 21, 500, "the watches have given no sign of life for 21 s"),
    ],
)
async def test_the_operator_is_alive_while_its_workers_and_its_watches_are(
    source: str, age: float, status: int, text: str
) -> None:
    state = Health()
    setattr(state, source, lambda: age)
    async with health.serve(state, port=0, host="127.0.0.1") as port:
        assert await ask(port, "/healthz") == (status, text)


async def test_it_is_ready_when_it_says_so() -> None:
    state = Health()
    async with health.serve(state, port=0, host="127.0.0.1") as port:
        assert await ask(port, "/readyz") == (503, "starting")
        state.ready = True
        assert await ask(port, "/readyz") == (200, "ok")
        assert (await ask(port, "/"))[0] == 404


async def test_an_event_loop_that_is_blocked_answers_no_probe() -> None:
    # As in the process: the endpoint and the work have one loop, here in a thread.
    ports: queue.Queue[int] = queue.Queue()
    done = threading.Event()
    loop = asyncio.new_event_loop()

    async def serving() -> None:
        async with health.serve(Health(), port=0, host="127.0.0.1") as port:
            ports.put(port)
            while not done.is_set():  # noqa: ASYNC110 - a flag of another thread
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=loop.run_until_complete, args=(serving(),))
    thread.start()
    try:
        port = await asyncio.to_thread(ports.get)
        assert (await ask(port, "/healthz"))[0] == 200
        go_on = threading.Event()
        loop.call_soon_threadsafe(go_on.wait, 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(port, "/healthz"), 0.5)
        go_on.set()
        assert (await ask(port, "/healthz"))[0] == 200
    finally:
        done.set()
        await asyncio.to_thread(thread.join)
        loop.close()


async def test_metrics_are_served_as_they_are_asked_for() -> None:
    def exposition(accept: str) -> tuple[bytes, str]:
        return f"for {accept}".encode(), "text/plain; version=0.0.4; charset=utf-8"

    async with (
        health.serve(Health(), port=0, host="127.0.0.1", exposition=exposition) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": "x/y"}) as answer,
    ):
        assert await answer.text() == "for x/y"
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_the_port_is_free_again_afterwards() -> None:
    async with health.serve(Health(), port=0, host="127.0.0.1") as port:
        pass
    async with health.serve(Health(), port=port, host="127.0.0.1") as again:
        assert again == port
