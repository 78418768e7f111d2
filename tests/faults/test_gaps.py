"""What goes, or is edited, while a watch is broken and whose event therefore never comes.

The API server is not to be reached where that kind is watched; meanwhile it happens; then it is
back and has forgotten where the watch was, as after a restart or a long outage. The operator looks
at everything unasked every ten minutes: within ten seconds only the new list can have told it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.lab import LREG, PATHS
from api.processes import wait_until
from api.standin import SYSTEM
from faults.cluster import MERGE
from faults.scenarios import START, Scenario
from faults.world import NAME, World

# R3: of a child that is deleted or edited by hand.
SECONDS = 10
CHILD = f"{NAME}-registry"
WATCHED = {
    "configmap": "/api/v1/configmaps",
    "pvc": "/api/v1/persistentvolumeclaims",
    "deployment": "/apis/apps/v1/deployments",
    "service": "/api/v1/services",
    "ingress": "/apis/networking.k8s.io/v1/ingresses",
}
# One kind goes by the same way as another: the rest in the long run.
REPAIRED = (
    "service",
    *(pytest.param(child, marks=pytest.mark.long) for child in ("configmap", "deployment")),
    pytest.param("ingress", marks=pytest.mark.long),
)
OWN = {"configmap": "node-trust", "daemonset": "node-agent"}


@pytest.fixture
def settled(world: World) -> World:
    """A registry that is well, and an operator that has nothing to do."""
    world.reset(first=False)
    world.apply(START)
    world.settle(Scenario("", None, START).settled)
    return world


@contextmanager
def gap(world: World, path: str) -> Iterator[None]:
    """Within, nothing is seen of what is watched at `path`, and no event of it comes later."""
    proxy = world.proxy
    plural, refused = path.rpartition("/")[2], proxy.streams.refused
    proxy.refused = path
    proxy.cut_watches()
    time.sleep(0.5)
    try:
        yield
    finally:
        proxy.streams.forgotten.add(plural)
        proxy.refused = None
    wait_until(
        lambda: proxy.streams.refused > refused, timeout=30, what="the watch to be begun anew"
    )


def delete(world: World, resource: str, name: str, namespace: str) -> None:
    path = f"{PATHS[resource].format(namespace=namespace)}/{name}"
    assert world.lab.api.request("DELETE", path)[0] in (200, 202)


@pytest.mark.parametrize("child", REPAIRED)
def test_a_child_that_went_while_its_watch_was_broken_is_back_within_ten_seconds(
    settled: World, child: str
) -> None:
    before = settled.children()[child]
    with gap(settled, WATCHED[child]):
        delete(settled, child, CHILD, settled.lab.namespace)
    wait_until(
        lambda: settled.children().get(child, before)[0] != before[0],
        timeout=SECONDS,
        what=f"a new {child}",
    )


@pytest.mark.parametrize("child", REPAIRED)
def test_a_child_that_was_edited_while_its_watch_was_broken_is_put_right_within_ten_seconds(
    settled: World, child: str
) -> None:
    lab = settled.lab
    path = f"{PATHS[child].format(namespace=lab.namespace)}/{CHILD}"
    label = "app.kubernetes.io/name"
    meant = lab.get(child, CHILD)["metadata"]["labels"][label]
    with gap(settled, WATCHED[child]):
        edit = {"metadata": {"labels": {label: "edited-by-hand"}}}
        assert lab.api.request("PATCH", path, edit, content_type=MERGE)[0] == 200
    wait_until(
        lambda: lab.get(child, CHILD)["metadata"]["labels"][label] == meant,
        timeout=SECONDS,
        what=f"the {child} as it was meant",
    )


def test_a_child_that_lost_the_label_by_which_it_is_watched_gets_it_back(settled: World) -> None:
    """To the watch it is gone: the list anew does not show it."""
    lab, label = settled.lab, "app.kubernetes.io/managed-by"
    path = f"{PATHS['service'].format(namespace=lab.namespace)}/{CHILD}"
    with gap(settled, WATCHED["service"]):
        edit = {"metadata": {"labels": {label: None}}}
        assert lab.api.request("PATCH", path, edit, content_type=MERGE)[0] == 200
    wait_until(
        lambda: label in lab.get("service", CHILD)["metadata"]["labels"],
        timeout=SECONDS,
        what="the label",
    )


def test_a_claim_with_images_that_went_so_is_told_as_lost_within_ten_seconds(
    settled: World,
) -> None:
    lab = settled.lab
    path = f"{PATHS['pvc'].format(namespace=lab.namespace)}/{CHILD}"
    with gap(settled, WATCHED["pvc"]):
        delete(settled, "pvc", CHILD, lab.namespace)
        # The controller that protects claims in use does not run here.
        lab.api.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE)
        assert not lab.exists("pvc", CHILD)
    lab.wait_for(NAME, "StorageReady", "DataLost", status="False", timeout=SECONDS)
    assert not lab.exists("pvc", CHILD)


@pytest.mark.parametrize("resource", OWN)
def test_what_agents_need_and_went_so_is_back_within_ten_seconds(
    settled: World, resource: str
) -> None:
    lab, name = settled.lab, OWN[resource]
    before = lab.get(resource, name, SYSTEM)["metadata"]["uid"]
    with gap(settled, PATHS[resource].format(namespace=SYSTEM)):
        delete(settled, resource, name, SYSTEM)
    wait_until(
        lambda: (
            lab.exists(resource, name, SYSTEM)
            and lab.get(resource, name, SYSTEM)["metadata"]["uid"] != before
        ),
        timeout=SECONDS,
        what=f"a new {resource}",
    )


def test_a_node_that_went_so_is_not_waited_for(settled: World) -> None:
    """Its agent can answer no more, and no watch tells that it need not."""
    lab = settled.lab
    nodes = len(lab.nodes)
    joined = lab.add_node("node-gone")
    everybody = f"{nodes + 1}/{nodes + 1}"

    def summary() -> str:
        return str(lab.get(LREG, NAME)["status"]["nodes"]["summary"])

    wait_until(lambda: summary() == everybody, timeout=60, what=f"nodes {everybody}")
    with gap(settled, "/api/v1/nodes"):
        del lab.nodes[joined.name]
        joined.stop()
        assert lab.api.request("DELETE", f"/api/v1/nodes/{joined.name}")[0] == 200
        pod = f"/api/v1/namespaces/{SYSTEM}/pods/agent-{joined.name}?gracePeriodSeconds=0"
        assert lab.api.request("DELETE", pod)[0] == 200
    left = f"{nodes}/{nodes}"
    wait_until(lambda: summary() == left, timeout=SECONDS, what=f"nodes {left}")
