"""An `Api` that speaks to a handler of the test's own, by HTTP over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from kubernetes.aio import client

from localregistry.controller.kube import Api

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def speaking(
    handle: Handler, requested: Callable[[str, int], None] = lambda verb, status: None
) -> AsyncIterator[Api]:
    """`handle` gets every request; `requested` is told of each as the Api tells it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with client.ApiClient(configuration) as api_client:
        yield Api(api_client, requested)
    await runner.cleanup()
