"""What every Ingress controller is asked to do with a push."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import blobs, tempfiles
from e2e.cluster import REGISTRIES, Cluster, Node, say, wait_until
from e2e.pushes import REPOSITORY, Pushes, Refused, Way, lost, push

# A tenth of a second's part of 10 KB/s.
SLOW_BYTES, SLOW_PAUSE = 1024, 0.1
# 5 GB, and what may be of its being under way: a controller writes its log.
LARGE_MIB, LEFT_BYTES = 5 << 10, 4 << 20


def answers(way: Way) -> bool:
    """Whether the registry is what answers."""
    try:
        way.ask("GET", "/v2/", expected=200)
    except (OSError, Refused):
        return False
    return True


def way_to(cluster: Cluster, node: Node, host: str) -> Way:
    """By http, through the controller on this node, once the registry answers there."""
    addresses = cluster.get("node", node.name)["status"]["addresses"]
    address = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    way = Way(str(address), 80, host)
    wait_until(lambda: answers(way), timeout=30, what=f"the controller on {node.name} to serve it")
    return way


def redirect(way: Way) -> str:
    """Where the API's root is redirected to; "": it is not."""
    try:
        headers, _ = way.ask("GET", "/v2/", expected=308)
    except Refused:
        return ""
    return headers["location"]


def tls_secret(cluster: Cluster, name: str, host: str, folder: Path) -> str:
    """Its name; with a certificate that nobody trusts, made anew."""
    key, found = certificate(host, folder)
    cluster.kubectl("delete", "secret", name, "-n", REGISTRIES, "--ignore-not-found")
    pair = (f"--key={key}", f"--cert={found}")
    cluster.kubectl("create", "secret", "tls", name, "-n", REGISTRIES, *pair)
    return name


def kept_of_a_large_layer(way: Way, watched: tempfiles.Watched) -> int:
    """Bytes that the controller has kept at most while LARGE_MIB were pushed, all of them there."""
    with watched:
        done = blobs.push(way.address, way.port, way.host, LARGE_MIB)
    path = f"/v2/{blobs.REPOSITORY}/blobs/{done['digest']}"
    headers, _ = way.ask("HEAD", path, expected=200)
    assert int(headers["content-length"]) == LARGE_MIB * blobs.MIB
    most = watched.most.total - watched.before.total
    say(f"5 GiB in {done['seconds']:.0f} s; {most} bytes kept, {watched.samples} looks")
    assert watched.samples > 10
    return most


def pushed(way: Way) -> None:
    """A push that follows each Location to the letter, and all of it is there."""
    tag = "tls" if way.tls else "plain"
    assert lost(way, Pushes({tag: push(way, tag)})) == []


def pushed_slowly(way: Way, seconds: float) -> float:
    """A layer at 10 KB/s, which is then there whole; the seconds that it took.

    Raises Refused, OSError or http.client's where it is cut off.
    """
    content = [os.urandom(SLOW_BYTES) for _ in range(int(seconds / SLOW_PAUSE))]
    digest = f"sha256:{hashlib.sha256(b''.join(content)).hexdigest()}"
    connection = way.connect(timeout=60)
    connection.putrequest("PUT", f"{way.upload()}&digest={digest}", skip_host=True)
    connection.putheader("Host", way.host)
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(SLOW_BYTES * len(content)))
    connection.endheaders()
    started = time.monotonic()
    for block in content:
        connection.send(block)
        time.sleep(SLOW_PAUSE)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 201:
        raise Refused(f"after {time.monotonic() - started:.0f} s: {answer.status} {text[:200]!r}")
    took = time.monotonic() - started
    _, found = way.ask("GET", f"/v2/{REPOSITORY}/blobs/{digest}", expected=200)
    assert found == b"".join(content)
    return took


@contextmanager
def forwarded(address: str, port: int) -> Iterator[int]:
    """A port of this machine that leads there, as a NAT or a tunnel does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def accept() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            behind = socket.create_connection((address, port), 10)
            for pair in ((client, behind), (behind, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def certificate(host: str, folder: Path) -> tuple[Path, Path]:
    """Key and certificate that nobody trusts, as most have them inside."""
    key, found = folder / "tls.key", folder / "tls.crt"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    command += ["-keyout", str(key), "-out", str(found)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return key, found
