"""The control of the operator's figures: a client that only sends what the operator would.

Its bodies are rendered before the clock runs, its connections are kept: nobody could do the same
requests with much less.
"""

from __future__ import annotations

import http.client
import json
import queue
import ssl
import time
import urllib.parse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import yaml

from api.apiserver import ADMIN_TOKEN, ApiServer
from localregistry.render import render
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry

from .control_plane import NAMESPACE, manifest

CONNECTIONS = 10
APPLY = "application/apply-patch+yaml"
PLURALS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


class Connection:
    """One kept connection to the API server, as its administrator."""

    def __init__(self, api: ApiServer) -> None:
        context = ssl.create_default_context(cafile=str(api.ca))
        address = urllib.parse.urlsplit(api.url).netloc
        self._http = http.client.HTTPSConnection(address, timeout=30, context=context)
        self._http.connect()

    def request(self, method: str, path: str, body: bytes = b"", kind: str = APPLY) -> int:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": kind}
        self._http.request(method, path, body, headers)
        answer = self._http.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._http.close()


Applies = list[tuple[str, bytes]]


def children(name: str) -> Applies:
    """Paths and bodies that apply what a LocalRegistry of this name becomes."""
    body = manifest(name)
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001"
    text = render(LocalRegistry.from_body(body), OperatorConfig())
    found = []
    for child in yaml.safe_load_all(text):
        # No garbage collector shall take them.
        child["metadata"].pop("ownerReferences", None)
        path = f"{PLURALS[child['kind']].format(NAMESPACE)}/{child['metadata']['name']}"
        found.append((f"{path}?fieldManager=bare&force=true", json.dumps(child).encode()))
    return found


def create(api: ApiServer, names: Sequence[str]) -> float:
    """Seconds to create all of their children over ten connections."""
    every = [children(name) for name in names]
    free: queue.Queue[Connection] = queue.Queue()
    for _ in range(CONNECTIONS):
        free.put(Connection(api))

    def apply(bodies: Applies) -> None:
        connection = free.get()
        for path, body in bodies:
            assert connection.request("PATCH", path, body) == 201, path
        free.put(connection)

    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(apply, every))
    seconds = time.monotonic() - started
    while not free.empty():
        free.get().close()
    return seconds


class NoOp:
    """The requests of a reconcile with nothing to do, on children that `create` has made."""

    def __init__(self, api: ApiServer, name: str) -> None:
        self._connection = Connection(api)
        self._applies = children(name)

    def run(self, registry: str) -> float:
        """Seconds: the LocalRegistry at this path and a claim are read, five children applied."""
        claim = next(path for path, _ in self._applies if "/persistentvolumeclaims/" in path)
        started = time.monotonic()
        for path in (registry, claim.partition("?")[0]):
            assert self._connection.request("GET", path) == 200, path
        for path, body in self._applies:
            assert self._connection.request("PATCH", path, body) == 200, path
        return time.monotonic() - started

    def close(self) -> None:
        self._connection.close()
