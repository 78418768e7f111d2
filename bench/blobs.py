"""One layer pushed or pulled as a container runtime does it, and timed. Standard library only: it
runs in a pod, as the text of this file.

    blobs.py push ADDRESS PORT HOST MIB     blobs.py pull ADDRESS PORT HOST DIGEST

Prints JSON: `digest`, `bytes` and `seconds`. The content is made, and its digest taken, before the
clock runs; a pull is counted but not digested, so that the client is no part of what is measured.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Iterator

MIB = 1 << 20
REPOSITORY = "bench/layer"


def push(address: str, port: int, host: str, mib: int) -> dict[str, object]:
    """POST, one PATCH with all of it, PUT: what docker and containerd do."""
    # Another layer each time: a registry writes nothing twice.
    block = os.urandom(MIB)
    total = hashlib.sha256()
    for _ in range(mib):
        total.update(block)
    digest = f"sha256:{total.hexdigest()}"
    started = time.monotonic()
    connection = http.client.HTTPConnection(address, port, timeout=600)
    headers = {"Host": host, "Content-Length": "0"}
    where = _ask(connection, "POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers, 202)
    headers["Content-Length"] = str(mib * MIB)
    where = _ask(connection, "PATCH", where, headers, 202, (block for _ in range(mib)))
    headers["Content-Length"] = "0"
    joint = "&" if "?" in where else "?"
    _ask(connection, "PUT", f"{where}{joint}digest={urllib.parse.quote(digest)}", headers, 201)
    seconds = time.monotonic() - started
    connection.close()
    return {"digest": digest, "bytes": mib * MIB, "seconds": seconds}


def pull(address: str, port: int, host: str, digest: str) -> dict[str, object]:
    buffer, count = memoryview(bytearray(MIB)), 0
    started = time.monotonic()
    connection = http.client.HTTPConnection(address, port, timeout=600)
    connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}", headers={"Host": host})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"GET {digest}: {answer.status} {answer.read(300)!r}")
    expected = int(answer.headers["Content-Length"])
    while got := answer.readinto(buffer):
        count += got
    seconds = time.monotonic() - started
    connection.close()
    if count != expected:
        raise SystemExit(f"GET {digest}: {count} bytes of {expected}")
    return {"digest": digest, "bytes": count, "seconds": seconds}


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    where: str,
    headers: dict[str, str],
    expected: int,
    body: Iterator[bytes] | None = None,
) -> str:
    """The path of the answer's Location."""
    connection.request(method, where, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != expected:
        raise SystemExit(f"{method} {where}: {answer.status} {text[:300]!r}")
    location = urllib.parse.urlsplit(answer.headers.get("Location", ""))
    return location.path + (f"?{location.query}" if location.query else "")


if __name__ == "__main__":
    _, what, where_to, number, name, last = sys.argv
    if what == "push":
        found = push(where_to, int(number), name, int(last))
    else:
        found = pull(where_to, int(number), name, last)
    print(json.dumps(found))
