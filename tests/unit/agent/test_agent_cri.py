"""The CRI client, over a real HTTP/2 connection to a small image service."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.agent import cri, wire, words
from localregistry.agent.grpc import DEADLINE_EXCEEDED, UNAVAILABLE, CallError, Channel, _text
from localregistry.agent.helper import Call, Helper

from .standins import listen

PROBE = "registry.example.internal/localregistry-probe:1"
CONFIG, MANIFEST = "sha256:" + "c" * 64, "sha256:" + "d" * 64


class ImageService:
    """Images by name; what is pulled gets `identity`, as a containerd does it by default."""

    def __init__(self, path: Path) -> None:
        self.images: dict[str, str] = {}
        self.identity = CONFIG
        self.calls: list[tuple[str, str]] = []
        self.pull_error: tuple[int, str] | None = None
        self.removes = True
        self.silent = False
        self._socket = listen(path)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _answer(self, method: str, body: bytes) -> tuple[int, str, bytes]:
        image = wire.text(wire.first(body, 1), 1)
        self.calls.append((method, image))
        match method:
            case "Version":
                return 0, "", wire.message((1, "0.1.0"), (2, "containerd"), (3, "v1.7.24"))
            case "Status":
                info = wire.message((1, "config"), (2, "x" * 200_000))
                return 0, "", wire.message((1, b""), (2, info))
            case "ImageStatus":
                found = self.images.get(image) or (image if image in self.images.values() else "")
                return 0, "", wire.message((1, wire.message((1, found)))) if found else b""
            case "PullImage":
                if self.pull_error:
                    return *self.pull_error, b""
                self.images[image] = self.identity
                return 0, "", wire.message((1, self.identity))
            case "RemoveImage":
                if self.removes:
                    self.images = {n: i for n, i in self.images.items() if i != image}
                return 0, "", b""
        return 12, "unknown method", b""

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # A client may go while its last window update is answered.
            with connection, contextlib.suppress(OSError):
                self._converse(connection)

    def _converse(self, connection: Any) -> None:
        http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        http.initiate_connection()
        paths: dict[int, str] = {}
        bodies: dict[int, bytes] = {}
        pending: dict[int, tuple[bytes, list[tuple[str, str]]]] = {}
        while True:
            connection.sendall(http.data_to_send())
            data = connection.recv(65536)
            if not data:
                return
            for event in http.receive_data(data):
                match event:
                    case h2.events.RequestReceived(headers=headers, stream_id=stream):
                        paths[stream] = next(_text(v) for k, v in headers if _text(k) == ":path")
                    case h2.events.DataReceived(data=chunk, stream_id=stream):
                        bodies[stream] = bodies.get(stream, b"") + chunk
                    case h2.events.StreamEnded(stream_id=stream) if not self.silent:
                        code, text, message = self._answer(
                            paths[stream].rpartition("/")[2], bodies[stream][5:]
                        )
                        http.send_headers(
                            stream, [(":status", "200"), ("content-type", "application/grpc")]
                        )
                        trailers = [("grpc-status", str(code)), ("grpc-message", text)]
                        framed = b"\0" + len(message).to_bytes(4, "big") + message
                        pending[stream] = (framed if code == 0 else b"", trailers)
            for stream, (body, trailers) in list(pending.items()):
                # As much as the client's window takes.
                while body and (room := min(http.local_flow_control_window(stream), 16384)) > 0:
                    http.send_data(stream, body[:room])
                    body = body[room:]
                pending[stream] = (body, trailers)
                if not body:
                    http.send_headers(stream, trailers, end_stream=True)
                    del pending[stream]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cri.sock"


@pytest.fixture
def service(path: Path) -> Iterator[ImageService]:
    made = ImageService(path)
    yield made
    made.close()


def _probe(path: Path) -> dict[str, str]:
    return cri.probe(
        Channel(str(path)), image=PROBE, identities=frozenset({CONFIG, MANIFEST}), seconds=5
    )


def _methods(service: ImageService) -> list[str]:
    return [method for method, _ in service.calls if method != "ImageStatus"]


def test_a_probe_pulls_and_leaves_nothing(service: ImageService, path: Path) -> None:
    assert _probe(path) == {"id": CONFIG}
    assert service.images == {}
    assert _methods(service) == ["PullImage", "RemoveImage"]
    assert service.calls[-1] == ("ImageStatus", PROBE)


@pytest.mark.parametrize("name", [PROBE, "<none>"], ids=["with its name", "without a name"])
def test_what_an_earlier_probe_left_is_removed_by_its_id_first(
    service: ImageService, path: Path, name: str
) -> None:
    service.images = {name: MANIFEST, "registry.k8s.io/pause:3.10": "sha256:pause"}
    service.identity = MANIFEST
    assert _probe(path) == {"id": MANIFEST}
    assert _methods(service) == ["RemoveImage", "PullImage", "RemoveImage"]
    assert {image for method, image in service.calls if method == "RemoveImage"} == {MANIFEST}
    assert service.images == {"registry.k8s.io/pause:3.10": "sha256:pause"}


def test_an_older_image_under_the_probes_name_is_not_removed_and_does_not_hinder(
    service: ImageService, path: Path
) -> None:
    service.images = {PROBE: "sha256:older", "other": "sha256:older"}
    assert _probe(path) == {"id": CONFIG}
    assert ("RemoveImage", "sha256:older") not in service.calls
    assert service.images == {"other": "sha256:older"}


def test_another_image_from_the_registry_is_not_removed(service: ImageService, path: Path) -> None:
    service.identity = "sha256:other"
    with pytest.raises(cri.ForeignImage, match="sha256:other"):
        _probe(path)
    assert _methods(service) == ["PullImage"]


def test_a_removal_that_is_only_said_is_noticed(service: ImageService, path: Path) -> None:
    service.removes = False
    with pytest.raises(cri.NotRemoved):
        _probe(path)


def test_an_error_keeps_the_daemons_words(service: ImageService, path: Path) -> None:
    service.pull_error = (2, "dial tcp 10.96.0.7:80: connect: connection refused %25")
    with pytest.raises(CallError, match=r"connection refused %$") as caught:
        _probe(path)
    assert caught.value.code == 2


def test_silence_ends_at_the_deadline(service: ImageService, path: Path) -> None:
    service.silent = True
    with pytest.raises(CallError) as caught:
        Channel(str(path)).call(cri.RUNTIME + "Version", b"", seconds=0.05)
    assert caught.value.code == DEADLINE_EXCEEDED


def test_nobody_there_is_an_error(path: Path) -> None:
    with pytest.raises(CallError) as caught:
        Channel(str(path))
    assert caught.value.code == UNAVAILABLE


def test_an_answer_larger_than_the_window_arrives_whole(service: ImageService, path: Path) -> None:
    assert cri.status(Channel(str(path))) == {"config": "x" * 200_000}


def test_the_helper_process_speaks_for_the_agent(service: ImageService, path: Path) -> None:
    assert Helper().ask("version", path) == {"ok": {"name": "containerd", "version": "v1.7.24"}}
    assert Helper().probe(path, PROBE, CONFIG, MANIFEST).result() == {"ok": {"id": CONFIG}}
    service.pull_error = (5, "R: not found")
    error = Helper().probe(path, PROBE, CONFIG, MANIFEST).result()["error"]
    assert error == {"kind": "call", "code": 5, "message": "R: not found"}


def test_a_helper_that_hangs_is_ended(service: ImageService, path: Path) -> None:
    service.silent = True
    call = Call(["probe", str(path), PROBE, CONFIG, MANIFEST, "30"])
    assert call.result(0.3)["error"]["message"] == "no answer in time"


@pytest.mark.parametrize("argv", [[], ["nonsense", "/x"], ["probe", "/x"]])
def test_a_wrong_call_of_the_helper_is_an_error_line(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cri.main(argv) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"error"}


@given(st.lists(st.tuples(st.integers(1, 5000), st.text() | st.binary() | st.booleans())))
def test_messages_are_read_as_they_were_written(
    fields: list[tuple[int, str | bytes | bool]],
) -> None:
    data = wire.message(*fields)
    for number in {number for number, _ in fields}:
        expected = [
            value.encode() if isinstance(value, str) else value
            for at, value in fields
            if at == number and not isinstance(value, bool)
        ]
        assert list(wire.every(data, number)) == expected


@given(st.binary(max_size=40))
def test_a_damaged_message_ends(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert sum(map(len, wire.every(data, 1))) <= len(data)


FAILURES = {
    "manifest for R not found: manifest unknown: manifest unknown": ("no probe image", True),
    'failed to resolve reference "R": R: not found': ("no probe image", True),
    'Get "https://N/v2/": http: server gave HTTP response to HTTPS client': ("https", False),
    "dial tcp: lookup N on 127.0.0.11:53: no such host": ("does not resolve", False),
    "dial tcp 10.96.0.7:80: connect: connection refused": ("Nothing answers", False),
    "x509: certificate signed by unknown authority": ("certificate", False),
    "context deadline exceeded": ("kube-proxy", False),
    "net/http: request canceled (Client.Timeout exceeded)": ("kube-proxy", False),
    "write /var/lib/x: no space left on device": ("disk", False),
    "something new": ("The pull failed. something new", False),
}


@pytest.mark.parametrize(("message", "expected"), FAILURES.items(), ids=FAILURES.keys())
def test_a_failure_is_a_sentence_with_the_daemons_words(
    message: str, expected: tuple[str, bool]
) -> None:
    failure = words.failure({"kind": "call", "message": message})
    assert expected[0] in failure.sentence
    assert message in failure.sentence
    assert failure.settled is expected[1]


def test_another_image_in_the_probes_place_asks_for_the_probe_again() -> None:
    failure = words.failure({"kind": "foreign-image", "message": "R is sha256:x"})
    assert failure.settled
    assert failure.sentence.startswith("The registry answers, but has no probe image")


def test_a_hint_goes_with_failures_that_it_may_explain() -> None:
    refused = {"message": "http: server gave HTTP response to HTTPS client"}
    assert "Look there." in words.failure(refused, hint="Look there.").sentence
    missing = {"message": "manifest unknown"}
    assert "Look there." not in words.failure(missing, hint="Look there.").sentence


def test_long_words_are_cut() -> None:
    assert len(words.failure({"message": "x" * 10_000}).sentence) < 600
