"""What Traefik does with the operator's Ingress, whose annotations it reads as ingress-nginx would.

It runs beside the cluster's own controller, on the ports of a worker, while these tests do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import blobs, tempfiles
from e2e.cluster import REGISTRIES, Cluster, Node, run_kind, say, wait_until
from e2e.fronts import answers, certificate, forwarded, pushed, pushed_slowly
from e2e.pushes import Refused, Way

HOST = "traefik.example.internal"
SECRET = "traefik-tls"
# What the volume of a test has room for, and what may be of it under way: Traefik writes its log.
LARGE_MIB, LEFT_BYTES = 5 << 10, 4 << 20
FILES = tempfiles.script("traefik --", "traefik --")

pytestmark = [pytest.mark.long, pytest.mark.lifecycle]


@pytest.fixture(scope="module")
def node(bare_cluster: Cluster) -> Iterator[Node]:
    """Where Traefik runs."""
    run_kind("traefik")
    pods = bare_cluster.get("pods", "-n", "traefik", "--field-selector=status.phase=Running")
    [name] = {pod["spec"]["nodeName"] for pod in pods["items"]}
    yield next(node for node in bare_cluster.nodes() if node.name == name)
    run_kind("traefik", "--remove")


@pytest.fixture
def way(clean: Cluster, node: Node) -> Way:
    """By http to a registry that is Ready and Exposed by Traefik."""
    clean.apply_registry("dev", host=HOST, ingress={"className": "traefik"})
    clean.wait_ready("dev")
    clean.wait_ready("dev", condition="Exposed")
    addresses = clean.get("node", node.name)["status"]["addresses"]
    address = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    way = Way(str(address), 80, HOST)
    wait_until(lambda: answers(way), timeout=30, what="Traefik to serve it")
    return way


def test_traefik_leads_back_to_the_name_and_port_that_the_client_asked(
    clean: Cluster, way: Way, tmp_path: Path
) -> None:
    pushed(way)  # which a redirect to https would refuse
    with forwarded(way.address, way.port) as port:
        pushed(replace(way, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))

    key, pem = certificate(HOST, tmp_path)
    clean.kubectl("delete", "secret", SECRET, "-n", REGISTRIES, "--ignore-not-found")
    pair = (f"--key={key}", f"--cert={pem}")
    clean.kubectl("create", "secret", "tls", SECRET, "-n", REGISTRIES, *pair)
    spec = {"className": "traefik", "tls": {"secretName": SECRET}}
    clean.apply_registry("dev", host=HOST, ingress=spec)
    behind_tls = replace(way, port=443, tls=True)

    def redirected() -> bool:
        try:
            headers, _ = way.ask("GET", "/v2/", expected=308)
        except Refused:
            return False
        return headers["location"].startswith(f"https://{HOST}/v2")

    # With TLS a redirect is wanted, and tells that the change has come to it.
    wait_until(redirected, timeout=30, what="the redirect to https")
    pushed(behind_tls)
    with forwarded(way.address, 443) as port:
        pushed(replace(behind_tls, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"]["summary"] == "3/3", "nodes go by the Service"


def test_traefik_waits_for_a_client_of_ten_kilobytes_a_second(way: Way) -> None:
    # Its own limit is 60 s, which its user lifts at its entry points and no Ingress can.
    assert pushed_slowly(way, 90) >= 90


def test_traefik_keeps_nothing_of_a_layer_of_five_gigabytes(way: Way, node: Node) -> None:
    with tempfiles.Watched(node, FILES) as watched:
        done = blobs.push(way.address, way.port, way.host, LARGE_MIB)
    path = f"/v2/{blobs.REPOSITORY}/blobs/{done['digest']}"
    headers, _ = way.ask("HEAD", path, expected=200)
    assert int(headers["content-length"]) == LARGE_MIB * blobs.MIB
    most = watched.most.total - watched.before.total
    say(f"5 GiB in {done['seconds']:.0f} s; {most} bytes in Traefik, {watched.samples} looks")
    assert most < LEFT_BYTES
    assert watched.samples > 10
