"""`/healthz` and `/readyz`, served from the first moment, leading or not.

kopf's own endpoint is up only while kopf runs, and a standby has to answer its probes too. Both are
answered in the event loop that does the work: where that is blocked nobody answers. `/metrics` is
served beside them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

# A key that waited this long for a worker, or had one so long, means that the workers hang; an
# unreachable API server does not come here, since every call ends by its own time-out.
STUCK_SECONDS = 300.0
# The watches' event loop gives a sign of life each 5 s. With it and the probe's three misses at
# 10 s a blocked one is noticed within 20 + 30 s.
SILENT_SECONDS = 20.0


@dataclass
class Health:
    """What the endpoints answer from."""

    oldest_key: Callable[[], float] = lambda: 0.0
    longest_run: Callable[[], float] = lambda: 0.0
    # Seconds since the last sign of life; 0 where nothing is watched, as by a standby.
    watches_silent: Callable[[], float] = lambda: 0.0
    ready: bool = False
    # What it waits for, while it is not ready.
    waiting: str = "starting"

    def problem(self) -> str | None:
        age = self.oldest_key()
        if age > STUCK_SECONDS:
            return f"a key has been waiting for {age:.0f} s for a worker"
        if (age := self.longest_run()) > STUCK_SECONDS:
            return f"a key has been worked on for {age:.0f} s"
        if (age := self.watches_silent()) > SILENT_SECONDS:
            return f"the watches have given no sign of life for {age:.0f} s"
        return None


@asynccontextmanager
async def serve(
    health: Health,
    *,
    port: int,
    host: str = "0.0.0.0",
    exposition: Callable[[str], tuple[bytes, str]] | None = None,
) -> AsyncIterator[int]:
    """Serves until the block ends; yields the port (useful where 0 asked for any).

    `exposition` takes an Accept header and returns what /metrics answers: body and Content-Type.
    """

    async def healthz(_: web.Request) -> web.Response:
        problem = health.problem()
        return web.Response(text=problem or "ok", status=500 if problem else 200)

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(
            text="ok" if health.ready else health.waiting, status=200 if health.ready else 503
        )

    async def metrics(request: web.Request) -> web.Response:
        assert exposition
        body, content_type = exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    if exposition:
        app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        addresses = runner.addresses
        yield int(addresses[0][1]) if addresses else port
    finally:
        await runner.cleanup()
