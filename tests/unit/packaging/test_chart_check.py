"""What `helm test` runs: it asks a real server, and tells what is not as it should be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType

import pytest

from localregistry.controller.metrics import Metrics
from localregistry.version import VERSION

METRICS = Metrics().render()[0].decode()
GOOD = {"/healthz": (200, "ok"), "/readyz": (200, "ok"), "/metrics": (200, METRICS)}


@contextmanager
def served(answers: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answers.get(self.path, (404, "nothing"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def check(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("manifests/chart/files/check.py")


def test_an_operator_that_is_well_passes(check: ModuleType) -> None:
    with served(GOOD) as base:
        assert check.main(base, VERSION, 0) == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"/healthz": (500, "a key has been waiting")}, "/healthz: 500 a key has been waiting"),
        ({"/readyz": (503, "waiting for the CRD")}, "/readyz: 503 waiting for the CRD"),
        ({"/metrics": (200, METRICS.replace(VERSION, "0.0.9"))}, f"not of version {VERSION}"),
        ({"/metrics": (404, "")}, "/metrics: "),
    ],
    ids=["unhealthy", "not ready", "of another version", "without metrics"],
)
def test_an_operator_that_is_not_is_told(
    check: ModuleType,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, tuple[int, str]],
    told: str,
) -> None:
    with served(GOOD | change) as base:
        assert check.main(base, VERSION, 0) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert told in line


def test_an_operator_that_nobody_reaches_is_told(
    check: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(GOOD) as base:
        pass
    assert check.main(base, VERSION, 0) == 1
    assert len(capsys.readouterr().out.splitlines()) == 3
