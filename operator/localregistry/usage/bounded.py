"""Servers that no flood of clients can make take up the memory."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from localregistry.agent.server import Handler, Routes, Server
from localregistry.usage.report import PATH

# Whoever reaches the port can connect; each connection is a thread. More are closed unheard.
MAX_CLIENTS = 8


class BoundedServer(Server):
    """Serves so many at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: Routes,
        handler: type[Handler] = Handler,
        *,
        clients: int = MAX_CLIENTS,
    ) -> None:
        self._free = threading.BoundedSemaphore(clients)
        super().__init__(host, port, routes, handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log(f"a request could not be answered: {sys.exc_info()[1]!r}")


def hearing(hear: Callable[[str], None]) -> type[Handler]:
    """A handler that passes on the query of each request for the usage."""

    class Hearing(Handler):
        def _answer(self, method: bytes, target: str) -> bytes:
            path, _, query = target.partition("?")
            if path == PATH:
                hear(query)
            return super()._answer(method, target)

    return Hearing


def serve(
    address: str,
    port: int,
    routes: Routes,
    handler: type[Handler] = Handler,
    *,
    clients: int = MAX_CLIENTS,
) -> BoundedServer:
    """A server that listens; without an address on every one, of both families where there are
    two. Raises OSError."""
    if address:
        return BoundedServer(address, port, routes, handler, clients=clients)
    try:
        return BoundedServer("::", port, routes, handler, clients=clients)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return BoundedServer("0.0.0.0", port, routes, handler, clients=clients)


def log(text: str) -> None:
    print(f"localregistry usage: {text}", file=sys.stderr, flush=True)
