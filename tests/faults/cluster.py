"""Plays what a cluster adds to an API server: volumes, pods, an Ingress controller, the garbage
collector. Level-triggered as these are; a thread watches each kind in one namespace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from api.apiserver import ApiServer
from api.lab import PATHS

Body = dict[str, Any]

# Each watch begins with what is there, and is begun anew after so long.
WATCH_SECONDS = 5
ADDRESS = "192.0.2.1"
MERGE = "application/merge-patch+json"


def bound(claim: Body) -> Body | None:
    """The status that its volume would have, None where it has it."""
    wanted = claim["spec"]["resources"]["requests"]["storage"]
    if ((claim.get("status") or {}).get("capacity") or {}).get("storage") == wanted:
        return None
    return {"phase": "Bound", "capacity": {"storage": wanted}}


def available(deployment: Body) -> Body | None:
    generation = deployment["metadata"]["generation"]
    if (deployment.get("status") or {}).get("observedGeneration") == generation:
        return None
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {"observedGeneration": generation, **dict.fromkeys(counts, 1)}


def addressed(ingress: Body) -> Body | None:
    if (ingress.get("status") or {}).get("loadBalancer", {}).get("ingress"):
        return None
    return {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}


PLAYED: Mapping[str, Callable[[Body], Body | None]] = {
    "pvc": bound,
    "deployment": available,
    "ingress": addressed,
}


class Cluster:
    """Binds claims and grows them, makes Deployments available, gives Ingresses an address."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(kind,), name=f"cluster {kind}", daemon=True)
            for kind in PLAYED
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * WATCH_SECONDS)

    def collect_garbage(self) -> None:
        """Deletes every child whose owner is gone, and kept claims with them."""
        for resource in ("configmap", "deployment", "service", "ingress", "pvc"):
            for item in self._items(resource):
                name = item["metadata"]["name"]
                if not name.endswith("-registry"):
                    continue
                # The protection of claims in use is another controller's, which does not run.
                if item["metadata"].get("finalizers"):
                    patch = {"metadata": {"finalizers": None}}
                    self._api.request(
                        "PATCH", self._path(resource, name), patch, content_type=MERGE
                    )
                self._api.request("DELETE", self._path(resource, name))

    def _run(self, resource: str) -> None:
        while not self._stop.is_set():
            try:
                for kind, item in self._api.watch(self._path(resource), seconds=WATCH_SECONDS):
                    status = PLAYED[resource](item) if kind in ("ADDED", "MODIFIED") else None
                    if status is not None:
                        self._patch(resource, item, status)
            except ConnectionError:
                # The API server is away: it is asked again until it is back.
                self._stop.wait(0.1)

    def _items(self, resource: str) -> list[Body]:
        code, body = self._api.request("GET", self._path(resource))
        return body.get("items", []) if code == 200 else []

    def _patch(self, resource: str, item: Body, status: Body) -> None:
        path = f"{self._path(resource, item['metadata']['name'])}/status"
        # It may be gone or changed meanwhile: the next look tells.
        self._api.request("PATCH", path, {"status": status}, content_type=MERGE)

    def _path(self, resource: str, name: str = "") -> str:
        path = PATHS[resource].format(namespace=self._namespace)
        return f"{path}/{name}" if name else path
