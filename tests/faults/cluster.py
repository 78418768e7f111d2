"""Plays what a cluster adds to an API server: volumes, pods, an Ingress controller, the garbage
collector. Level-triggered as these are; a thread that looks ten times a second at one namespace."""

from __future__ import annotations

import threading
from typing import Any

from api.apiserver import ApiServer
from api.lab import PATHS

Body = dict[str, Any]

LOOK_SECONDS = 0.1
ADDRESS = "192.0.2.1"
MERGE = "application/merge-patch+json"


class Cluster:
    """Binds claims and grows them, makes Deployments available, gives Ingresses an address."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

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

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            for item in self._items("pvc"):
                wanted = item["spec"]["resources"]["requests"]["storage"]
                status = item.get("status") or {}
                if (status.get("capacity") or {}).get("storage") != wanted:
                    bound = {"phase": "Bound", "capacity": {"storage": wanted}}
                    self._patch("pvc", item, bound)
            for item in self._items("deployment"):
                generation = item["metadata"]["generation"]
                if (item.get("status") or {}).get("observedGeneration") != generation:
                    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
                    running = {"observedGeneration": generation, **dict.fromkeys(counts, 1)}
                    self._patch("deployment", item, running)
            for item in self._items("ingress"):
                if not (item.get("status") or {}).get("loadBalancer", {}).get("ingress"):
                    self._patch("ingress", item, {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}})

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
