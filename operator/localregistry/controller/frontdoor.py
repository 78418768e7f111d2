"""Pushes a blob of some bytes through the Ingress, as a user would, and tells what would stop one.

It is the same blob each time, so that a registry keeps it once; an upload that is cancelled would
leave its folder there for a week. A front that limits bodies refuses one by the length that is
announced, before it has read any; one that limits time cuts what is sent slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from localregistry.resources.probe_image import REPOSITORY

TIMEOUT = aiohttp.ClientTimeout(total=10)
# A usual layer. nginx takes 1 MB where nobody tells it otherwise; who sets a limit above this one
# has meant it.
LENGTH = 512 << 20
# Fronts that cut a push by its time do so after 60 s by default.
LASTING = 65.0
# One byte each five seconds.
CONTENT = b"localregistry"
# What ends before this has not been cut by its time.
AT_ONCE = 5.0


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
    def api(self) -> str:
        """To whom a request goes; `Host` says the name."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        scheme, port = ("https", 443) if self.tls else ("http", 80)
        return f"{scheme}://{address}:{self.port or port}/v2/"

    @property
    def url(self) -> str:
        return f"{self.api}{REPOSITORY}/blobs/uploads/"

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
    # What else stands there has limits of its own, which are nobody's business.
    await _opened(session, door, "GET", door.api, expected=200)
    await _announce(session, door)
    target = await _begin(session, door)
    try:
        await _end(session, door, await _send(session, door, target, lasting))
    except BaseException:
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
            async with _ask(session, door, "DELETE", target):
                pass
        raise


def _ask(
    session: aiohttp.ClientSession,
    door: Door,
    method: str,
    url: str | URL,
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


async def _announce(session: aiohttp.ClientSession, door: Door) -> None:
    """A request whose body of LENGTH is never sent: what limits bodies does not wait for it."""
    headers = {"Content-Length": str(LENGTH), "Expect": "100-continue", "Connection": "close"}
    # A front that passes on whole bodies alone waits for this one in vain: it may.
    with contextlib.suppress(TimeoutError):
        async with _ask(session, door, "GET", door.api, headers=headers) as answer:
            if answer.status == 413:
                _judge(door, answer.status, "")


async def _begin(session: aiohttp.ClientSession, door: Door) -> str:
    """Where the upload goes on, at the same address."""
    return _onward(door, await _opened(session, door, "POST", door.url, expected=202))


async def _opened(
    session: aiohttp.ClientSession, door: Door, method: str, url: str, *, expected: int
) -> str:
    """The Location of the registry's answer to a request without a body."""
    async with _ask(session, door, method, url) as answer:
        status, location = answer.status, answer.headers.get("Location", "")
        ours = "Docker-Distribution-Api-Version" in answer.headers
    _judge(door, status, location)
    if status >= 500 or status in (401, 403) or (ours and status != expected):
        # The registry is not well; or the front lets in whom its administrator likes, which need
        # not be us.
        raise aiohttp.ClientConnectionError(f"{status}")
    if not ours:
        raise Stopped(f"something else than the registry answers there, with {status}")
    return location


def _onward(door: Door, location: str) -> str:
    """A Location of the registry's, at the same address."""
    whither = urlsplit(urljoin(door.named, location))
    expected = urlsplit(door.named)
    if (whither.scheme, whither.netloc) != (expected.scheme, expected.netloc):
        raise Stopped(
            f"the client is sent on to {whither.scheme}://{whither.netloc[:253]} by a Location that"
            " is not this registry's"
        )
    return urljoin(door.url, f"{whither.path}?{whither.query}")


async def _send(session: aiohttp.ClientSession, door: Door, target: str, lasting: float) -> str:
    """Takes `lasting` seconds for the few bytes; returns where the upload is ended."""
    headers = {"Content-Length": str(len(CONTENT)), "Content-Type": "application/octet-stream"}
    whole = aiohttp.ClientTimeout(total=lasting + 10)
    started = time.monotonic()
    try:
        async with _ask(
            session, door, "PATCH", target, data=_drops(lasting), headers=headers, timeout=whole
        ) as answer:
            status, location = answer.status, answer.headers.get("Location", "")
    except (aiohttp.ClientError, OSError) as error:
        seconds = time.monotonic() - started
        if isinstance(error, TimeoutError) or seconds < AT_ONCE:
            raise
        raise Stopped(
            f"an upload is cut after {seconds:.0f} s: raise the time limit of the front"
        ) from None
    _judge(door, status, location)
    _well(status)
    if status != 202:
        raise Stopped(f"an upload is answered with {status} before it has ended")
    return _onward(door, location)


async def _end(session: aiohttp.ClientSession, door: Door, target: str) -> None:
    digest = f"digest=sha256%3A{hashlib.sha256(CONTENT).hexdigest()}"
    joint = "&" if "?" in target else "?"
    # It is quoted already.
    url = URL(f"{target}{joint}{digest}", encoded=True)
    async with _ask(session, door, "PUT", url) as answer:
        status, location = answer.status, answer.headers.get("Location", "")
    _judge(door, status, location)
    _well(status)
    if status != 201:
        raise Stopped(f"the end of an upload is answered with {status}")


async def _drops(lasting: float) -> AsyncIterator[bytes]:
    for byte in CONTENT:
        yield bytes([byte])
        await asyncio.sleep(lasting / len(CONTENT))


def _well(status: int) -> None:
    """A registry that is not well, as RegistryAvailable or StorageReady tell, is no fault of the
    front's."""
    if status >= 500 and status != 504:
        raise aiohttp.ClientConnectionError(f"{status}")


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
