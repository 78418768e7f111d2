"""The probes' endpoints."""

from __future__ import annotations

import aiohttp
import pytest

from localregistry.controller import health
from localregistry.controller.health import STUCK_SECONDS, Health


async def ask(port: int, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("age", "status", "text"),
    [
        (0.0, 200, "ok"),
        (STUCK_SECONDS, 200, "ok"),
        (STUCK_SECONDS + 1, 500, "a key has been waiting for 301 s for a worker"),
    ],
)
async def test_the_operator_is_alive_while_keys_find_a_worker(
    age: float, status: int, text: str
) -> None:
    state = Health(oldest_key=lambda: age)
    async with health.serve(state, port=0, host="127.0.0.1") as port:
        assert await ask(port, "/healthz") == (status, text)


async def test_it_is_ready_when_it_says_so() -> None:
    state = Health()
    async with health.serve(state, port=0, host="127.0.0.1") as port:
        assert await ask(port, "/readyz") == (503, "starting")
        state.ready = True
        assert await ask(port, "/readyz") == (200, "ok")
        assert (await ask(port, "/"))[0] == 404


async def test_the_port_is_free_again_afterwards() -> None:
    async with health.serve(Health(), port=0, host="127.0.0.1") as port:
        pass
    async with health.serve(Health(), port=port, host="127.0.0.1") as again:
        assert again == port
