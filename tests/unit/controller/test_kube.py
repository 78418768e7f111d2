"""The one way to the API server, against a server on loopback: what it sends, what it makes of
answers. What a real API server answers is tested against a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from localregistry.controller import kube
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CONFIG_MAP, LOCAL_REGISTRY, NODE
from localregistry.controller.kube import Api
from unit.controller.spoken import speaking

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers by `answer`, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.answer: Answer = say(200, {})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        query, text = dict(request.query), await request.text()
        self.asked.append((request.method, request.path, query, text))
        return await self.answer(request)


def say(status: int, body: Any, **headers: str) -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=text, headers=named)

    return answer


def status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return body | ({"details": details} if details else {})


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with speaking(server.handle) as found:
        yield found


FORBIDDEN = status(403, "Forbidden", 'services is forbidden: User "x" cannot patch')
GOING = status(
    403, "Forbidden", "unable to create", causes=[{"reason": "NamespaceTerminating", "message": ""}]
)
SCHEMA = status(500, "", "failed to create typed patch object (x; y): .spec.z: unknown field")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (say(409, status(409, "Conflict", "modified")), "stale"),
        (say(403, FORBIDDEN), "forbidden"),
        (say(403, GOING), "namespace_terminating"),
        (say(422, status(422, "Invalid", "metadata.uid: immutable")), "rejected"),
        (say(400, status(400, "BadRequest", "no")), "rejected"),
        (say(500, SCHEMA), "malformed rejected"),
        (say(500, status(500, "InternalError", "etcdserver: request timed out")), "unreachable"),
        (say(503, b"<html>Service Unavailable</html>"), "unreachable"),
        (say(502, b""), "unreachable"),
        (say(504, b"\xff\xfe"), "unreachable"),
        (say(429, status(429, "TooManyRequests", "later")), "unreachable"),
        (say(401, status(401, "Unauthorized", "Unauthorized")), ""),
        (say(200, b'{"metadata": {"na'), "unreachable"),
        (say(200, b"<html>log in</html>", Content_Type="text/html"), "unreachable"),
    ],
    ids=[
        "a conflict",
        "a lacking right",
        "a namespace that is going",
        "an invalid object",
        "a bad request",
        "an object that does not fit the schema",
        "an etcd that is away",
        "a proxy's page",
        "an empty page",
        "a page that is no text",
        "too many requests",
        "a token that has run out",
        "an answer that was cut",
        "a success that is a proxy's page",
    ],
)
async def test_an_answer_is_sorted_by_what_to_do_about_it(
    server: Server, api: Api, answer: Answer, kind: str
) -> None:
    server.answer = answer
    with pytest.raises(ApiError) as raised:
        await api.merge_patch(CONFIG_MAP, "team", "dev", {"data": {}})
    kinds = (
        "stale",
        "forbidden",
        "namespace_terminating",
        "malformed",
        "rejected",
        "unreachable",
        "not_found",
    )
    assert [name for name in kinds if getattr(raised.value, name)] == kind.split()
    assert raised.value.message


Request = Callable[[Api], Awaitable[Any]]
OBJECT = {"metadata": {"name": "dev", "namespace": "team", "uid": "u", "resourceVersion": "1"}}


@pytest.mark.parametrize(
    ("request_", "answer", "counted"),
    [
        (lambda api: api.get(CONFIG_MAP, "team", "dev"), say(200, {}), ("get", 200)),
        (
            lambda api: api.get(CONFIG_MAP, "team", "dev"),
            say(404, status(404, "NotFound", "there is none")),
            ("get", 404),
        ),
        (lambda api: api.list_all(NODE), say(200, {}), ("list", 200)),
        (lambda api: api.apply(CONFIG_MAP, OBJECT), say(201, {}), ("patch", 201)),
        (
            lambda api: api.merge_patch(CONFIG_MAP, "team", "dev", {}),
            say(200, {}),
            ("patch", 200),
        ),
        (lambda api: api.create(CONFIG_MAP, OBJECT), say(201, {}), ("create", 201)),
        (lambda api: api.replace(CONFIG_MAP, OBJECT), say(200, {}), ("update", 200)),
        (lambda api: api.delete(CONFIG_MAP, OBJECT), say(200, {}), ("delete", 200)),
        (lambda api: api.served(CONFIG_MAP), say(200, {}), ("get", 200)),
        (lambda api: api.get(CONFIG_MAP, "team", "dev"), say(200, b"cut"), ("get", 0)),
    ],
)
async def test_every_request_is_told_of_once(
    server: Server,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    request_: Request,
    answer: Answer,
    counted: tuple[str, int],
) -> None:
    told: list[tuple[str, int]] = []
    monkeypatch.setattr(api, "_requested", lambda *request: told.append(request))
    server.answer = answer
    with contextlib.suppress(ApiError):
        await request_(api)
    assert told == [counted]


async def test_a_request_that_its_caller_gave_up_is_told_of_too(server: Server, api: Api) -> None:
    told: list[tuple[str, int]] = []
    api._requested = lambda *request: told.append(request)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    server.answer = hang
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(api.get(CONFIG_MAP, "team", "dev"), 0.1)
    assert told == [("get", 0)]


async def test_the_api_server_s_own_words_are_kept(server: Server, api: Api) -> None:
    server.answer = say(403, FORBIDDEN)
    with pytest.raises(ApiError) as raised:
        await api.get(CONFIG_MAP, "team", "dev")
    assert str(raised.value) == f"{FORBIDDEN['message']} (HTTP 403)"
    assert raised.value.reason == "Forbidden"


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b'"no"', b'{"details": "none"}', b'{"details": {"causes": [7]}}']
)
async def test_an_error_of_another_shape_is_still_told(
    server: Server, api: Api, body: bytes
) -> None:
    server.answer = say(503, body)
    with pytest.raises(ApiError) as raised:
        await api.get(CONFIG_MAP, "team", "dev")
    assert str(raised.value) == "the API server answered 503 Service Unavailable (HTTP 503)"


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", None, 7.0),
        ("7", 3, 7.0),
        (None, 3, 3.0),
        (None, None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None, None),
        (None, "soon", None),
    ],
    ids=["header", "the header wins", "in the body", "none", "a date", "a word"],
)
async def test_retry_after(
    server: Server, api: Api, header: str | None, details: Any, seconds: float | None
) -> None:
    headers = {"Retry_After": header} if header else {}
    body = status(429, "TooManyRequests", "later", retryAfterSeconds=details)
    server.answer = say(429, body, **headers)
    with pytest.raises(ApiError) as raised:
        await api.get(CONFIG_MAP, "team", "dev")
    assert raised.value.retry_after == seconds


async def test_what_is_not_there_is_none_and_its_deletion_no_error(
    server: Server, api: Api
) -> None:
    server.answer = say(404, status(404, "NotFound", "not found"))
    assert await api.get(CONFIG_MAP, "team", "dev") is None
    meta = {"name": "dev", "namespace": "team", "uid": "u", "resourceVersion": "7"}
    await api.delete(CONFIG_MAP, {"metadata": meta})
    with pytest.raises(ApiError):
        await api.merge_patch(CONFIG_MAP, "team", "dev", {})


async def test_a_deletion_is_of_the_object_that_was_read(server: Server, api: Api) -> None:
    meta = {"name": "dev", "namespace": "team", "uid": "u", "resourceVersion": "7"}
    await api.delete(CONFIG_MAP, {"metadata": meta})
    method, path, _, text = server.asked[0]
    assert (method, path) == ("DELETE", "/api/v1/namespaces/team/configmaps/dev")
    assert json.loads(text)["preconditions"] == {"uid": "u", "resourceVersion": "7"}


async def test_a_list_is_read_page_by_page(server: Server, api: Api) -> None:
    async def pages(request: web.Request) -> web.Response:
        token = request.query.get("continue")
        meta = {} if token else {"continue": "more"}
        return web.json_response({"metadata": meta, "items": [{"page": token}]})

    server.answer = pages
    items = await api.list_all(NODE, labels="a=b")
    assert items == [{"page": None}, {"page": "more"}]
    assert [query["labelSelector"] for _, _, query, _ in server.asked] == ["a=b", "a=b"]
    assert server.asked[0][2]["limit"] == "500"


@pytest.mark.parametrize("subresource", [None, "status"])
async def test_an_apply_is_forced_and_of_one_manager(
    server: Server, api: Api, subresource: str | None
) -> None:
    meta = {"name": "dev", "namespace": "team"}
    body = {"apiVersion": "localregistry.dev/v1alpha1", "kind": "LocalRegistry", "metadata": meta}
    await api.apply(LOCAL_REGISTRY, body, subresource=subresource)
    method, path, query, _ = server.asked[0]
    root = "/apis/localregistry.dev/v1alpha1/namespaces/team/localregistries/dev"
    assert (method, path) == ("PATCH", f"{root}/status" if subresource else root)
    assert query == {"fieldManager": "localregistry-operator", "force": "true"}


@pytest.mark.parametrize(
    ("answer", "served"),
    [
        (say(200, {"resources": [{"name": "localregistries"}]}), True),
        (say(200, {"resources": [{"name": "others"}]}), False),
        (say(200, {}), False),
        (say(404, b"404 page not found"), False),
    ],
    ids=["there", "the group without it", "an empty group", "no such group"],
)
async def test_whether_a_kind_is_served(
    server: Server, api: Api, answer: Answer, served: bool
) -> None:
    server.answer = answer
    assert await api.served(LOCAL_REGISTRY) is served
    assert server.asked[0][1] == "/apis/localregistry.dev/v1alpha1"


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def hangs_halfway(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"metadata": ')
    return await hangs(request)


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("answer", [hangs, hangs_halfway, drops])
async def test_a_server_that_gives_no_whole_answer_is_unreachable(
    server: Server, api: Api, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "TIMEOUT", 0.1)
    server.answer = answer
    async with asyncio.timeout(2):
        with pytest.raises(ApiError) as raised:
            await api.merge_patch(CONFIG_MAP, "team", "dev", {})
    assert raised.value.status == 0
    assert raised.value.unreachable
    assert str(raised.value).startswith("the API server did not answer: ")
