"""What stops pushes between users and a registry, by a front before the real engine."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from localregistry.controller.frontdoor import CONTENT, Door, look

pytestmark = pytest.mark.ux

CHILD = "dev-registry"
HOST = "dev.example.internal"
FRONT = "127.0.8.1"
UPLOADS = "data/docker/registry/v2/repositories/localregistry-probe/_uploads"


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-1")


@contextmanager
def front() -> Iterator[list[str]]:
    """A proxy at port 80 that takes no large bodies, as nginx without our annotations; what it was
    asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.headers['Host']}")
            large = int(self.headers["Content-Length"] or 0) > 1 << 20
            self.send_response(413 if large else 200)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
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
    with front() as asked:
        lab.patch_status("ingress", CHILD, {"loadBalancer": {"ingress": [{"ip": FRONT}]}})
        found = lab.wait_for("dev", "Exposed", "PushStopped", status="False", timeout=60)
        assert found["message"] == (
            "A push through the Ingress fails: bodies of 512 MiB are refused with 413: lift the"
            " front's limit of the size"
        )
        assert asked == [f"GET {HOST}"] * 4, "it is told when it is found twice"
    assert lab.condition("dev")["status"] == "True"


def test_the_engine_lets_a_push_through_and_keeps_the_same_blob_of_each(lab: Lab) -> None:
    lab.apply("dev", host=HOST, storage={"ephemeral": True})
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", status="True")
    address = str(lab.get("service", CHILD)["spec"]["clusterIP"])

    async def through() -> None:
        async with aiohttp.ClientSession() as session:
            await look(session, Door(address, HOST, port=lab.registry_port), lasting=1)

    def stored() -> set[str]:
        files = (path for path in (lab.folder(address) / "data").rglob("*") if path.is_file())
        return {str(path) for path in files}

    before = stored()
    asyncio.run(through())
    first = stored()
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert {digest in path for path in first - before} == {True}
    asyncio.run(through())
    assert stored() == first
    assert list((lab.folder(address) / UPLOADS).glob("*")) == []
