"""An HTTP server for one test, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    handle: Handler, *, method: str = "*", address: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Its port. `handle` gets every request of the method; who waits at the end is cut off."""
    app = web.Application()
    app.router.add_route(method, "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, 0).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
