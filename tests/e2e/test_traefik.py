"""What Traefik does with the operator's Ingress, whose annotations it reads as ingress-nginx would.

It runs beside the cluster's own controller, on the ports of a worker, while these tests do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import tempfiles
from e2e.cluster import Cluster, Node, run_kind, wait_until
from e2e.fronts import (
    LEFT_BYTES,
    forwarded,
    kept_of_a_large_layer,
    pushed,
    pushed_slowly,
    redirect,
    tls_secret,
    way_to,
)
from e2e.pushes import Way

HOST = "traefik.example.internal"
SECRET = "traefik-tls"
SLOW_SECONDS = 600
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
    return way_to(clean, node, HOST)


def test_traefik_leads_back_to_the_name_and_port_that_the_client_asked(
    clean: Cluster, way: Way, tmp_path: Path
) -> None:
    pushed(way)  # which a redirect to https would refuse
    with forwarded(way.address, way.port) as port:
        pushed(replace(way, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))

    secret = tls_secret(clean, SECRET, HOST, tmp_path)
    spec = {"className": "traefik", "tls": {"secretName": secret}}
    clean.apply_registry("dev", host=HOST, ingress=spec)
    behind_tls = replace(way, port=443, tls=True)

    # With TLS a redirect is wanted, and tells that the change has come to it.
    moved = f"https://{HOST}/v2"
    wait_until(lambda: redirect(way).startswith(moved), timeout=30, what="the redirect to https")
    pushed(behind_tls)
    with forwarded(way.address, 443) as port:
        pushed(replace(behind_tls, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"]["summary"] == "3/3", "nodes go by the Service"


def test_traefik_waits_for_a_client_of_ten_kilobytes_a_second(way: Way) -> None:
    # Its own limit is 60 s, which its user lifts at its entry points and no Ingress can.
    assert pushed_slowly(way, SLOW_SECONDS) >= SLOW_SECONDS


def test_traefik_keeps_nothing_of_a_layer_of_five_gigabytes(way: Way, node: Node) -> None:
    assert kept_of_a_large_layer(way, tempfiles.Watched(node, FILES)) < LEFT_BYTES
