"""`/healthz` and `/readyz`, served from the first moment, leading or not.

kopf's own endpoint is up only while kopf runs, and a standby has to answer its probes too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

# A key that waited this long for a worker means that the workers hang; an unreachable API server
# does not come here, since every call ends by its own time-out.
STUCK_SECONDS = 300.0


@dataclass
class Health:
    """What the endpoints answer from."""

    oldest_key: Callable[[], float] = lambda: 0.0
    ready: bool = False

    def problem(self) -> str | None:
        age = self.oldest_key()
        if age > STUCK_SECONDS:
            return f"a key has been waiting for {age:.0f} s for a worker"
        return None


@asynccontextmanager
async def serve(health: Health, *, port: int, host: str = "0.0.0.0") -> AsyncIterator[int]:
    """Serves until the block ends; yields the port (useful where 0 asked for any)."""

    async def healthz(_: web.Request) -> web.Response:
        problem = health.problem()
        return web.Response(text=problem or "ok", status=500 if problem else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(
            text="ok" if health.ready else "starting", status=200 if health.ready else 503
        )

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        addresses = runner.addresses
        yield int(addresses[0][1]) if addresses else port
    finally:
        await runner.cleanup()
