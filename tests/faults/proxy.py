"""A proxy between the operator and the API server that numbers its writes, and breaks one of them.

    with Proxy.start(server_url, ca) as proxy:
        proxy.arm(Injection(Fault.CUT_AFTER, 3))

Speaks plain HTTP on loopback to the operator. Runs in a thread with an event loop of its own; what
a test calls is safe from any thread.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web

from faults.streams import Streams

MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Of these a lost write is tested where the Lease is.
UNCOUNTED = ("/apis/coordination.k8s.io/",)
# The operator gives a call 10 s; an answer that takes longer never comes.
HANG_SECONDS = 14.0
RETRY_AFTER = 1
_BOOKKEEPING = {"managedFields", "resourceVersion", "generation"}
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}


class Fault(StrEnum):
    """What becomes of one write."""

    CRASH_BEFORE = "the operator dies before it arrives"
    CRASH_AFTER = "the operator dies before its answer"
    CUT_BEFORE = "the connection is cut before it arrives"
    CUT_AFTER = "the connection is cut before its answer"
    HANG_BEFORE = "it never arrives and is never answered"
    HANG_AFTER = "it arrives and is never answered"
    CONFLICT = "answered 409"
    BUSY = "answered 429 with Retry-After"
    BROKEN = "answered 500"
    AWAY = "answered 503"

    @property
    def crashes(self) -> bool:
        return self in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)

    @property
    def arrives(self) -> bool:
        return self in (Fault.CRASH_AFTER, Fault.CUT_AFTER, Fault.HANG_AFTER)


_REFUSALS: dict[Fault, tuple[int, str, str]] = {
    Fault.CONFLICT: (409, "Conflict", "the object has been modified; please apply your changes"),
    Fault.BUSY: (429, "TooManyRequests", "the server has received too many requests"),
    Fault.BROKEN: (500, "InternalError", "Internal error occurred: etcdserver: request timed out"),
    Fault.AWAY: (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
}


@dataclass(frozen=True)
class Injection:
    """One fault at the `number`th write from now, counted from 1; with `to` only those to a path
    that ends so."""

    fault: Fault
    number: int
    to: str = ""


@dataclass
class Write:
    """One mutating request of the operator. `status` 0: it got no answer. `arrived`: the API server
    took it; `changed`: and the object is another one since, in anything but its status."""

    method: str
    path: str
    body: bytes
    at: float
    status: int = 0
    arrived: bool = False
    changed: bool = False
    injected: Fault | None = None


@dataclass
class Proxy:
    """`writes` since the last `arm`; `crash` is called, in the proxy's thread, to end the operator
    at once."""

    url: str
    server: str
    writes: list[Write] = field(default_factory=list)
    streams: Streams = field(default_factory=Streams)
    injection: Injection | None = None
    # Requests whose path begins so are refused a connection, or never answered.
    refused: str | None = None
    hung: str | None = None
    # Every request is answered so: BROKEN or AWAY.
    answering: Fault | None = None
    # Writes to what is named so are always answered 500.
    broken: str | None = None
    crash: Callable[[], None] = lambda: None
    hit: threading.Event = field(default_factory=threading.Event)
    _contents: dict[str, str] = field(default_factory=dict)
    _watchers: set[asyncio.Transport | None] = field(default_factory=set)
    # Writes that the operator may still wait for.
    hanging: int = 0
    _counted: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None

    @classmethod
    def start(cls, server: str, ca: Path, port: int) -> Proxy:
        proxy = cls(url=f"http://127.0.0.1:{port}", server=server)
        ready = threading.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(proxy._run(ca, port, ready)), name="proxy", daemon=True
        )
        proxy._thread = thread
        thread.start()
        if not ready.wait(10):
            raise RuntimeError("the proxy did not start")
        return proxy

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self._loop and self._stop and self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def arm(self, injection: Injection | None) -> None:
        """Counts anew, and breaks what the injection says."""
        self.writes = []
        self._counted = 0
        self.hit.clear()
        self.injection = injection

    def cut_watches(self) -> None:
        """Ends all that run, as an API server does that goes away."""

        def cut() -> None:
            for transport in self._watchers:
                if transport:
                    transport.abort()

        assert self._loop
        self._loop.call_soon_threadsafe(cut)

    async def _run(self, ca: Path, port: int, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        context = ssl.create_default_context(cafile=str(ca))
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as upstream:

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                return await self._handle(request, upstream)

            runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(
        self, request: web.BaseRequest, upstream: aiohttp.ClientSession
    ) -> web.StreamResponse:
        if await self._away(request):
            return web.Response(status=500)
        if self.answering:
            return _refusal(self.answering)
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request, upstream)
        if request.method not in MUTATING or request.path.startswith(UNCOUNTED):
            if request.method == "GET" and (old := self.streams.old_list(request)):
                return web.json_response(old)
            async with self._forward(request, upstream) as answer:
                body = await answer.read()
            self.streams.listed(request, body)
            return web.Response(status=answer.status, headers=_headers(answer), body=body)
        return await self._write(request, upstream)

    async def _write(
        self, request: web.BaseRequest, upstream: aiohttp.ClientSession
    ) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        write = Write(request.method, request.path, await request.read(), loop.time())
        self.writes.append(write)
        injection, fault = self.injection, None
        if injection and write.path.endswith(injection.to):
            self._counted += 1
        if injection and not self.hit.is_set() and self._counted == injection.number:
            fault = write.injected = injection.fault
            self.hit.set()
        if self.broken and request.path.endswith(self.broken):
            write.status = 500
            return _refusal(Fault.BROKEN)
        if fault in _REFUSALS:
            write.status = _REFUSALS[fault][0]
            return _refusal(fault)
        if fault is not None and not fault.arrives:
            return await self._vanish(request, fault)
        async with self._forward(request, upstream) as answer:
            body = await answer.read()
        write.status, write.arrived = answer.status, answer.status < 300
        content = _content(body) if write.arrived else None
        write.changed = content is not None and content != self._contents.get(request.path)
        if content is not None:
            self._contents[request.path] = content
        if fault is not None:
            return await self._vanish(request, fault)
        return web.Response(status=answer.status, headers=_headers(answer), body=body)

    async def _vanish(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        if fault.crashes:
            self.crash()
        elif fault in (Fault.HANG_BEFORE, Fault.HANG_AFTER):
            self.hanging += 1
            await asyncio.sleep(HANG_SECONDS)
            self.hanging -= 1
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)

    async def _away(self, request: web.BaseRequest) -> bool:
        """Ends the connection where the API server shall not be there."""
        if self.hung is not None and request.path.startswith(self.hung):
            await asyncio.sleep(HANG_SECONDS)
        elif self.refused is None or not request.path.startswith(self.refused):
            return False
        if request.transport:
            request.transport.abort()
        return True

    async def _watch(
        self, request: web.BaseRequest, upstream: aiohttp.ClientSession
    ) -> web.StreamResponse:
        expired = _status(410, "Expired", "too old resource version")
        if self.streams.expired(request):
            return web.json_response(expired, status=410)
        if self.streams.forgets(request):
            return web.Response(text=json.dumps({"type": "ERROR", "object": expired}) + "\n")
        async with self._forward(request, upstream) as answer:
            response = web.StreamResponse(status=answer.status, headers=_headers(answer))
            response.enable_chunked_encoding()
            await response.prepare(request)
            transport = request.transport
            self._watchers.add(transport)
            try:
                async for line in self.streams.pass_through(request, answer.content):
                    await response.write(line)
            except (ConnectionError, aiohttp.ClientError):
                if request.transport:
                    request.transport.abort()
            finally:
                self._watchers.discard(transport)
            return response

    @asynccontextmanager
    async def _forward(
        self, request: web.BaseRequest, upstream: aiohttp.ClientSession
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        async with upstream.request(
            request.method,
            f"{self.server}{request.rel_url}",
            headers=headers,
            data=await request.read() or None,
            timeout=aiohttp.ClientTimeout(total=None),
            allow_redirects=False,
        ) as answer:
            yield answer


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}


def _content(body: bytes) -> str | None:
    """What we write of an object; None where the answer is no object."""
    try:
        answer = json.loads(body)
        meta = {k: v for k, v in answer["metadata"].items() if k not in _BOOKKEEPING}
    except (ValueError, KeyError, TypeError):
        return None
    rest = {k: v for k, v in answer.items() if k not in ("metadata", "status")}
    return json.dumps([meta, rest], sort_keys=True)


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**status, "message": message, "reason": reason, "code": code}


def _refusal(fault: Fault) -> web.Response:
    code, reason, message = _REFUSALS[fault]
    headers = {"Retry-After": str(RETRY_AFTER)} if fault is Fault.BUSY else {}
    return web.json_response(_status(code, reason, message), status=code, headers=headers)
