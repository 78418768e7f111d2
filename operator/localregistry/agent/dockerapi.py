"""What dockerd says of itself: GET requests over its Unix socket.

By hand, in HTTP/1.0: `http.client` alone would cost an idle agent 4 MiB.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# `/info` lists containers and asks runc for its version; a loaded daemon takes seconds.
SECONDS = 10.0
MAX_ANSWER = 16 << 20


class NoAnswer(Exception):
    """dockerd does not answer (yet), or not with success."""


@dataclass(frozen=True)
class Info:
    """The part of `/info` that matters here.

    `insecure` are the names and CIDRs that the *running* daemon pulls from by plain http, whatever
    its file says; `containerd_store` tells the image stores apart.
    """

    version: str
    insecure: frozenset[str]
    containerd_store: bool


def ping(path: Path) -> bool:
    """Whether the API serves. A SIGHUP before that kills a starting daemon."""
    try:
        return get(path, "/_ping").strip() == b"OK"
    except NoAnswer:
        return False


def info(path: Path) -> Info:
    """Raises NoAnswer."""
    try:
        body: dict[str, Any] = json.loads(get(path, "/info"))
        registries = body.get("RegistryConfig") or {}
        indexes = registries.get("IndexConfigs") or {}
        names = {name for name, index in indexes.items() if not index.get("Secure", True)}
        return Info(
            version=str(body["ServerVersion"]),
            insecure=frozenset(names | set(registries.get("InsecureRegistryCIDRs") or ())),
            containerd_store=["driver-type", "io.containerd.snapshotter.v1"]
            in [list(pair) for pair in body.get("DriverStatus") or ()],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAnswer(f"its answer to /info is not understood: {error!r}") from error


def get(path: Path, target: str) -> bytes:
    """The body of a successful answer. Raises NoAnswer."""
    deadline = time.monotonic() + SECONDS
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            while chunk := connection.recv(65536):
                answer += chunk
                if len(answer) > MAX_ANSWER or time.monotonic() > deadline:
                    raise NoAnswer("its answer does not end")
    except OSError as error:
        raise NoAnswer(f"{path}: {error.strerror or error}") from error
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split()
    if len(status) < 2 or status[1] != b"200":
        words = body.decode(errors="replace").strip() or head[:100].decode(errors="replace")
        raise NoAnswer(f"{target}: {words}")
    return body
