"""An `Api` that speaks to a handler of the test's own, by HTTP over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kubernetes.aio import client

from localregistry.controller.kube import Api
from unit.controller.serving import Handler, serving


@asynccontextmanager
async def speaking(
    handle: Handler, requested: Callable[[str, int], None] = lambda verb, status: None
) -> AsyncIterator[Api]:
    """`handle` gets every request; `requested` is told of each as the Api tells it."""
    async with serving(handle) as port:
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{port}"
        async with client.ApiClient(configuration) as api_client:
            yield Api(api_client, requested)
