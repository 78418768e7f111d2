"""What the real ingress-nginx does with the Ingress: TLS, other ports, slow and large pushes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import blobs, tempfiles
from e2e.cluster import REGISTRIES, Cluster, say, wait_until
from e2e.fronts import answers, certificate, forwarded, pushed, pushed_slowly
from e2e.pushes import REPOSITORY, Refused, Way, push

HOST = "ingress.example.internal"
SECRET = "registry-tls"
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


@pytest.fixture
def secret(clean: Cluster, tmp_path: Path) -> str:
    """A certificate that nobody trusts, as most have it inside."""
    key, pem = certificate(HOST, tmp_path)
    clean.kubectl("delete", "secret", SECRET, "-n", REGISTRIES, "--ignore-not-found")
    pair = (f"--key={key}", f"--cert={pem}")
    clean.kubectl("create", "secret", "tls", SECRET, "-n", REGISTRIES, *pair)
    return SECRET


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


@pytest.mark.ux
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
