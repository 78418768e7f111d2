"""`localregistry usage`: the process beside the registry.

It never ends by itself, and nothing that others do may end it: a container that does not run makes
its pod not ready, whatever probes it has, and so would take the registry out of service.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from localregistry.agent.server import Answer, Routes, Server
from localregistry.usage import volume
from localregistry.usage.blobs import Walk
from localregistry.usage.meter import Meter, NotMeasured, gauge
from localregistry.usage.pace import Pace
from localregistry.usage.report import PATH, PORT
from localregistry.usage.tags import PATH as TAGS_PATH
from localregistry.usage.tags import Busy, Tags

if TYPE_CHECKING:
    from argparse import ArgumentParser

ROOT = "/var/lib/registry"
# Whoever reaches the port can connect; each connection is a thread. More are closed unheard.
MAX_CLIENTS = 8


class BoundedServer(Server):
    """Serves so many at a time, so that no flood of them uses up the memory."""

    def __init__(self, host: str, port: int, routes: Routes) -> None:
        self._free = threading.BoundedSemaphore(MAX_CLIENTS)
        super().__init__(host, port, routes)

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
        _log(f"a request could not be answered: {sys.exc_info()[1]!r}")


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; 1 where the port is taken."""
    options = read_options(sys.argv[1:] if argv is None else argv)
    walk = Walk(options.root, Pace())
    meter = Meter(functools.partial(gauge, options.root, walk), forget=walk.forget, log=_log)
    tags = Tags(options.root)
    # Before any thread is there: they inherit it, and none is interrupted.
    endings = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    try:
        routes: Routes = {
            PATH: lambda: answer(meter, lambda: is_read_only(options.root)),
            TAGS_PATH: lambda: list_tags(tags),
        }
        server = serve(options.listen, options.port, routes)
    except OSError as error:
        _log(f"cannot listen on port {options.port}: {error.strerror}")
        return 1
    meter.start()
    server.start()
    _log(f"answering on port {server.port}")
    signal.sigwait(endings)
    server.server_close()
    return 0


def serve(address: str, port: int, routes: Routes) -> BoundedServer:
    """A server that listens; without an address on every one, of both families where there are
    two. Raises OSError."""
    if address:
        return BoundedServer(address, port, routes)
    try:
        return BoundedServer("::", port, routes)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return BoundedServer("0.0.0.0", port, routes)


def answer(meter: Meter, read_only: Callable[[], bool]) -> Answer:
    """The last measurement, with what costs nothing to know anew."""
    try:
        usage = dataclasses.replace(meter.usage(), read_only=read_only())
        return 200, "application/json", usage.to_json()
    except NotMeasured as error:
        return 503, "text/plain; charset=utf-8", f"{error}\n"


def is_read_only(root: str) -> bool:
    try:
        return volume.is_read_only(volume.read_mountinfo(), root)
    except OSError:
        # No process without it; but what is not known makes nothing less ready.
        return False


def list_tags(tags: Tags) -> Answer:
    try:
        return 200, "application/json", tags.to_json()
    except Busy as error:
        return 503, "text/plain; charset=utf-8", f"{error}\n"
    except OSError as error:
        words = f"the tags cannot be read: {error.strerror}\n"
        return 503, "text/plain; charset=utf-8", words


def read_options(arguments: Sequence[str]) -> SimpleNamespace:
    """The command line; without one, as in the pod, no parser is brought into memory."""
    if arguments:
        return SimpleNamespace(**vars(parser().parse_args(arguments)))
    return SimpleNamespace(root=ROOT, listen="", port=PORT)


def parser() -> ArgumentParser:
    import argparse

    result = argparse.ArgumentParser(
        prog="localregistry usage",
        description=f"Serves GET {PATH}, how much of a registry's volume is used, and GET "
        f"{TAGS_PATH}, which tags are in it and when each was pushed.",
    )
    result.add_argument("--root", default=ROOT, type=os.path.abspath, help=f"its folder ({ROOT})")
    result.add_argument("--listen", default="", help="address to answer on (all)")
    result.add_argument("--port", default=PORT, type=int, help=f"port to answer on ({PORT})")
    return result


def _log(text: str) -> None:
    print(f"localregistry usage: {text}", file=sys.stderr, flush=True)
