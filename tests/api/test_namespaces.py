"""A namespace that is deleted with LocalRegistries in it, by the real namespace controller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab, open_lab
from api.processes import wait_until

# The bar.
SECONDS = 60
REGISTRIES = ("one", "two", "three")
# What one of them may cost. Its children may go before it does, and are asked for until it is
# going too: a full run of a dozen requests, twice. While nodes withdraw it is looked at ten times
# in the first 10 s (0.3 s, and then a quarter of that time later), and gone.
MOST_REQUESTS = 2 * 12 + 10
# A node that never answers is waited for another 20 s: five looks more.
MOST_REQUESTS_SILENT = MOST_REQUESTS + 5
QUIET_SECONDS = 10


@pytest.fixture
def api(api_with_controllers: ApiServer) -> ApiServer:
    return api_with_controllers


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    """Three registries that two nodes trust."""
    for opened in open_lab(api, namespace):
        opened.add_node("node-a")
        opened.add_node("node-b")
        opened.start_operator()
        for name in REGISTRIES:
            opened.apply(name)
            opened.bring_up(name)
        for name in REGISTRIES:
            opened.wait_for(name, "Ready", "Ready", timeout=30)
        yield opened


def gone(lab: Lab) -> bool:
    return lab.api.request("GET", f"/api/v1/namespaces/{lab.namespace}")[0] == 404


def delete_namespace(lab: Lab) -> float:
    """When it was asked for."""
    started = time.monotonic()
    assert lab.api.request("DELETE", f"/api/v1/namespaces/{lab.namespace}")[0] == 200
    return started


def requests(lab: Lab, since: float) -> Counter[str]:
    """The operator's requests to this namespace: verbs and resources, and how often."""
    return Counter(
        f"{event['verb']} {event['objectRef']['resource']}"
        for event in lab.requests(since)
        if (event.get("objectRef") or {}).get("namespace") == lab.namespace
    )


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(False, id="all answer"),
        pytest.param(True, id="a node is silent", marks=pytest.mark.long),
    ],
)
def test_a_namespace_goes_within_a_minute_and_costs_few_requests(lab: Lab, silent: bool) -> None:
    lab.nodes["node-b"].silent = silent
    started = delete_namespace(lab)
    wait_until(lambda: gone(lab), timeout=SECONDS, what="the namespace to go")
    ended = time.monotonic()
    assert lab.trusted().registries == ()
    time.sleep(QUIET_SECONDS)
    found = requests(lab, started)
    most = MOST_REQUESTS_SILENT if silent else MOST_REQUESTS
    assert sum(found.values()) <= most * len(REGISTRIES), found
    # What was on its way when the namespace went is answered within a second.
    assert requests(lab, ended + 1) == Counter()


@pytest.mark.parametrize("held", ["localregistry", "configmap"])
def test_a_namespace_that_somebody_else_holds_up_is_left_in_peace(lab: Lab, held: str) -> None:
    """By a finalizer that its owner does not take away: on a LocalRegistry, on anything else."""
    path = f"{PATHS['configmap'].format(namespace=lab.namespace)}"
    if held == "configmap":
        assert lab.api.request("POST", path, {"metadata": {"name": "theirs"}})[0] == 201
        path += "/theirs"
    else:
        path = f"{PATHS[LREG].format(namespace=lab.namespace)}/two"
    code, body = lab.api.request("GET", path)
    assert code == 200
    finalizers = [*body["metadata"].get("finalizers", ()), "example.com/theirs"]
    merge = "application/merge-patch+json"
    patch = {"metadata": {"finalizers": finalizers}}
    assert lab.api.request("PATCH", path, patch, content_type=merge)[0] == 200
    started = delete_namespace(lab)
    try:
        wait_until(lambda: lab.trusted().registries == (), timeout=SECONDS, what="the trust to go")

        def left() -> list[str]:
            _, found = lab.api.request("GET", PATHS[LREG].format(namespace=lab.namespace))
            return [
                item["metadata"]["name"]
                for item in found["items"]
                if item["metadata"]["finalizers"] != ["example.com/theirs"]
            ]

        wait_until(lambda: left() == [], timeout=SECONDS, what="our finalizers to go")
        time.sleep(2)
        quiet = time.monotonic()
        time.sleep(QUIET_SECONDS)
        assert not gone(lab)
        assert requests(lab, quiet) == Counter(), "nothing is tried again and again"
        assert sum(requests(lab, started).values()) <= MOST_REQUESTS * len(REGISTRIES)
    finally:
        gone_finalizers = {"metadata": {"finalizers": None}}
        lab.api.request("PATCH", path, gone_finalizers, content_type=merge)
    wait_until(lambda: gone(lab), timeout=SECONDS, what="the namespace to go")
