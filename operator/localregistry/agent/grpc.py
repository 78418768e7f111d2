"""One unary gRPC call over a Unix socket. Runs only in the short-lived helper process: h2 and what
it imports cost memory that an idle agent shall not hold."""

from __future__ import annotations

import socket
import time
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events

DEADLINE_EXCEEDED, UNAVAILABLE, UNKNOWN = 4, 14, 2

# The answers read here are a few KB; containerd's verbose status some tens.
MAX_ANSWER = 4 << 20


class CallError(Exception):
    """The call failed; `code` is gRPC's, `message` the server's own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Channel:
    """One HTTP/2 connection, one call at a time."""

    def __init__(self, path: str, *, connect_seconds: float = 2.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(connect_seconds)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise CallError(UNAVAILABLE, f"{path}: {error.strerror or error}") from error
        self._http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self._http.initiate_connection()

    def call(self, method: str, request: bytes, *, seconds: float) -> bytes:
        """The answer's message. `method` is `/package.Service/Method`. Raises CallError."""
        deadline = time.monotonic() + seconds
        stream = self._http.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", f"{int(seconds * 1000)}m"),
        ]
        self._http.send_headers(stream, headers)
        # Requests are far below the initial window of 64 KiB.
        self._http.send_data(
            stream, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True
        )
        body, answer = self._exchange(stream, deadline)
        status = answer.get("grpc-status", "")
        if status != "0":
            words = unquote(answer.get("grpc-message", "")) or f"HTTP {answer.get(':status')}"
            raise CallError(int(status) if status.isdigit() else UNKNOWN, words)
        if len(body) < 5 or body[0] != 0:
            raise CallError(UNKNOWN, "the answer is not one uncompressed message")
        return body[5 : 5 + int.from_bytes(body[1:5], "big")]

    def close(self) -> None:
        self._socket.close()

    def _exchange(self, stream: int, deadline: float) -> tuple[bytes, dict[str, str]]:
        body = bytearray()
        headers: dict[str, str] = {}
        while True:
            try:
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                self._socket.sendall(self._http.data_to_send())
                data = self._socket.recv(65536)
                events = self._http.receive_data(data)
            except TimeoutError as error:
                raise CallError(DEADLINE_EXCEEDED, "no answer in time") from error
            except OSError as error:
                raise CallError(UNAVAILABLE, str(error.strerror or error)) from error
            except h2.exceptions.ProtocolError as error:
                raise CallError(UNAVAILABLE, f"not HTTP/2: {error}") from error
            for event in events:
                match event:
                    case h2.events.DataReceived(data=chunk, flow_controlled_length=length):
                        body += chunk or b""
                        self._http.acknowledge_received_data(length, stream)
                    case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                        headers |= {_text(k): _text(v) for k, v in event.headers or ()}
                    case h2.events.StreamEnded():
                        return bytes(body), headers
                    case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                        raise CallError(UNAVAILABLE, "the runtime ended the call")
            if not data or len(body) > MAX_ANSWER:
                raise CallError(UNAVAILABLE, "the runtime closed the connection")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
