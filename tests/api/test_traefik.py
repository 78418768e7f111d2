"""What Traefik's provider for ingress-nginx's annotations does with the operator's Ingress."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from api import objects, traefiks
from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.traefiks import Traefik
from bench import blobs
from e2e.fronts import certificate, forwarded, pushed, pushed_slowly, redirect
from e2e.pushes import Refused
from localregistry.commands import frontdoor

HOST = "traefik.example.internal"
CHILD = "dev-registry"
INGRESS = {"className": traefiks.CLASS}
# What its documentation gives for an entry point's limit of a whole request, and how it is lifted.
LIMIT_SECONDS = 60
LIFTED = "--entrypoints.web.transport.respondingtimeouts.readtimeout=0"
# Less than that limit, and long enough to tell a cut from a slow machine.
READ_SECONDS = 20
# More than a machine's memory would be given for it, and what may be of it under way.
LARGE_MIB, LEFT_BYTES = 2 << 10, 4 << 20

pytestmark = [pytest.mark.long, pytest.mark.lifecycle]


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for lab in open_lab(api, namespace):
        lab.start_operator()
        lab.apply("dev", host=HOST, ingress=INGRESS)
        yield lab
        # No garbage collector runs here, and the next test asks for the same host.
        objects.delete(api, f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{CHILD}")


@pytest.fixture
def options() -> list[str]:
    return [LIFTED]


@pytest.fixture
def front(lab: Lab, options: list[str]) -> Iterator[Traefik]:
    with traefiks.traefik(lab, options) as found, traefiks.engine(lab, "dev", found.address):
        traefiks.wait_served(found.way(HOST))
        yield found


def test_traefik_leads_back_to_the_name_and_port_that_the_client_asked(
    lab: Lab, front: Traefik, tmp_path: Path
) -> None:
    way = front.way(HOST)
    pushed(way)  # which a redirect to https would refuse
    pushed(replace(way, host=HOST))
    with forwarded(way.address, way.port) as port:
        pushed(replace(way, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))
    lab.wait_for("dev", "Exposed", "IngressAdmitted", status="True")
    body, ingress = lab.get(LREG, "dev"), lab.get("ingress", "dev-registry")
    knocked = frontdoor.knock(body, ingress, port=front.port)
    assert (knocked.asked, knocked.is_registry) == (front.address, True), "as doctor asks"

    key, pem = certificate(HOST, tmp_path)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pair", "namespace": lab.namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.key": key.read_text(), "tls.crt": pem.read_text()},
    }
    objects.apply(lab.api, secret)
    lab.apply("dev", host=HOST, ingress={**INGRESS, "tls": {"secretName": "pair"}})

    # With TLS a redirect is wanted, and tells that the change has come to it.
    moved = f"https://{HOST}"
    wait_until(lambda: redirect(way).startswith(moved), timeout=30, what="the redirect to https")
    behind_tls = front.way(HOST, tls=True)
    pushed(behind_tls)
    pushed(replace(behind_tls, host=HOST))
    with forwarded(front.address, front.tls_port) as port:
        pushed(replace(behind_tls, address="127.0.0.1", port=port, host=f"{HOST}:{port}"))


def test_traefik_keeps_nothing_of_a_large_layer(front: Traefik) -> None:
    most, looks, done = 0, 0, Event()

    def look() -> None:
        nonlocal most, looks
        while not done.wait(0.1):
            most, looks = max(most, front.kept()), looks + 1

    thread = Thread(target=look)
    thread.start()
    try:
        pushed_layer = blobs.push(front.address, front.port, HOST, LARGE_MIB)
    finally:
        done.set()
        thread.join()
    path = f"/v2/{blobs.REPOSITORY}/blobs/{pushed_layer['digest']}"
    headers, _ = front.way(HOST).ask("HEAD", path, expected=200)
    assert int(headers["content-length"]) == LARGE_MIB * blobs.MIB
    pulled = blobs.pull(front.address, front.port, HOST, str(pushed_layer["digest"]))
    assert pulled["bytes"] == LARGE_MIB * blobs.MIB
    print(f"{LARGE_MIB} MiB in {pushed_layer['seconds']:.0f} s; {most} bytes kept, {looks} looks")
    assert most < LEFT_BYTES
    assert looks > 10


def test_traefik_waits_for_a_slow_client_once_its_limit_is_lifted(front: Traefik) -> None:
    """Which shows too that it reads the operator's time-out of 900 s: it has one of 60 s itself."""
    assert pushed_slowly(front.way(HOST), 1.5 * LIMIT_SECONDS) >= 1.5 * LIMIT_SECONDS


@pytest.mark.parametrize("options", [pytest.param([], id="as it comes")])
def test_traefik_cuts_a_slow_client_off_unless_its_limit_is_lifted(front: Traefik) -> None:
    """What the documentation says that its user has to do; no Ingress can do it for him."""
    cut_off(front, LIMIT_SECONDS)


def test_traefik_takes_the_time_out_between_two_reads_for_that_of_a_whole_layer(
    lab: Lab, front: Traefik
) -> None:
    """With ingress-nginx it runs once the layer is sent. So 900 s are all that a layer has."""
    annotations = {"nginx.ingress.kubernetes.io/proxy-read-timeout": str(READ_SECONDS)}
    lab.apply("dev", host=HOST, ingress={**INGRESS, "annotations": annotations})

    def has_come() -> bool:
        told = lab.get("ingress", "dev-registry")["metadata"]["annotations"]
        return bool(annotations.items() <= told.items())

    wait_until(has_come, timeout=30, what="the annotation")
    time.sleep(5)  # it looks at what has changed every second or two
    cut_off(front, READ_SECONDS)


def cut_off(front: Traefik, seconds: float) -> None:
    """A client that needs twice as long is cut off after so many."""
    started = time.monotonic()
    with pytest.raises((OSError, http.client.HTTPException, Refused)):
        pushed_slowly(front.way(HOST), 2 * seconds)
    assert seconds - 5 < time.monotonic() - started < 2 * seconds + 5
