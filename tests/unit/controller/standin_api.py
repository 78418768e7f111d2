"""An API server in memory, to inject what a real one cannot be made to do on demand.

It keeps to what the controller relies on: UIDs and resource versions, their preconditions (409, and
422 for another UID), finalizers, applies that change nothing and so write nothing, terminating
namespaces. What a real API server answers is tested against a real one, in tests/api.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import EVENT, SERVICE, Kind
from localregistry.controller.kube import Api

Body = dict[str, Any]

CREATED = "2026-01-02T03:04:05Z"
DELETED = "2026-02-03T04:05:06Z"


@dataclass
class _Fault:
    verb: str
    kind: Kind
    error: ApiError
    times: int
    after: bool


@dataclass(frozen=True)
class Call:
    """One request, as it came: also those that were refused."""

    verb: str
    kind: str
    name: str
    body: Body = field(default_factory=dict, compare=False)


class StandInApi(Api):
    """`calls` are all requests; `writes` the (verb, kind, name) of those that changed something."""

    def __init__(self, *objects: Body) -> None:
        self.calls: list[Call] = []
        self.writes: list[tuple[str, str, str]] = []
        self.delay = 0.0
        self.terminating: set[str] = set()
        self._objects: dict[tuple[str, str, str], Body] = {}
        self._faults: list[_Fault] = []
        self._meanwhile: list[tuple[str, Kind, Callable[[], object]]] = []
        self._numbers = itertools.count(100)
        for body in objects:
            self.put(body)

    # What a test says and asks

    def put(self, body: Body) -> Body:
        """An object as it is to be there, made by somebody else."""
        body = copy.deepcopy(body)
        meta = body["metadata"]
        meta.setdefault("uid", f"uid-{next(self._numbers)}")
        meta.setdefault("creationTimestamp", CREATED)
        meta["resourceVersion"] = str(next(self._numbers))
        self._objects[body["kind"], meta.get("namespace") or "", meta["name"]] = body
        return copy.deepcopy(body)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        self._objects.pop((kind.kind, namespace, name), None)

    def look(self, kind: Kind, namespace: str, name: str) -> Body | None:
        """As `get`, without being counted, delayed or failed."""
        return copy.deepcopy(self._objects.get((kind.kind, namespace, name)))

    def all_of(self, kind: Kind) -> list[Body]:
        return [copy.deepcopy(body) for key, body in self._objects.items() if key[0] == kind.kind]

    def fail(
        self, verb: str, kind: Kind, error: ApiError, *, times: int = 1, after: bool = False
    ) -> None:
        """The next `times` such calls fail; `after` the server has done what was asked."""
        self._faults.append(_Fault(verb, kind, error, times, after))

    def meanwhile(self, verb: str, kind: Kind, action: Callable[[], object]) -> None:
        """`action` happens while the next such call is under way, before its answer is back."""
        self._meanwhile.append((verb, kind, action))

    def called(self, verb: str, kind: Kind) -> list[Call]:
        return [call for call in self.calls if (call.verb, call.kind) == (verb, kind.kind)]

    # What the controller calls

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Body | None:
        async with self._under("get", kind, name):
            return self.look(kind, namespace or "", name)

    async def list_all(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: Mapping[str, str] | None = None,
        at_most: int | None = None,
    ) -> list[Body]:
        async with self._under("list", kind, ""):
            bodies = self.all_of(kind)
            found = [b for b in bodies if namespace in (None, b["metadata"].get("namespace"))]
            return [
                body
                for body in found
                if all(_at(body, path) == value for path, value in (fields or {}).items())
            ]

    async def apply(self, kind: Kind, body: Body, *, subresource: str | None = None) -> Body:
        name = body["metadata"]["name"]
        async with self._under("status" if subresource else "apply", kind, name, body):
            return self._apply(kind, body, subresource)

    async def create(self, kind: Kind, body: Body) -> Body:
        name = body["metadata"]["name"]
        async with self._under("create", kind, name, body):
            if self._live(kind, body):
                raise ApiError(409, f"{kind} {name} already exists", "AlreadyExists")
            return self._create(kind, body, "create")

    async def replace(self, kind: Kind, body: Body) -> Body:
        async with self._under("replace", kind, body["metadata"]["name"], body):
            live = self._found(kind, body)
            self._preconditions(body, live)
            return self._store("replace", kind, live, copy.deepcopy(body))

    async def merge_patch(self, kind: Kind, namespace: str, name: str, body: Body) -> Body:
        async with self._under("patch", kind, name, body):
            patch = copy.deepcopy(body)
            patch["metadata"] = {"namespace": namespace, "name": name, **patch["metadata"]}
            live = self._found(kind, patch)
            self._preconditions(patch, live)
            after = _merged(live, patch)
            after["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            stored = self._store("patch", kind, live, after)
            meta = stored["metadata"]
            if meta.get("deletionTimestamp") and not meta.get("finalizers"):
                self.remove(kind, namespace, name)
            return stored

    async def delete(self, kind: Kind, body: Body) -> None:
        async with self._under("delete", kind, body["metadata"]["name"], body):
            live = self._live(kind, body)
            if live is None:
                return
            self._preconditions(body, live)
            self.writes.append(("delete", kind.kind, body["metadata"]["name"]))
            if live["metadata"].get("finalizers"):
                live["metadata"]["deletionTimestamp"] = DELETED
            else:
                self.remove(kind, live["metadata"].get("namespace") or "", live["metadata"]["name"])

    def _under(self, verb: str, kind: Kind, name: str, body: Body | None = None) -> _Under:
        self.calls.append(Call(verb, kind.kind, name, copy.deepcopy(body or {})))
        return _Under(self, verb, kind)

    def _fault(self, verb: str, kind: Kind, *, after: bool) -> ApiError | None:
        for fault in self._faults:
            if (fault.verb, fault.kind, fault.after) == (verb, kind, after) and fault.times > 0:
                fault.times -= 1
                return fault.error
        return None

    def _happen(self, verb: str, kind: Kind) -> None:
        for item in self._meanwhile:
            if item[:2] == (verb, kind):
                self._meanwhile.remove(item)
                item[2]()
                return

    def _live(self, kind: Kind, body: Body) -> Body | None:
        meta = body["metadata"]
        return self._objects.get((kind.kind, meta.get("namespace") or "", meta["name"]))

    def _found(self, kind: Kind, body: Body) -> Body:
        live = self._live(kind, body)
        if live is None:
            raise ApiError(404, f"{kind.plural} {body['metadata']['name']!r} not found", "NotFound")
        return live

    def _apply(self, kind: Kind, body: Body, subresource: str | None) -> Body:
        if subresource:
            live = self._found(kind, body)
            self._preconditions(body, live)
            return self._store("status", kind, live, {**live, "status": body["status"]})
        existing = self._live(kind, body)
        if existing is None:
            if "uid" in body["metadata"]:
                raise ApiError(409, "uid mismatch: no existing object was found", "Conflict")
            return self._create(kind, body, "apply")
        self._preconditions(body, existing)
        return self._store("apply", kind, existing, _merged(existing, body))

    def _create(self, kind: Kind, body: Body, verb: str) -> Body:
        if kind is not EVENT and body["metadata"].get("namespace") in self.terminating:
            causes = ("NamespaceTerminating",)
            raise ApiError(403, "the namespace is being terminated", "Forbidden", causes)
        body = copy.deepcopy(body)
        if kind == SERVICE:
            body["spec"].setdefault("clusterIP", f"10.96.0.{next(self._numbers) % 250}")
        body["metadata"].setdefault("generation", 1)
        self.writes.append((verb, kind.kind, body["metadata"]["name"]))
        return self.put(body)

    def _store(self, verb: str, kind: Kind, live: Body, after: Body) -> Body:
        if after != live:
            self.writes.append((verb, kind.kind, after["metadata"]["name"]))
            return self.put(after)
        return copy.deepcopy(live)

    @staticmethod
    def _preconditions(body: Body, live: Body) -> None:
        meta, now = body["metadata"], live["metadata"]
        if meta.get("uid") not in (None, now["uid"]):
            raise ApiError(422, "metadata.uid: field is immutable", "Invalid")
        if meta.get("resourceVersion") not in (None, now["resourceVersion"]):
            raise ApiError(409, "the object has been modified", "Conflict")


class _Under:
    """A call under way: the delay, what happens meanwhile, and the faults around the work."""

    def __init__(self, api: StandInApi, verb: str, kind: Kind) -> None:
        self._api, self._verb, self._kind = api, verb, kind

    async def __aenter__(self) -> None:
        await asyncio.sleep(self._api.delay)
        if error := self._api._fault(self._verb, self._kind, after=False):
            raise error

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._api._happen(self._verb, self._kind)
        if error is None and (fault := self._api._fault(self._verb, self._kind, after=True)):
            raise fault


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        body = (body or {}).get(key)
    return body


def _merged(live: Body, body: Body) -> Body:
    """Objects are merged, all else replaced: near enough to what one field manager's apply does."""
    after = copy.deepcopy(live)
    for key, value in body.items():
        both = isinstance(value, dict) and isinstance(after.get(key), dict)
        after[key] = _merged(after[key], value) if both else copy.deepcopy(value)
    return after
