"""`localregistry usage` as a process: what it answers, and what does not end it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.processes import free_port
from localregistry.usage import app, bounded, web
from localregistry.usage.images import MAX_MANIFEST, Images
from localregistry.usage.page import Page
from localregistry.usage.report import Kind, Usage
from localregistry.usage.tags import Tags
from unit.usage import volumes

OPERATOR = Path(__file__).resolve().parents[3] / "operator"


class Running:
    """The process over a folder."""

    def __init__(self, root: Path, *, prefix: tuple[str, ...] = ()) -> None:
        self.port, self.page_port = free_port(), free_port()
        command = [sys.executable, "-OO", "-m", "localregistry.cli", "usage", "--root", str(root)]
        self.process = subprocess.Popen(
            [
                *(*prefix, *command, "--listen", "127.0.0.1", "--port", str(self.port)),
                *("--page-port", str(self.page_port)),
            ],
            env={"PYTHONPATH": str(OPERATOR)},
            stderr=subprocess.PIPE,
        )
        for _ in range(600):
            with socket.socket() as probe:
                # The last that it listens on.
                if probe.connect_ex(("127.0.0.1", self.page_port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("it does not listen")

    def get(self, path: str = "/usage", method: str = "GET", *, port: int = 0) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{port or self.port}{path}"
        request = urllib.request.Request(url, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def screen(self) -> Any:
        """What the page shows first."""
        code, body = self.get("/tags", port=self.page_port)
        assert code == 200, body
        return json.loads(body)

    def usage(self) -> Usage:
        code, body = self.get()
        assert code == 200, body
        return Usage.from_json(body)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    blob = tmp_path / "docker/registry/v2/blobs/sha256/aa/aa11/data"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"x" * 5000)
    process = Running(tmp_path)
    yield process
    process.end()


def test_it_answers_with_the_usage_and_with_nothing_else(running: Running) -> None:
    found = running.usage()
    assert (found.kind, found.used, found.blobs) == (Kind.BLOBS, 5000, 1)
    assert found.age < 30
    assert set(json.loads(running.get()[1])) == {
        *("kind", "used", "capacity", "free", "available"),
        *("inodes", "inodes_available", "blobs", "age", "read_only"),
    }
    assert found.read_only is False
    assert running.get("/")[0] == 404
    assert running.get("/usage/../../etc/passwd")[0] == 404
    assert running.get(method="POST")[0] == 405
    assert running.get(method="DELETE")[0] == 405


def test_a_volume_that_goes_is_told_and_does_not_end_it(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    process = Running(root)
    try:
        code, body = process.get()
        assert (code, b"cannot be measured" in body) == (503, True)
        assert process.process.poll() is None
    finally:
        process.end()


def test_a_flood_of_clients_neither_ends_it_nor_fills_its_memory(running: Running) -> None:
    before = rss(running)
    held = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(200)]
    try:
        time.sleep(0.3)
        threads = Path(f"/proc/{running.process.pid}/task")
        assert len(list(threads.iterdir())) <= bounded.MAX_CLIENTS + 4
        assert rss(running) - before < 8192
    finally:
        for client in held:
            client.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert running.usage().used == 5000
            break
        except (OSError, AssertionError):
            # Closed unheard: those that were held are only just gone.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"G" * 100_000,
        b"\xff \xff\n\n",
    ],
    ids=["nothing", "blank", "half a line", "TLS", "no end of a line", "no text"],
)
def test_garbage_does_not_end_it(running: Running, bytes_sent: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", running.port))) as client:
        client.settimeout(1)
        try:
            client.sendall(bytes_sent)
            client.shutdown(socket.SHUT_WR)
            client.recv(4096)
        except OSError:
            pass
    assert running.usage().used == 5000


def rss(running: Running) -> int:
    """KiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_it_is_small(running: Running) -> None:
    running.usage()
    assert rss(running) < 24 * 1024, "the container requests 24Mi"


# The page, which is on a port of its own


