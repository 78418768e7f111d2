"""What stops pushes between users and a registry, by a front before the real engine."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from api.processes import wait_until
from localregistry.controller.frontdoor import Door, look

pytestmark = pytest.mark.ux

CHILD = "dev-registry"
HOST = "dev.example.internal"
FRONT = "127.0.8.1"
UPLOADS = "data/docker/registry/v2/repositories/localregistry-probe/_uploads"


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-1")


@contextmanager
def front(engine: tuple[str, int]) -> Iterator[list[str]]:
    """A proxy at port 80 that takes no large bodies, as nginx without our annotations; what it was
    asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(f"{self.command} {self.headers['Host']}")
            connection = http.client.HTTPConnection(*engine, timeout=10)
            connection.request(self.command, self.path, headers={"Host": self.headers["Host"]})
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name in ("Docker-Distribution-Api-Version", "Location"):
                if value := answer.headers[name]:
                    self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_POST

        def do_PATCH(self) -> None:
            asked.append(f"{self.command} {self.headers['Host']}")
            # As nginx reads on for a while: what is left unread resets the connection.
            self.rfile.read(1)
            self.send_response(413)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((FRONT, 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_front_that_stops_pushes_is_told_and_nodes_pull_all_the_same(lab: Lab) -> None:
    lab.apply("dev", host=HOST, storage={"ephemeral": True})
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", status="True")
    address = str(lab.get("service", CHILD)["spec"]["clusterIP"])
    with front((address, lab.registry_port)) as asked:
        lab.patch_status("ingress", CHILD, {"loadBalancer": {"ingress": [{"ip": FRONT}]}})
        found = lab.wait_for("dev", "Exposed", "PushStopped", status="False", timeout=60)
        assert found["message"] == (
            "A push through the Ingress fails: bodies of 512 MiB are refused with 413: lift the"
            " front's limit of the size"
        )
        wait_until(lambda: asked.count(f"DELETE {HOST}") == 2, timeout=10, what="the end of both")
        assert asked == [f"{method} {HOST}" for method in ("POST", "PATCH", "DELETE")] * 2
    assert lab.condition("dev")["status"] == "True"
    assert list((lab.folder(address) / UPLOADS).glob("*")) == [], "what was begun is cancelled"


def test_the_engine_lets_a_push_through_and_keeps_nothing_of_it(lab: Lab) -> None:
    lab.apply("dev", host=HOST, storage={"ephemeral": True})
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", status="True")
    address = str(lab.get("service", CHILD)["spec"]["clusterIP"])

    async def through() -> None:
        async with aiohttp.ClientSession() as session:
            await look(session, Door(address, HOST, port=lab.registry_port), lasting=3)

    asyncio.run(through())
    uploads = lab.folder(address) / UPLOADS
    assert uploads.is_dir(), "one was begun"
    wait_until(lambda: not list(uploads.glob("*")), timeout=10, what="the upload to be gone")
