"""The GET at the Ingress: what it announces, and what the answers mean."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from localregistry.commands import frontdoor
from unit.commands.examples import registry

pytestmark = pytest.mark.ux

INGRESS = {"spec": {}, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}}
NOWHERE = "registry.example.invalid"


class Door(http.server.ThreadingHTTPServer):
    """An Ingress controller: refuses what announces more than `limit` bytes, as nginx does."""

    daemon_threads = True

    def __init__(self) -> None:
        self.limit = 1 << 40
        self.waits = False
        self.seen: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Door

    def handle_expect_100(self) -> bool:
        return True

    def do_GET(self) -> None:
        announced = int(self.headers["Content-Length"] or 0)
        self.server.seen.append((self.command, self.path, self.headers["Host"]))
        if self.server.waits and announced:
            self.rfile.read(1)
            return
        self.send_response(413 if announced > self.server.limit else 200)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def door() -> Iterator[Door]:
    server = Door()
    yield server
    server.shutdown()
    server.server_close()


def knock(door: Door, *, host: str = NOWHERE, ingress: Any = INGRESS) -> frontdoor.Answer:
    return frontdoor.knock(registry({"host": host}), ingress, port=door.server_address[1])


def test_a_name_that_does_not_resolve_is_asked_for_at_the_ingress_itself(door: Door) -> None:
    answer = knock(door)
    assert answer == frontdoor.Answer((), "127.0.0.1", 200, is_registry=True)
    assert door.seen == [("GET", "/v2/", NOWHERE)]


def test_a_limit_of_the_body_is_found_without_sending_one(door: Door) -> None:
    door.limit = 1 << 20
    assert knock(door).status == 413


def test_what_waits_for_the_body_is_asked_without_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontdoor, "SECONDS", 0.3)
    door.waits = True
    assert knock(door) == frontdoor.Answer((), "127.0.0.1", 200, is_registry=True)
    assert len(door.seen) == 2


def test_a_name_that_resolves_is_asked_where_it_leads(door: Door) -> None:
    nowhere: dict[str, Any] = {"spec": {}, "status": {}}
    assert knock(door, host="localhost", ingress=nowhere).addresses
    assert knock(door, ingress=nowhere) == frontdoor.Answer(())


def test_with_a_certificate_nothing_is_asked(door: Door) -> None:
    knock(door, ingress=INGRESS | {"spec": {"tls": [{}]}})
    assert door.seen == []


def test_where_nothing_answers_the_words_say_why() -> None:
    server = Door()
    server.shutdown()
    server.server_close()
    answer = knock(server)
    assert answer.status == 0
    assert "refused" in answer.words
