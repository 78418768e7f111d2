"""The push of the probe image, against an HTTP server that speaks as a registry does."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from localregistry.controller.probe import Pusher, PushFailed
from localregistry.resources.probe_image import MANIFEST_TYPE, REPOSITORY, TAG, ProbeImage
from unit.controller.serving import Handler, serving

UID = "0f6f2b3a-6c1e-4d57-9a43-1d2c8e5b7f90"
IMAGE = ProbeImage.of(UID)


class Registry:
    """Keeps blobs and manifests, and checks their digests; `instead` answers in its place."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifest: bytes | None = None
        self.location = "/v2/{repository}/blobs/uploads/7?_state=a%2Fb%3D"
        self.states: list[str] = []
        self.requests: list[str] = []
        self.instead: dict[str, Handler] = {}
        self.endpoint = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        what = request.path.removeprefix(f"/v2/{REPOSITORY}/").partition("/")[0]
        step = f"{request.method} {what}"
        self.requests.append(step)
        if step in self.instead:
            return await self.instead[step](request)
        match step:
            case "HEAD manifests" if self.manifest is not None:
                digest = f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"
                return web.Response(headers={"Docker-Content-Digest": digest})
            case "HEAD blobs" if request.path.rpartition("/")[2] in self.blobs:
                return web.Response()
            case "POST blobs":
                location = self.location.format(repository=REPOSITORY)
                return web.Response(status=202, headers={"Location": location})
            case "PUT blobs":
                return await self._blob(request)
            case "PUT manifests" if request.path.endswith(f"/{TAG}"):
                assert request.headers["Content-Type"] == MANIFEST_TYPE
                self.manifest = await request.read()
                return web.Response(status=201)
        return web.Response(status=404)

    async def _blob(self, request: web.Request) -> web.Response:
        content, digest = await request.read(), request.query["digest"]
        self.states.append(request.query.get("_state", ""))
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return web.Response(status=400, text="DIGEST_INVALID")
        self.blobs[digest] = content
        return web.Response(status=201)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry()
    async with serving(registry.handle) as port:
        registry.endpoint = f"http://127.0.0.1:{port}"
        yield registry


@pytest.fixture
async def pusher() -> AsyncIterator[Pusher]:
    async with aiohttp.ClientSession() as session:
        yield Pusher(session)


async def test_an_empty_registry_gets_the_whole_image(registry: Registry, pusher: Pusher) -> None:
    assert await pusher.push(registry.endpoint, UID) is True
    assert registry.blobs == {
        IMAGE.config_digest: IMAGE.config,
        IMAGE.layer_digest: IMAGE.layer,
    }
    assert registry.manifest == IMAGE.manifest
    assert registry.requests[-1] == "PUT manifests", "a manifest may come only after its blobs"


async def test_a_registry_that_holds_the_image_is_asked_once(
    registry: Registry, pusher: Pusher
) -> None:
    registry.manifest = IMAGE.manifest
    assert await pusher.push(registry.endpoint, UID) is False
    assert registry.requests == ["HEAD manifests"]


async def test_the_image_of_another_uid_is_replaced(registry: Registry, pusher: Pusher) -> None:
    registry.manifest = ProbeImage.of("another").manifest
    assert await pusher.push(registry.endpoint, UID) is True
    assert registry.manifest == IMAGE.manifest


async def test_a_blob_that_is_there_is_not_sent_again(registry: Registry, pusher: Pusher) -> None:
    registry.blobs = {IMAGE.config_digest: IMAGE.config, IMAGE.layer_digest: IMAGE.layer}
    assert await pusher.push(registry.endpoint, UID) is True
    assert "POST blobs" not in registry.requests


@pytest.mark.parametrize(
    "location",
    [
        "/v2/{repository}/blobs/uploads/7?_state=a%2Fb%3D",
        "https://registry.example.internal/v2/{repository}/blobs/uploads/7?_state=a%2Fb%3D",
        "uploads/7?_state=a%2Fb%3D",
        "/v2/{repository}/blobs/uploads/7",
    ],
    ids=["a path", "another host", "relative", "without a query"],
)
async def test_an_upload_goes_on_where_the_location_s_path_says(
    registry: Registry, pusher: Pusher, location: str
) -> None:
    registry.location = location
    assert await pusher.push(registry.endpoint, UID) is True
    assert set(registry.states) == ({"a/b="} if "?" in location else {""})


def answers(status: int, body: bytes = b"", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("step", "answer", "told"),
    [
        ("HEAD manifests", answers(503), "the manifest cannot be read: the registry answered 503"),
        ("POST blobs", answers(401, b"log in"), "an upload was not begun: .* 401 log in"),
        ("PUT blobs", answers(507, b"no space left"), "a blob was not taken: .* 507 no space left"),
        ("PUT manifests", answers(400, b"MANIFEST_INVALID"), "was not taken: .* 400 MANIFEST_INV"),
        ("PUT manifests", answers(500, b"\xff" * 90), "the manifest was not taken: .* 500 \ufffd"),
        ("PUT manifests", answers(500, b"x" * 100_000), "was not taken: .* 500 x{200}$"),
        ("POST blobs", answers(202, Location="http://["), "does not answer at http://127.0.0.1:"),
        ("POST blobs", drops, "the registry does not answer at http://127.0.0.1:"),
    ],
    ids=[
        "a sick registry",
        "a registry that wants a password",
        "a full disk",
        "a manifest that is refused",
        "an answer that is no text",
        "an answer that is a long text",
        "a Location that is no URL",
        "a connection that ends",
    ],
)
async def test_a_push_that_fails_says_where_and_why(
    registry: Registry, pusher: Pusher, step: str, answer: Handler, told: str
) -> None:
    registry.instead[step] = answer
    with pytest.raises(PushFailed, match=told):
        await pusher.push(registry.endpoint, UID)


async def test_a_registry_that_refuses_the_connection_is_named(pusher: Pusher) -> None:
    async with serving(answers(200)) as port:
        endpoint = f"http://127.0.0.1:{port}"
    with pytest.raises(PushFailed, match=f"does not answer at {endpoint}: Cannot connect"):
        await pusher.push(endpoint, UID)


@pytest.mark.parametrize("step", ["POST blobs", "PUT blobs", "PUT manifests", "HEAD manifests"])
@pytest.mark.parametrize("status", [302, 307])
async def test_a_registry_cannot_send_the_operator_elsewhere(
    registry: Registry, pusher: Pusher, step: str, status: int
) -> None:
    visits: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response(status=201)

    async with serving(elsewhere) as port:
        location = f"http://127.0.0.1:{port}/secret"
        registry.instead[step] = answers(status, Location=location)
        with pytest.raises(PushFailed, match=str(status)):
            await pusher.push(registry.endpoint, UID)
    assert visits == []
