"""The agent's process: its options, a single run, and what it answers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from localregistry.agent import app
from localregistry.agent.server import Server
from localregistry.trust import NodeReason, Report, Task, TrustDocument

from .looplab import RUNTIME
from .standins import registry


def _get(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_status_and_health_are_served() -> None:
    report = Report("r", RUNTIME)
    routes = {
        "/status": lambda: (200, "application/json", report.to_json()),
        "/healthz": lambda: (503, "text/plain", "stalled\n"),
    }
    with Server("127.0.0.1", 0, routes) as server:
        server.start()
        answer = _get(server.port, b"GET /status?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert Report.from_json(body) == report
        assert _get(server.port, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503")
        assert _get(server.port, b"GET /etc/passwd HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404")
        assert _get(server.port, b"POST /status HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405")
        assert _get(server.port, b"\xff\xff\r\n\r\n") == b""
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        assert _get(server.port, b"GET /status HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
        for connection in slow:
            connection.close()


def test_once_without_a_task_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        *("--once", "--host-root", str(tmp_path), "--trust-file", str(tmp_path / "trust.json")),
        *("--task-file", str(tmp_path / "task")),
    ]
    assert app.main(arguments) == 2
    assert "task" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_once_prints_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = TrustDocument((registry(),))
    (tmp_path / "trust.json").write_text(document.to_json())
    (tmp_path / "task").write_text(Task(document.revision, "rkt://1.30").to_json())
    arguments = [
        *("--once", "--host-root", str(tmp_path), "--trust-file", str(tmp_path / "trust.json")),
        *("--task-file", str(tmp_path / "task")),
    ]
    assert app.main(arguments) == 1
    report = Report.from_json(capsys.readouterr().out)
    assert report.revision == document.revision
    assert report.exceptions["u1"].reason is NodeReason.UNSUPPORTED


def test_a_bad_port_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app.main(["--port", "70000"])
    assert caught.value.code == 2
    assert "'70000' is not a port" in capsys.readouterr().err


def test_options_fall_back_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALREGISTRY_TRUST_FILE", "/x")
    options = app.read_options(["--host-root", "/y"])
    assert (options.trust_file, options.host_root, options.port) == ("/x", "/y", 9808)


@pytest.mark.parametrize("port", [None, "1234"])
def test_without_a_command_line_the_options_are_the_same(
    monkeypatch: pytest.MonkeyPatch, port: str | None
) -> None:
    monkeypatch.setenv("LOCALREGISTRY_STATE_DIR", "/z")
    if port:
        monkeypatch.setenv("LOCALREGISTRY_PORT", port)
    assert vars(app.read_options([])) == vars(app.parser().parse_args([]))
    assert app.read_options([]).port == int(port or 9808)
