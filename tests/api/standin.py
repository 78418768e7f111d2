"""Stands in for a node and the agent on it, where there are no kubelets."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from api import objects
from api.apiserver import ADMIN_TOKEN, ApiServer
from localregistry.trust import (
    DOCUMENT_KEY,
    TASK_ANNOTATION,
    NodeResult,
    Report,
    Task,
    TrustDocument,
)

SYSTEM = "localregistry-system"

# Once, and without the system's certificates: to read these takes longer than all else of an
# answer, and an agent that answers late is not heard. A throw-away server of this very test on
# loopback needs no proof.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE

Body = dict[str, Any]


class NodeStandIn:
    """A node with an agent's pod, and an HTTP server that answers as its agent would."""

    def __init__(self, api: ApiServer, port: int, name: str, address: str) -> None:
        self._api = api
        self._port = port
        self.name = name
        self.address = address
        # What this node reports for a registry (by UID) instead of success.
        self.exceptions: Callable[[TrustDocument], dict[str, NodeResult]] = lambda _: {}
        # What it would change for a registry that is only looked at: lines by UID.
        self.previews: Callable[[TrustDocument], dict[str, tuple[str, ...]]] = self._would_write
        # A silent node's agent takes connections and knows nothing newer.
        self.silent = False
        # What it has answered, or would.
        self.last = Report("")
        self._server: http.server.ThreadingHTTPServer | None = None

    @classmethod
    def join(
        cls,
        api: ApiServer,
        port: int,
        name: str,
        *,
        index: int,
        ready: bool = True,
        labels: Mapping[str, str] | None = None,
        address: str = "",
    ) -> NodeStandIn:
        node = cls(api, port, name, address or f"127.0.9.{index}")
        meta = {"name": name, "labels": {"kubernetes.io/os": "linux", **(labels or {})}}
        objects.create(api, {"apiVersion": "v1", "kind": "Node", "metadata": meta})
        node.set_ready(ready)
        node._serve()
        node._start_pod()
        return node

    def set_ready(self, ready: bool) -> None:
        status = {
            "nodeInfo": {"containerRuntimeVersion": "containerd://1.7.24"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        }
        objects.patch(self._api, f"/api/v1/nodes/{self.name}/status", {"status": status})

    def label(self, **labels: str | None) -> None:
        """Sets labels of the node; None takes one away."""
        change = {"metadata": {"labels": labels}}
        objects.patch(self._api, f"/api/v1/nodes/{self.name}", change)

    def task(self) -> Task | None:
        pod = self._get(f"/api/v1/namespaces/{SYSTEM}/pods/agent-{self.name}")
        text = (pod["metadata"].get("annotations") or {}).get(TASK_ANNOTATION)
        return Task.from_json(text) if text else None

    def report(self) -> Report:
        """As the agent: acts when its task and the document are of one revision."""
        task = self.task()
        if self.silent or task is None:
            return self.last
        try:
            body = self._get(f"/api/v1/namespaces/{SYSTEM}/configmaps/node-trust")
        except urllib.error.HTTPError:
            return self.last
        document = TrustDocument.from_json(body["data"][DOCUMENT_KEY])
        if document.revision == task.revision:
            chosen = [e for e in document.registries if e.uid not in task.excluded]
            previews = self.previews(TrustDocument(tuple(e for e in chosen if e.preview)))
            exceptions = self.exceptions(TrustDocument(tuple(chosen)))
            self.last = Report(document.revision, task.runtime, exceptions, task.excluded, previews)
        return self.last

    @staticmethod
    def _would_write(document: TrustDocument) -> dict[str, tuple[str, ...]]:
        return {
            e.uid: tuple(f"+ {e.address} {name}" for name in e.names) for e in document.registries
        }

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _start_pod(self) -> None:
        labels = {
            "app.kubernetes.io/name": "node-agent",
            "app.kubernetes.io/instance": "node-agent",
            "app.kubernetes.io/component": "node-agent",
            "app.kubernetes.io/managed-by": "localregistry-operator",
        }
        name = f"agent-{self.name}"
        spec = {
            "nodeName": self.name,
            "containers": [{"name": "agent", "image": "agent"}],
            # The default one is made by the controller manager, which does not run here.
            "serviceAccountName": "localregistry",
            "automountServiceAccountToken": False,
        }
        meta = {"name": name, "namespace": SYSTEM, "labels": labels}
        status = {"podIP": self.address, "conditions": [{"type": "Ready", "status": "True"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}
        objects.create(self._api, pod)

    def _serve(self) -> None:
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = node.report().to_json().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((self.address, self._port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _get(self, path: str) -> Body:
        request = urllib.request.Request(
            self._api.url + path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}
        )
        with urllib.request.urlopen(request, context=_TLS, timeout=5) as answer:
            body: Body = json.loads(answer.read())
            return body
