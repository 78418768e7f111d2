"""`GET /status` and `GET /healthz`, for the operator and the kubelet.

By hand on socketserver: http.server would cost 4 MiB on every node for two fixed answers.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Mapping

# A client that does not end its request is cut off.
CLIENT_SECONDS = 5.0
MAX_LINE, MAX_HEADERS = 4096, 64

Answer = tuple[int, str, str]
Routes = Mapping[str, Callable[[], Answer]]

_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Handler(socketserver.StreamRequestHandler):
    """One request and its answer, then the connection is closed."""

    timeout = CLIENT_SECONDS
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        try:
            request = self.rfile.readline(MAX_LINE).split()
            for _ in range(MAX_HEADERS):
                if self.rfile.readline(MAX_LINE).strip() == b"":
                    break
            if len(request) >= 2:
                self.wfile.write(self._answer(request[0], request[1].decode("latin-1")))
        except OSError:
            pass  # the client went away

    def _answer(self, method: bytes, target: str) -> bytes:
        route = self.server.routes.get(target.partition("?")[0])
        if method not in (b"GET", b"HEAD"):
            status, kind, text = 405, "text/plain", "only GET is answered here\n"
        elif route is None:
            status, kind, text = 404, "text/plain", f"there is {' and '.join(self.server.routes)}\n"
        else:
            status, kind, text = route()
        body = text.encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        ).encode()
        return head if method == b"HEAD" else head + body


class Server(socketserver.ThreadingTCPServer):
    """Serves from a thread of its own; `routes` are called in it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self, host: str, port: int, routes: Routes, handler: type[Handler] = Handler
    ) -> None:
        self.routes = routes
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        # It ends with the process, so that nothing need wake up to look whether it shall.
        threading.Thread(target=self.serve_forever, args=(3600.0,), daemon=True).start()
