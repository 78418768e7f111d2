"""kopf as the informer: turns watch events into keys. The one module that imports `kopf`.

Only `on.event`, which writes nothing to anybody's object. Two embedded operators, since kopf is
either cluster-wide or of named namespaces: the second sees the agents' pods and the trust ConfigMap
in the operator's own namespace, so that no right on all pods is needed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import kopf

from localregistry.controller.kinds import (
    CHILD_KINDS,
    CONFIG_MAP,
    DAEMON_SET,
    LOCAL_REGISTRY,
    NODE,
    POD,
    Kind,
)
from localregistry.controller.kopffailures import IN_SHORT, Failures, in_short
from localregistry.controller.listings import Listings
from localregistry.resources import node_agent
from localregistry.resources.meta import MANAGED
from localregistry.spec import names

logger = logging.getLogger(__name__)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# kopf gives its own tasks up to 5 s to end.
STOP_SECONDS = 8.0
# How often the watches' event loop says that it is not blocked.
BEAT_SECONDS = 5.0

Body = dict[str, Any]


@dataclass(frozen=True)
class Sinks:
    """Where events go. None of these may block or raise: kopf swallows errors.

    `listing` and `listed`: a watch of this kind is begun anew, see Listings.
    """

    registry: Callable[[Body], None]
    child: Callable[[Body], None]
    node: Callable[[Body, bool], None]
    agent: Callable[[Body, bool], None]
    trust: Callable[[], None]
    listing: Callable[[Kind], None]
    listed: Callable[[Kind], None]


async def watch(sinks: Sinks, *, namespace: str, beat: Callable[[], None] = lambda: None) -> None:
    """Watches until cancelled, or raises: a CRD that is gone ends the operator (WatchesEnded).

    `beat` is called from the watches' thread, every BEAT_SECONDS while its event loop runs.

    kopf takes the process's signals and, at its end, cancels every task of its event loop, whoever
    made it. So it gets a thread and a loop of its own, and events come over one by one.
    """
    # kopf tells of every event, and that it leaves the signals to us.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    for name in ("kopf._core.reactor.running", "kopf._core.reactor.orchestration"):
        logging.getLogger(name).addFilter(IN_SHORT)
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()
    stop = threading.Event()

    def finish(error: BaseException | None) -> None:
        if not finished.done():
            finished.set_exception(in_short(error))

    def failed(error: BaseException) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(loop.call_later, STOP_SECONDS, finish, error)

    def run() -> None:
        error: BaseException | None = None
        try:
            watching = _watch(_handing_over(sinks, loop), namespace, stop)
            asyncio.run(_beating(watching, beat, stop))
        except BaseException as raised:
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    thread = threading.Thread(target=run, name="watches", daemon=True)
    running = logging.getLogger("kopf._core.reactor.running")
    failures = Failures(failed)
    running.addHandler(failures)
    thread.start()
    try:
        await finished
    finally:
        running.removeHandler(failures)
        stop.set()
        await asyncio.to_thread(thread.join, STOP_SECONDS)


def _silent_at_the_end(stop: threading.Event) -> Callable[[asyncio.AbstractEventLoop, Any], None]:
    """kopf's streams and sessions are cut off in the middle, and asyncio shows a stack for each."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if stop.is_set():
            logger.debug("While the watches end: %s", context.get("message"))
        else:
            loop.default_exception_handler(context)

    return handle


async def _beating(
    watching: Coroutine[Any, Any, None], beat: Callable[[], None], stop: threading.Event
) -> None:
    asyncio.get_running_loop().set_exception_handler(_silent_at_the_end(stop))

    async def forever() -> None:
        while True:
            beat()
            await asyncio.sleep(BEAT_SECONDS)

    beats = asyncio.create_task(forever())
    try:
        await watching
    finally:
        beats.cancel()


async def _watch(sinks: Sinks, namespace: str, stop: threading.Event) -> None:
    cluster = dict.fromkeys(CHILD_KINDS, MANAGED)
    own = {
        POD: node_agent.PODS,
        CONFIG_MAP: MANAGED,
        DAEMON_SET: MANAGED,
    }
    try:
        async with asyncio.TaskGroup() as group:
            for registry, selectors, scope in (
                (_cluster(sinks), cluster, {"clusterwide": True}),
                (_own(sinks), own, {"namespaces": [namespace]}),
            ):
                group.create_task(
                    kopf.operator(
                        registry=registry,
                        settings=_settings(selectors),
                        standalone=True,
                        # kopf would ask for the user's name, which uid 65532 has none of.
                        identity="localregistry-operator",  # type: ignore[arg-type]
                        stop_flag=stop,
                        **scope,
                    )
                )
    finally:
        # kopf waits for the flag in a thread, and the loop's end waits for that thread.
        stop.set()


