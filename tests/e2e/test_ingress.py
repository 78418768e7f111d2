"""What the real ingress-nginx does with the Ingress: TLS, other ports, slow and large pushes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import tempfiles
from e2e.cluster import Cluster, wait_until
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
from e2e.pushes import REPOSITORY, Refused, Way, push

HOST = "ingress.example.internal"
SECRET = "registry-tls"
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
    return way_to(cluster, node, HOST)


@pytest.fixture
def secret(clean: Cluster, tmp_path: Path) -> str:
    """A certificate that nobody trusts, as most have it inside."""
    return tls_secret(clean, SECRET, HOST, tmp_path)


def test_locations_lead_back_to_the_name_and_port_that_the_client_asked(
    clean: Cluster, way: Way, secret: str
) -> None:
    pushed(way)  # which a redirect to https would refuse
    with forwarded(way.address, way.port) as port:
        pushed(replace(way, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))

    clean.apply_registry("dev", host=HOST, ingress={"tls": {"secretName": secret}})
    behind_tls = replace(way, port=443, tls=True)

    # With TLS the controller's own redirect is wanted, and tells that the change has come to it.
    # It leaves a slash at the end out.
    moved = f"https://{HOST}/v2"
    wait_until(lambda: redirect(way) == moved, timeout=30, what="the redirect to https")
    pushed(behind_tls)
    with forwarded(way.address, 443) as port:
        pushed(replace(behind_tls, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"]["summary"] == "3/3", "nodes go by the Service"
    assert clean.status("dev")["url"] == f"https://{HOST}"


@pytest.mark.ux
@pytest.mark.long
def test_people_see_the_page_where_docker_finds_the_registry(clean: Cluster, way: Way) -> None:
    wait_until(lambda: shows(way, page=True), timeout=30, what="the page")
    headers, _ = way.ask("GET", "/", expected=200)
    assert "default-src 'none'" in headers["content-security-policy"]
    for path in ("/page.css", "/page.js", "/icon.svg"):
        way.ask("GET", path, expected=200)
    for path in ("/v2", "/v2/"):
        headers, _ = way.ask("GET", path, expected=200 if path.endswith("/") else 301)
        assert "content-security-policy" not in headers, "the engine answers"
    push(way, "seen")

    def screen() -> Any:
        return json.loads(way.ask("GET", "/tags?search=:seen", expected=200)[1])

    # A list of before serves for ten seconds, and the counts come with the operator's question.
    wait_until(lambda: screen()["matching"] == 1, timeout=30, what="the tag")
    everyone = {"ready": 3, "desired": 3}
    wait_until(lambda: screen()["nodes"] == everyone, timeout=60, what="the counts")
    [row] = screen()["tags"]
    assert (row["repository"], row["tag"], row["size"] > 0) == (REPOSITORY, "seen", True)
    assert not [node.name for node in clean.nodes() if node.name in json.dumps(screen())]

    clean.apply_registry("dev", host=HOST, page={"enabled": False})
    wait_until(lambda: shows(way, page=False), timeout=30, what="the page to go")
    pushed(way)


def shows(way: Way, *, page: bool) -> bool:
    """Whether / answers, and with the page or without. Between the two the controller may know of
    the Service's port and not yet of the path, and says 503."""
    try:
        return (b"<!doctype html>" in way.ask("GET", "/", expected=200)[1]) is page
    except (OSError, Refused):
        return False


@pytest.mark.long
@pytest.mark.parametrize("seconds", [pytest.param(5, id="5 s"), pytest.param(600, id="10 min")])
def test_a_client_of_ten_kilobytes_a_second_is_waited_for(way: Way, seconds: int) -> None:
    assert pushed_slowly(way, seconds) >= seconds


@pytest.mark.long
def test_a_layer_of_five_gigabytes_leaves_nothing_in_the_controller(
    clean: Cluster, way: Way
) -> None:
    node = next(node for node in clean.nodes() if "control-plane" in node.name)
    assert kept_of_a_large_layer(way, tempfiles.Watched(node)) < LEFT_BYTES


@pytest.mark.long
def test_without_a_controller_people_are_told_and_nodes_pull(clean: Cluster) -> None:
    clean.kubectl("apply", "-f", "-", input=NOBODYS_CLASS)
    try:
        clean.apply_registry("dev", host=HOST, ingress={"className": "nobodys"})
        clean.wait_ready("dev")
        assert clean.status("dev")["nodes"]["summary"] == "3/3"
        wait_until(
            lambda: clean.condition("dev", "Exposed")["reason"] == "IngressNotAdmitted",
            timeout=90,
            what="the word",
        )
        assert "class nobodys" in clean.condition("dev", "Exposed")["message"]
        clean.wait_ready("dev")
    finally:
        clean.kubectl("delete", "ingressclass", "nobodys")
    clean.apply_registry("dev", host=HOST, ingress={"className": "nginx"})
    pushed(served(clean))
