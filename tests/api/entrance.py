"""Plays the Ingress controller in front of one registry, by the Ingress as it is stored.

A path leads to a port of the Service, which is known by its name here, and that to a process of
this machine. What answers nothing is a 503, as it is behind nginx.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from api.lab import Lab

# Those of one hop.
_OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


def rules(lab: Lab, name: str) -> dict[str, str]:
    """Of each path of the Ingress the name of the Service's port."""
    [rule] = lab.get("ingress", f"{name}-registry")["spec"]["rules"]
    return {
        path["path"]: path["backend"]["service"]["port"]["name"] for path in rule["http"]["paths"]
    }


def leads(paths: Mapping[str, str], asked: str) -> str:
    """The port of the longest Prefix that is one of the path."""
    elements = asked.partition("?")[0].strip("/").split("/")
    fitting = [
        path
        for path in paths
        if path == "/" or elements[: len(path.strip("/").split("/"))] == path.strip("/").split("/")
    ]
    return paths[max(fitting, key=len)]


@contextmanager
def entrance(lab: Lab, name: str, address: str) -> Iterator[int]:
    """The port on loopback where clients reach the registry, whose processes are at `address`."""
    ports = {"http": lab.registry_port, "page": lab.page_port}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._forward()

        do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            port = ports[leads(rules(lab, name), self.path)]
            behind = http.client.HTTPConnection(address, port, timeout=30)
            try:
                behind.request(self.command, self.path, body, dict(self.headers))
                answer = behind.getresponse()
                content = answer.read()
            except OSError:
                self._answer(503, {}, b"503 Service Temporarily Unavailable\n")
                return
            finally:
                behind.close()
            self._answer(answer.status, dict(answer.getheaders()), content)

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for key, value in headers.items():
                if key.lower() not in _OWN:
                    self.send_header(key, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
