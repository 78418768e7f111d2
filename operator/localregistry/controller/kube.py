"""The Kubernetes API, by the `kubernetes` package's asyncio dynamic client and plain dicts.

The one module that imports `kubernetes`. Resources are addressed by `Kind`, so the client's
discovery (requests, and a cache file in the temp folder) is never used. Every call has a time-out:
the package's own default is 300 s.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.dynamic import DynamicClient, Resource

from localregistry.controller.errors import ApiError, NoCluster
from localregistry.controller.kinds import Kind
from localregistry.spec.names import FIELD_MANAGER
from localregistry.version import VERSION

USER_AGENT = f"localregistry-operator/{VERSION}"

# A healthy API server answers in milliseconds; a hung one must not hold a worker for long.
TIMEOUT = 10.0
# Pages bound what one LIST holds in memory on both sides.
PAGE = 500

# The client's methods by what they are to RBAC.
VERBS = {"server_side_apply": "patch", "replace": "update"}

# As the resourceVersion of an apply: only where there is no such object. The API server compares it
# with the object that is there (409) and not where it creates one; etcd's first write has revision
# 2, so no object ever has it. "0" would mean any.
ABSENT = "1"

Body = dict[str, Any]
# Takes the verb, in the words of RBAC, and the HTTP status; 0 where there was no answer.
Requested = Callable[[str, int], None]


@asynccontextmanager
async def connect(requested: Requested = lambda verb, status: None) -> AsyncIterator[Api]:
    """Connects as the pod's service account, else as $KUBECONFIG (or ~/.kube/config) says.

    `requested` is told of every request. Raises NoCluster where there is neither.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(configuration)
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise NoCluster(str(error)) from error
    look_once_for_a_proxy(configuration)
    async with client.ApiClient(configuration) as api_client:
        api_client.user_agent = USER_AGENT
        yield Api(api_client, requested)


def look_once_for_a_proxy(configuration: Any) -> None:
    """Takes the environment's proxy for the API server, where the configuration names none.

    The package has aiohttp look for one, and into ~/.netrc, at every request: two turns of a thread
    pool, which take as long as the API server does for a small object.
    """
    configuration.client_session_kwargs = {"trust_env": False}
    server = urllib.parse.urlsplit(configuration.host)
    if not configuration.proxy and not urllib.request.proxy_bypass(server.hostname or ""):
        configuration.proxy = urllib.request.getproxies().get(server.scheme)


