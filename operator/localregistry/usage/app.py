"""`localregistry usage`: the process beside the registry.

It never ends by itself, and nothing that others do may end it: a container that does not run makes
its pod not ready, whatever probes it has, and so would take the registry out of service.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from localregistry.agent.server import Answer, Routes
from localregistry.usage import volume, web
from localregistry.usage.blobs import Walk
from localregistry.usage.bounded import BoundedServer, hearing, log, serve
from localregistry.usage.images import Images
from localregistry.usage.meter import Meter, NotMeasured, gauge
from localregistry.usage.pace import Pace
from localregistry.usage.page import Page
from localregistry.usage.report import PAGE_PORT, PATH, PORT
from localregistry.usage.tags import PATH as TAGS_PATH
from localregistry.usage.tags import Busy, Tags
from localregistry.usage.told import Told

if TYPE_CHECKING:
    from argparse import ArgumentParser

ROOT = "/var/lib/registry"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; 1 where the port is taken."""
    options = read_options(sys.argv[1:] if argv is None else argv)
    walk = Walk(options.root, Pace())
    meter = Meter(functools.partial(gauge, options.root, walk), forget=walk.forget, log=log)
    tags, told = Tags(options.root), Told()
    # Before any thread is there: they inherit it, and none is interrupted.
    endings = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    try:
        routes: Routes = {
            PATH: lambda: answer(meter, lambda: is_read_only(options.root)),
            TAGS_PATH: lambda: list_tags(tags),
        }
        server = serve(options.listen, options.port, routes, hearing(told.hear))
    except OSError as error:
        log(f"cannot listen on port {options.port}: {error.strerror}")
        return 1
    meter.start()
    server.start()
    log(f"answering on port {server.port}")
    page = Page(tags, Images(options.root), told.nodes)
    serve_page(options.listen, options.page_port, page)
    signal.sigwait(endings)
    server.server_close()
    return 0


def serve_page(address: str, port: int, page: Page) -> BoundedServer | None:
    """Where that cannot be the rest goes on: no page is worth a registry's pod."""
    try:
        server = serve(address, port, {}, web.handler(page.respond), clients=web.MAX_CLIENTS)
    except OSError as error:
        log(f"no page: cannot listen on port {port}: {error.strerror}")
        return None
    server.start()
    log(f"the page is on port {server.port}")
    return server


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
    return SimpleNamespace(root=ROOT, listen="", port=PORT, page_port=PAGE_PORT)


def parser() -> ArgumentParser:
    import argparse

    result = argparse.ArgumentParser(
        prog="localregistry usage",
        description=f"Serves GET {PATH}, how much of a registry's volume is used, and GET "
        f"{TAGS_PATH}, which tags are in it and when each was pushed; and a page for people, on a "
        "port of its own.",
    )
    result.add_argument("--root", default=ROOT, type=os.path.abspath, help=f"its folder ({ROOT})")
    result.add_argument("--listen", default="", help="address to answer on (all)")
    result.add_argument("--port", default=PORT, type=int, help=f"port to answer on ({PORT})")
    result.add_argument(
        "--page-port", default=PAGE_PORT, type=int, help=f"port of the page ({PAGE_PORT})"
    )
    return result