def test_the_page_and_its_files_come_over_the_line(running: Running) -> None:
    for path in ("/", "/page.css", "/page.js", "/icon.svg"):
        code, body = running.get(path, port=running.page_port)
        assert (code, bool(body)) == (200, True)
    assert running.screen()["total"] == 0
    for path in ("/usage", "/v2/", "/site/index.html", "/../app.py"):
        assert running.get(path, port=running.page_port)[0] == 404
    assert running.get("/", "POST", port=running.page_port)[0] == 405


def test_the_page_says_of_the_nodes_what_the_operator_said_and_nobody_can_say_it_there(
    running: Running,
) -> None:
    assert running.screen()["nodes"] is None
    assert running.get("/usage?nodes=2/3")[0] == 200
    assert running.screen()["nodes"] == {"ready": 2, "desired": 3}
    running.get("/usage?nodes=9/9", port=running.page_port)
    running.get("/tags?nodes=9/9")
    assert running.screen()["nodes"] == {"ready": 2, "desired": 3}


def test_a_crowd_at_the_page_keeps_nobody_from_the_usage(running: Running) -> None:
    held = [socket.create_connection(("127.0.0.1", running.page_port)) for _ in range(100)]
    try:
        assert running.usage().used == 5000
        threads = Path(f"/proc/{running.process.pid}/task")
        assert len(list(threads.iterdir())) <= web.MAX_CLIENTS + bounded.MAX_CLIENTS + 4
    finally:
        for client in held:
            client.close()


def test_ten_thousand_tags_and_a_crowd_stay_far_below_the_containers_memory(
    tmp_path: Path,
) -> None:
    # Each manifest as long as is read, of a shape that takes most when it is parsed.
    longest = b'{"x":[' + b"{}," * ((MAX_MANIFEST - 20) // 3) + b"{}]}"
    digests = [volumes.blob(tmp_path, longest + b" " * spaces) for spaces in range(4)]
    volumes.many(tmp_path, 100, 100, digests)
    process = Running(tmp_path)
    try:
        assert process.screen()["total"] == 10_000  # until it is walked, others are told to wait
        with ThreadPoolExecutor(12) as crowd:
            screens = list(crowd.map(lambda _: process.screen()["total"], range(48)))
        assert screens == [10_000] * 48
        # Of 64 MiB. Its peak, since that is what the kernel would end it for.
        assert peak(process) < 48 * 1024
    finally:
        process.end()


def test_without_a_port_for_the_page_the_usage_is_told_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page(Tags(str(tmp_path)), Images(str(tmp_path)), lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert app.serve_page("127.0.0.1", port, page) is None
    assert f"no page: cannot listen on port {port}" in capsys.readouterr().err


def peak(running: Running) -> int:
    """KiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def test_sigterm_ends_it_at_once(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    # A kubelet would kill it after 30 s; Python itself takes its time on a busy machine.
    assert running.process.wait(timeout=10) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a process namespace of its own")
def test_sigterm_ends_it_as_the_first_process_of_a_container_too(tmp_path: Path) -> None:
    """The kernel keeps signals without a handler from a namespace's first process."""
    process = Running(tmp_path, prefix=("unshare", "--pid", "--fork", "--kill-child"))
    try:
        children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
        (child,) = children.read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert process.process.wait(timeout=10) == 0
    finally:
        process.end()


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = app.main(["--root", str(tmp_path), "--listen", "127.0.0.1", "--port", str(port)])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    assert code == 1
    assert f"port {port}: Address already in use" in capsys.readouterr().err


def test_without_an_address_it_answers_on_every_one() -> None:
    server = bounded.serve("", 0, {"/usage": lambda: (200, "text/plain", "yes\n")})
    server.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/usage", timeout=5) as answer:
        assert answer.read() == b"yes\n"
    server.server_close()


def test_it_imports_nothing_that_the_agents_image_does_not_have() -> None:
    code = (
        "import sys, localregistry.usage.app; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(OPERATOR)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) <= {"__main__", "localregistry"}


def test_the_options_are_those_of_the_pod_unless_given() -> None:
    assert vars(app.read_options([])) == {
        **{"root": app.ROOT, "listen": "", "port": 9810},
        "page_port": 9811,
    }
    given: Any = app.read_options(["--port", "1"])
    assert (given.root, given.listen, given.port) == (app.ROOT, "", 1)
