"""Small images pushed by a client outside the cluster, about five a second, while something else
goes on; and whether all that was acknowledged is there afterwards."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import socket
import ssl
import tarfile
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

REPOSITORY = "pushed/image"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER_BYTES = 64 << 10
TIMEOUT = 10


class Refused(Exception):
    """An answer that acknowledges nothing."""


@dataclass(frozen=True)
class Way:
    """Where a client connects to, and by which `name[:port]` it asks; `tls` without a check."""

    address: str
    port: int
    host: str
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def connect(self, timeout: float = TIMEOUT) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.address, self.port, timeout=timeout)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=timeout)
        # The controller picks the certificate by the name in the hello, which is not the address.
        raw = socket.create_connection((self.address, self.port), timeout)
        connection.sock = context.wrap_socket(raw, server_hostname=self.host.partition(":")[0])
        return connection

    def ask(
        self, method: str, path: str, body: bytes = b"", *, expected: int, kind: str = ""
    ) -> tuple[dict[str, str], bytes]:
        """Headers (names in lower case) and body. Raises Refused or OSError."""
        connection = self.connect()
        headers = {"Host": self.host, "Accept": MANIFEST}
        if kind:
            headers["Content-Type"] = kind
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise Refused(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status != expected:
            raise Refused(f"{method} {path}: {answer.status} {text[:200]!r}")
        return {name.lower(): value for name, value in answer.getheaders()}, text

    def upload(self) -> str:
        """Begins one; the path to go on at. Raises Refused where it leads away from this name."""
        start = f"/v2/{REPOSITORY}/blobs/uploads/"
        headers, _ = self.ask("POST", start, expected=202)
        where = urllib.parse.urlsplit(urllib.parse.urljoin(self.url + start, headers["location"]))
        if f"{where.scheme}://{where.netloc}" != self.url:
            raise Refused(f"{self.url} leads to {headers['location']}")
        return f"{where.path}?{where.query}" if where.query else f"{where.path}?"


@dataclass
class Pushes:
    """`acknowledged`: the digest of each tag whose manifest was answered 201; `failed`: words."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@contextmanager
def pushing(way: Way) -> Iterator[Pushes]:
    """Pushes until the block ends, whatever becomes of each one."""
    pushes, stop = Pushes(), threading.Event()

    def loop() -> None:
        number = 0
        while not stop.wait(0.2):
            number += 1
            try:
                pushes.acknowledged[f"t{number}"] = push(way, f"t{number}")
            except (OSError, Refused) as error:
                pushes.failed.append(str(error))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield pushes
    finally:
        stop.set()
        thread.join(4 * TIMEOUT)


def push(way: Way, tag: str, *, size: int = LAYER_BYTES) -> str:
    """A layer and a config that nobody has pushed before, and their manifest; its digest."""
    layer = _layer(size)
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer)]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _described("application/vnd.oci.image.config.v1+json", way, config),
        "layers": [_described("application/vnd.oci.image.layer.v1.tar", way, layer)],
    }
    text = json.dumps(body).encode()
    way.ask("PUT", f"/v2/{REPOSITORY}/manifests/{tag}", text, expected=201, kind=MANIFEST)
    return digest_of(text)


def lost(way: Way, pushes: Pushes) -> list[str]:
    """A line for each acknowledged push of which anything is not there, or is not what it was."""
    lines = []
    for tag, digest in pushes.acknowledged.items():
        try:
            _, text = way.ask("GET", f"/v2/{REPOSITORY}/manifests/{tag}", expected=200)
            parts = {digest: text}
            body = json.loads(text)
            for part in (body["config"], *body["layers"]):
                path = f"/v2/{REPOSITORY}/blobs/{part['digest']}"
                parts[part["digest"]] = way.ask("GET", path, expected=200)[1]
        except (OSError, Refused) as error:
            lines.append(f"{tag}: {error}")
            continue
        lines += [f"{tag}: {one}" for one, text in parts.items() if digest_of(text) != one]
    return lines


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(size: int) -> bytes:
    """An archive with one file of so many bytes, which both runtimes can unpack."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("content")
        member.size = size
        tar.addfile(member, io.BytesIO(os.urandom(size)))
    return archive.getvalue()


def _described(kind: str, way: Way, content: bytes) -> dict[str, object]:
    digest = digest_of(content)
    path = f"{way.upload()}&digest={urllib.parse.quote(digest)}"
    way.ask("PUT", path, content, expected=201, kind="application/octet-stream")
    return {"mediaType": kind, "digest": digest, "size": len(content)}