class Api:
    """Reads and writes single objects. Every failure is an ApiError."""

    def __init__(self, api_client: Any, requested: Requested = lambda verb, status: None) -> None:
        self._client = DynamicClient(api_client)
        self._requested = requested

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        """The live object, or None where there is none."""
        try:
            return await self._call("get", kind, name=name, namespace=namespace)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def list_all(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: Mapping[str, str] | None = None,
        at_most: int | None = None,
    ) -> list[Body]:
        """All objects, or the first `at_most` and up to a page more; `fields` must be equal."""
        items: list[Body] = []
        token: str | None = None
        while True:
            page = await self._call(
                "get",
                kind,
                namespace=namespace,
                label_selector=labels,
                field_selector=_equal(fields),
                limit=PAGE,
                _continue=token,
            )
            items += page.get("items", [])
            token = page.get("metadata", {}).get("continue")
            if not token or (at_most is not None and len(items) >= at_most):
                return items

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        seconds: float,
        since: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Body]:
        """First nothing ({}), when the watch has begun; then all that are there and each that comes
        or changes, with `since` only what is newer than this resourceVersion. Ends after `seconds`.
        `fields` must be equal. `requested` is not told of it, as of no watch.
        """
        call = self._client.get(
            self._resource(kind),
            namespace=namespace,
            serialize=False,
            watch="true",
            field_selector=_equal(fields),
            resource_version=since,
            timeout_seconds=int(seconds),
            _request_timeout=seconds + TIMEOUT,
        )
        response = await _begun(call)
        try:
            yield {}
            async for change in _changes(response):
                yield change
        finally:
            response.close()

    async def apply(self, kind: Kind, body: Body, *, subresource: str | None = None) -> Body:
        """Server-side apply with force: the answer is the live object, status included.

        An apply that changes nothing writes nothing. `metadata.uid` in the body is a precondition
        (422 where the object is another one), `metadata.resourceVersion` too (409); with ABSENT
        there an object is created, and none is taken over.
        """
        return await self._call(
            "server_side_apply",
            kind,
            body=body,
            subresource=subresource,
            field_manager=FIELD_MANAGER,
            force_conflicts="true",
        )

    async def create(self, kind: Kind, body: Body) -> Body:
        return await self._call("create", kind, body=body, namespace=body["metadata"]["namespace"])

    async def replace(self, kind: Kind, body: Body) -> Body:
        return await self._call("replace", kind, body=body)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Body) -> Body:
        return await self._call(
            "patch",
            kind,
            body=body,
            name=name,
            namespace=namespace,
            content_type="application/merge-patch+json",
            field_manager=FIELD_MANAGER,
        )

    async def delete(self, kind: Kind, body: Body) -> None:
        """Deletes this very object, as it was read: by UID and resourceVersion.

        Nothing happens where it is gone already; ApiError 409 where it has changed since.
        """
        meta = body["metadata"]
        try:
            await self._call(
                "delete",
                kind,
                name=meta["name"],
                namespace=meta.get("namespace"),
                body={
                    "apiVersion": "v1",
                    "kind": "DeleteOptions",
                    "propagationPolicy": "Background",
                    "preconditions": {
                        "uid": meta["uid"],
                        "resourceVersion": meta["resourceVersion"],
                    },
                },
            )
        except ApiError as error:
            if not error.not_found:
                raise

    async def served(self, kind: Kind) -> bool:
        """Whether the API server serves this kind, by its group's discovery document."""
        prefix = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        try:
            document = await self._request("get", prefix)
        except ApiError as error:
            if error.not_found:
                return False
            raise
        return any(item.get("name") == kind.plural for item in document.get("resources", []))

    def _resource(self, kind: Kind) -> Resource:
        return Resource(
            prefix="apis" if kind.group else "api",
            group=kind.group,
            api_version=kind.version,
            kind=kind.kind,
            namespaced=kind.namespaced,
            name=kind.plural,
            client=self._client,
            subresources={
                "status": {"name": f"{kind.plural}/status", "kind": kind.kind, "namespaced": True}
            },
        )

    async def _call(
        self, method: str, kind: Kind, *, subresource: str | None = None, **arguments: Any
    ) -> Body:
        resource = self._resource(kind)
        if subresource:
            resource = resource.subresources[subresource]
        call = getattr(self._client, method)
        verb = VERBS.get(method, method)
        if verb == "get" and "name" not in arguments:
            verb = "list"
        request = call(resource, serialize=False, _request_timeout=TIMEOUT, **arguments)
        return await self._counted(verb, request)

    async def _request(self, method: str, path: str) -> Body:
        call = self._client.request(method, path, serialize=False, _request_timeout=TIMEOUT)
        return await self._counted(method, call)

    async def _counted(self, verb: str, call: Awaitable[Any]) -> Body:
        status = 0
        try:
            status, answer = await _answer(call)
            return answer
        except ApiError as error:
            status = error.status
            raise
        finally:
            # Also where the caller's own time-out has cancelled the call.
            self._requested(verb, status)


def _equal(fields: Mapping[str, str] | None) -> str | None:
    """The field selector of these paths and values."""
    return ",".join(f"{path}={value}" for path, value in (fields or {}).items()) or None


async def _answer(call: Awaitable[Any]) -> tuple[int, Body]:
    with _told_as_ours():
        # Not wait_for: in Python 3.11 it loses a cancellation that meets an answer.
        async with asyncio.timeout(TIMEOUT + 1):
            response = await call
            return int(response.status), await response.json()


async def _begun(call: Awaitable[Any]) -> Any:
    with _told_as_ours():
        async with asyncio.timeout(TIMEOUT + 1):
            return await call


async def _changes(response: Any) -> AsyncIterator[Body]:
    """The objects of a watch's lines."""
    while True:
        with _told_as_ours():
            line = await response.content.readline()
            if not line:
                return
            change = json.loads(line)
        if change.get("type") == "ERROR":
            said = change.get("object") or {}
            raise ApiError(
                int(said.get("code") or 0), str(said.get("message") or "the watch ended")
            )
        yield change["object"]


@contextmanager
def _told_as_ours() -> Iterator[None]:
    """Whatever goes wrong with a request is an ApiError."""
    try:
        yield
    except client.ApiException as error:
        raise _api_error(error) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        raise ApiError(0, f"the API server did not answer: {text}") from error
    except ValueError as error:
        # A proxy in between that cut the answer, say.
        raise ApiError(0, f"the API server's answer cannot be read: {error}") from error


def _api_error(error: Any) -> ApiError:
    seconds: Any = None
    try:
        status = json.loads(error.body)
        details = status.get("details") or {}
        causes = tuple(str(cause.get("reason")) for cause in details.get("causes") or ())
        message, reason = str(status.get("message") or ""), str(status.get("reason") or "")
        seconds = details.get("retryAfterSeconds")
    except (ValueError, TypeError, AttributeError):
        causes, message, reason = (), "", ""
    header: Any = (error.headers or {}).get("Retry-After")
    retry_after: float | None
    try:
        retry_after = float(header if header is not None else seconds)
    except (TypeError, ValueError):
        retry_after = None
    return ApiError(
        status=int(error.status or 0),
        message=message or f"the API server answered {error.status} {error.reason}",
        reason=reason,
        causes=causes,
        retry_after=retry_after,
    )
