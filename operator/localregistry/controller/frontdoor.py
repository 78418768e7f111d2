"""Begins a push through the Ingress, as a user would, and tells what would stop one.

Nothing is stored: an upload is begun and cancelled. A front that limits bodies refuses one by the
length that is announced, before it has read any; one that limits time cuts what is sent slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from localregistry.resources.probe_image import REPOSITORY

TIMEOUT = aiohttp.ClientTimeout(total=10)
# A usual layer. nginx takes 1 MB where nobody tells it otherwise; who sets a limit above this one
# has meant it.
LENGTH = 512 << 20
# Fronts that cut a push by its time do so after 60 s by default.
LASTING = 65.0
DRIP = 5.0


@dataclass(frozen=True)
class Door:
    """Where people come in: the Ingress's address, and the name (with its port) that they ask for.

    `tls`: by https, whose certificate is not looked at, since nothing of worth is sent.
    """

    address: str
    host: str
    tls: bool = False
    port: int | None = None

    @property
    def url(self) -> str:
        """To whom a request goes; `Host` says the name."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        scheme, port = ("https", 443) if self.tls else ("http", 80)
        return f"{scheme}://{address}:{self.port or port}/v2/{REPOSITORY}/blobs/uploads/"

    @property
    def named(self) -> str:
        """The same as a client writes it."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host}/v2/{REPOSITORY}/blobs/uploads/"


class Stopped(Exception):
    """What would stop a push, as the end of a sentence."""


async def look(session: aiohttp.ClientSession, door: Door, *, lasting: float = LASTING) -> None:
    """Takes `lasting` seconds where all is well. Raises Stopped, or OSError, TimeoutError or
    aiohttp.ClientError where the address is not reached from here, which says nothing of users."""
    target = await _begin(session, door)
    try:
        await _send(session, door, target, lasting)
    finally:
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
            async with _ask(session, door, "DELETE", target):
                pass


def _ask(
    session: aiohttp.ClientSession,
    door: Door,
    method: str,
    url: str,
    *,
    data: AsyncIterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: aiohttp.ClientTimeout = TIMEOUT,
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """No redirect is followed: what answers may be anybody's."""
    return session.request(
        method,
        url,
        data=data,
        headers={"Host": door.host, **(headers or {})},
        timeout=timeout,
        allow_redirects=False,
        ssl=not door.tls,
        server_hostname=door.host.partition(":")[0] if door.tls else None,
    )


async def _begin(session: aiohttp.ClientSession, door: Door) -> str:
    """Where the upload goes on, at the same address."""
    async with _ask(session, door, "POST", door.url) as answer:
        status, location = answer.status, answer.headers.get("Location", "")
        ours = "Docker-Distribution-Api-Version" in answer.headers
    _judge(door, status, location)
    if status >= 500 or status in (401, 403) or (ours and status != 202):
        # The registry is not well, as RegistryAvailable or StorageReady tell; or the front lets in
        # whom its administrator likes, which need not be us.
        raise aiohttp.ClientConnectionError(f"{status}")
    if not ours:
        raise Stopped(f"something else than the registry answers there, with {status}")
    whither = urlsplit(urljoin(door.named, location))
    expected = urlsplit(door.named)
    if (whither.scheme, whither.netloc) != (expected.scheme, expected.netloc):
        raise Stopped(
            f"the client is sent on to {whither.scheme}://{whither.netloc[:253]} by a Location that"
            " is not this registry's"
        )
    return urljoin(door.url, f"{whither.path}?{whither.query}")


async def _send(session: aiohttp.ClientSession, door: Door, target: str, lasting: float) -> None:
    """A body of LENGTH of which little is sent, until it is refused, cut, or `lasting` is over."""
    headers = {"Content-Length": str(LENGTH), "Content-Type": "application/octet-stream"}
    whole = aiohttp.ClientTimeout(total=lasting)
    started = time.monotonic()
    try:
        async with _ask(
            session, door, "PATCH", target, data=_drops(lasting), headers=headers, timeout=whole
        ) as answer:
            _judge(door, answer.status, answer.headers.get("Location", ""))
            if answer.status >= 500 and answer.status != 504:
                return
            raise Stopped(f"an upload is answered with {answer.status} before it has ended")
    except TimeoutError:
        return
    except (aiohttp.ClientError, OSError):
        seconds = time.monotonic() - started
        if seconds < DRIP:
            raise
        raise Stopped(
            f"an upload is cut after {seconds:.0f} s: raise the time limit of the front"
        ) from None


async def _drops(lasting: float) -> AsyncIterator[bytes]:
    ends = time.monotonic() + lasting + DRIP
    while time.monotonic() < ends:
        yield b"\0"
        await asyncio.sleep(min(DRIP, lasting / 4))


def _judge(door: Door, status: int, location: str) -> None:
    if status == 413:
        raise Stopped(
            f"bodies of {LENGTH >> 20} MiB are refused with 413: lift the front's limit of the size"
        )
    if status in (301, 302, 303, 307, 308):
        whither = urlsplit(urljoin(door.named, location))
        raise Stopped(
            f"the client is redirected to {whither.scheme}://{whither.netloc[:253]} ({status}):"
            " take the redirect off this host"
        )
