"""The operator's process around the controller, from its start to SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable

import aiohttp

from localregistry.controller import health, kube, leader
from localregistry.controller.app import CRD_WAIT, Controller
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import LOCAL_REGISTRY
from localregistry.controller.kopffailures import WatchesEnded
from localregistry.controller.metrics import Metrics
from localregistry.controller.rivals import Rivals
from localregistry.controller.settings import Settings

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """The operator's process: probes, the CRD, the Lease, then the controller. Ends on SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    state, metrics = health.Health(), Metrics()
    async with (
        health.serve(state, port=settings.health_port, exposition=metrics.render),
        kube.connect(metrics.requested) as api,
        aiohttp.ClientSession() as session,
    ):
        lease = leader.Lease(api, namespace=settings.config.namespace, identity=settings.identity)

        def told(in_the_way: str) -> None:
            state.ready, state.waiting = not in_the_way, in_the_way or "starting"

        async def work() -> None:
            await Rivals(api, settings.config.namespace, told=told).gone()
            controller = Controller(api, session, settings, metrics)
            state.oldest_key = controller.queue.oldest_age
            state.longest_run = controller.queue.longest_run
            state.watches_silent = controller.watches_silent
            await controller.run()

        async def main() -> None:
            await _crd_served(api)
            # A standby is ready too: it has nothing to do but to wait for its turn.
            state.ready = True
            try:
                await leader.lead(lease, work)
            except* WatchesEnded as group:
                # Whoever starts the process anew lets it wait for the CRD.
                logger.error("Stopping: %s", group.exceptions[0])

        await _until(stopping, main())


async def _crd_served(api: kube.Api) -> None:
    """Waits for the CRD: kopf would neither wait for it nor notice it later."""
    told = False
    while True:
        with contextlib.suppress(ApiError):
            if await api.served(LOCAL_REGISTRY):
                return
        if not told:
            logger.info("Waiting for the LocalRegistry CRD: kubectl apply -f crds/ installs it")
            told = True
        await asyncio.sleep(CRD_WAIT)


async def _until(stopping: asyncio.Event, main: Awaitable[None]) -> None:
    """Runs `main` to its end, or cancels it when asked to stop."""
    running = asyncio.ensure_future(main)
    asked = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not running.done():
        logger.info("Stopping")
        running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if not stopping.is_set() and not running.cancelled():
        running.result()
        raise SystemExit(1)
