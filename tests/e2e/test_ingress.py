"""What the real ingress-nginx does with the Ingress: TLS, other ports, slow and large pushes."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import blobs, tempfiles
from e2e.cluster import REGISTRIES, Cluster, say, wait_until
from e2e.pushes import REPOSITORY, Pushes, Refused, Way, lost, push

HOST = "ingress.example.internal"
SECRET = "registry-tls"
# A tenth of a second's part of 10 KB/s.
SLOW_BYTES, SLOW_PAUSE = 1024, 0.1
# 5 GB, and what may be of its being under way: nginx writes its logs.
LARGE_MIB, LEFT_BYTES = 5 << 10, 4 << 20
NOBODYS_CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "nobodys"},
    "spec": {"controller": "example.com/nobody"},
}

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def way(clean: Cluster) -> Way:
    """By http to a registry that is Ready and Exposed."""
    clean.apply_registry("dev", host=HOST)
    return served(clean)


def served(cluster: Cluster) -> Way:
    cluster.wait_ready("dev")
    cluster.wait_ready("dev", condition="Exposed")
    node = next(node for node in cluster.nodes() if "control-plane" in node.name)
    addresses = cluster.get("node", node.name)["status"]["addresses"]
    address = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    way = Way(str(address), 80, HOST)
    wait_until(lambda: answers(way), timeout=30, what="the controller to serve it")
    return way


def answers(way: Way) -> bool:
    try:
        way.ask("GET", "/v2/", expected=200)
    except (OSError, Refused):
        return False
    return True


@pytest.fixture
def secret(clean: Cluster, tmp_path: Path) -> str:
    """A certificate that nobody trusts, as most have it inside."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={HOST}",
                "-addext",
                f"subjectAltName=DNS:{HOST}",
            ),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    clean.kubectl("delete", "secret", SECRET, "-n", REGISTRIES, "--ignore-not-found")
    pair = (f"--key={key}", f"--cert={certificate}")
    clean.kubectl("create", "secret", "tls", SECRET, "-n", REGISTRIES, *pair)
    return SECRET


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


def pushed(way: Way) -> None:
    """A push that follows each Location to the letter, and all of it is there."""
    tag = "tls" if way.tls else "plain"
    assert lost(way, Pushes({tag: push(way, tag)})) == []


def test_locations_lead_back_to_the_name_and_port_that_the_client_asked(
    clean: Cluster, way: Way, secret: str
) -> None:
    pushed(way)  # which a redirect to https would refuse
    with forwarded(way.address, way.port) as port:
        pushed(replace(way, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))

    clean.apply_registry("dev", host=HOST, ingress={"tls": {"secretName": secret}})
    behind_tls = replace(way, port=443, tls=True)

    def redirected() -> bool:
        try:
            headers, _ = way.ask("GET", "/v2/", expected=308)
        except Refused:
            return False
        # The controller leaves a slash at the end out.
        return headers["location"] == f"https://{HOST}/v2"

    # With TLS the controller's own redirect is wanted, and tells that the change has come to it.
    wait_until(redirected, timeout=30, what="the redirect to https")
    pushed(behind_tls)
    with forwarded(way.address, 443) as port:
        pushed(replace(behind_tls, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"]["summary"] == "3/3", "nodes go by the Service"
    assert clean.status("dev")["url"] == f"https://{HOST}"


@pytest.mark.long
@pytest.mark.parametrize("seconds", [pytest.param(5, id="5 s"), pytest.param(600, id="10 min")])
def test_a_client_of_ten_kilobytes_a_second_is_waited_for(way: Way, seconds: int) -> None:
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
    assert answer.status == 201, answer.read()
    connection.close()
    assert time.monotonic() - started >= seconds
    _, found = way.ask("GET", f"/v2/{REPOSITORY}/blobs/{digest}", expected=200)
    assert found == b"".join(content)


@pytest.mark.long
def test_a_layer_of_five_gigabytes_leaves_nothing_in_the_controller(
    clean: Cluster, way: Way
) -> None:
    node = next(node for node in clean.nodes() if "control-plane" in node.name)
    with tempfiles.Watched(node) as watched:
        done = blobs.push(way.address, way.port, way.host, LARGE_MIB)
    path = f"/v2/{blobs.REPOSITORY}/blobs/{done['digest']}"
    headers, _ = way.ask("HEAD", path, expected=200)
    assert int(headers["content-length"]) == LARGE_MIB * blobs.MIB
    most = watched.most.total - watched.before.total
    say(
        f"5 GiB in {done['seconds']:.0f} s; {most} bytes in the controller, {watched.samples} looks"
    )
    assert most < LEFT_BYTES
    assert watched.samples > 10


@pytest.mark.long
def test_without_a_controller_people_are_told_and_nodes_pull(clean: Cluster) -> None:
    clean.kubectl("apply", "-f", "-", input=NOBODYS_CLASS)
    try:
        clean.apply_registry("dev", host=HOST, ingress={"className": "nobodys"})
        clean.wait_ready("dev")
        assert clean.status("dev")["nodes"]["summary"] == "3/3"
        wait_until(
            lambda: exposed(clean)["reason"] == "IngressNotAdmitted", timeout=90, what="the word"
        )
        assert "class nobodys" in exposed(clean)["message"]
        clean.wait_ready("dev")
    finally:
        clean.kubectl("delete", "ingressclass", "nobodys")
    clean.apply_registry("dev", host=HOST, ingress={"className": "nginx"})
    pushed(served(clean))


def exposed(cluster: Cluster) -> dict[str, str]:
    conditions = cluster.status("dev")["conditions"]
    return next(c for c in conditions if c["type"] == "Exposed")