def _handing_over(sinks: Sinks, loop: asyncio.AbstractEventLoop) -> Sinks:
    """The same sinks, to be called from kopf's thread."""

    def over(sink: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: None if loop.is_closed() else _call(loop, sink, arguments)

    return Sinks(
        registry=over(sinks.registry),
        child=over(sinks.child),
        node=over(sinks.node),
        agent=over(sinks.agent),
        trust=over(sinks.trust),
        listing=over(sinks.listing),
        listed=over(sinks.listed),
    )


def _call(
    loop: asyncio.AbstractEventLoop, sink: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    loop.call_soon_threadsafe(sink, *arguments)


def _cluster(sinks: Sinks) -> kopf.OperatorRegistry:
    kinds = (*CHILD_KINDS, LOCAL_REGISTRY, NODE)
    registry = _registry(Listings(kinds, listing=sinks.listing, listed=sinks.listed))

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def on_registry(body: kopf.Body, **_: Any) -> None:
        sinks.registry(dict(body))

    async def on_child(body: kopf.Body, **_: Any) -> None:
        sinks.child(dict(body))

    for kind in CHILD_KINDS:
        kopf.on.event(
            kind.group, kind.version, kind.plural, registry=registry, id=f"on_{kind.plural}"
        )(on_child)

    @kopf.on.event(NODE.group, NODE.version, NODE.plural, registry=registry)
    async def on_node(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002
        sinks.node(dict(body), type == "DELETED")

    return registry


def _own(sinks: Sinks) -> kopf.OperatorRegistry:
    # Of the two others there is one each, and what is done about them is to look.
    def listing(kind: Kind) -> None:
        if kind == POD:
            sinks.listing(kind)

    def listed(kind: Kind) -> None:
        if kind == POD:
            sinks.listed(kind)
        else:
            sinks.trust()

    registry = _registry(Listings((POD, CONFIG_MAP, DAEMON_SET), listing=listing, listed=listed))

    @kopf.on.event(POD.group, POD.version, POD.plural, registry=registry)
    async def on_agent(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002
        sinks.agent(dict(body), type == "DELETED")

    async def on_trust(**_: Any) -> None:
        sinks.trust()

    for kind in (CONFIG_MAP, DAEMON_SET):
        kopf.on.event(
            kind.group, kind.version, kind.plural, registry=registry, id=f"on_{kind.plural}"
        )(on_trust)
    return registry


def _registry(listings: Listings) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    async def login(**arguments: Any) -> kopf.AiohttpSession | None:
        info = _login(**arguments)
        return _Traced(info, listings) if info else None

    kopf.on.login(registry=registry)(login)
    return registry


def _settings(selectors: Mapping[Kind, str]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # The kinds are known, and the CRD is there before kopf starts: no right on CRDs or namespaces.
    settings.scanning.disabled = True
    settings.posting.enabled = False
    # A worker per object lingers this long: 5 s would keep every object of the first list at once.
    settings.queueing.idle_timeout = 0.1
    settings.watching.chunk_size = 200
    settings.networking.request_timeout = 30
    # The longest wait before a watch is resumed after an outage, so that Ready is back in 30 s.
    settings.networking.error_backoffs = (1, 1, 2, 3, 5, 5, 5, 5, 5, 5)
    for kind, selector in selectors.items():
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = selector
    return settings


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """As kopf's own, but by the API server's address: cluster DNS may need us, not we it."""
    token = SERVICE_ACCOUNT / "token"
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not host or not token.exists():
        return kopf.login_with_kubeconfig(**arguments)
    host = f"[{host}]" if ":" in host else host
    return kopf.ConnectionInfo(
        server=f"https://{host}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}",
        ca_path=str(SERVICE_ACCOUNT / "ca.crt"),
        token=token.read_text().strip(),
    )


class _Traced(kopf.AiohttpSession):
    """A login whose sessions tell of their requests; else as the ConnectionInfo that it is made of.

    A new session each time that one is taken: kopf closes its own, and may go on with another.
    """

    login: kopf.ConnectionInfo
    listings: Listings

    def __init__(self, info: kopf.ConnectionInfo, listings: Listings) -> None:
        # It is frozen.
        for name in ("server", "default_namespace"):
            object.__setattr__(self, name, getattr(info, name))
        object.__setattr__(self, "login", info)
        object.__setattr__(self, "listings", listings)

    @property
    def aiohttp_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.login.as_ssl_context()),
            headers=self.login.as_http_headers(),
            proxy=self.login.proxy_url,
            trust_env=self.login.trust_env,
            trace_configs=[self.listings.tracing()],
        )

    def __eq__(self, other: object) -> bool:
        """So that kopf knows a login again that the API server has refused."""
        return isinstance(other, _Traced) and self.login == other.login

    def __hash__(self) -> int:
        return hash(self.login)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server})"
