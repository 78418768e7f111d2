"""One host, two namespaces: whoever holds it keeps it, however the other spells it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab, open_lab
from api.processes import wait_until
from localregistry.spec import names

HOST = "shared.example.internal"
# The bar of a hand-over.
SECONDS = 60


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-a")


@pytest.fixture
def other(lab: Lab) -> Iterator[Lab]:
    """The same operator and nodes, seen from another tenant's namespace; by its name the first."""
    name = f"another-{lab.namespace}"
    assert lab.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    yield replace(lab, namespace=name)
    lab.api.request("DELETE", PATHS[LREG].format(namespace=name))


def ready(lab: Lab, name: str, host: str) -> None:
    lab.apply(name, host=host)
    lab.bring_up(name)
    lab.wait_for(name, "Ready", "Ready", timeout=30)


def trusted(lab: Lab) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((entry.owner, entry.names) for entry in lab.trusted().registries)


def has_nothing(lab: Lab, name: str, holder: str) -> None:
    """It is told who holds its host, has no Ingress, and no node was told of it."""
    for which in ("NodesReady", "Exposed", "Ready"):
        found = lab.wait_for(name, which, "HostConflict", status="False", timeout=30)
        assert f"{HOST} is held by LocalRegistry {holder}" in found["message"]
    assert not lab.exists("ingress", f"{name}-registry")
    assert not [owner for owner, _ in trusted(lab) if owner == f"{lab.namespace}/{name}"]


@pytest.mark.parametrize(
    ("held", "wanted"),
    [(HOST, HOST), (HOST, f"{HOST}:80"), (f"{HOST}:80", HOST), (f"{HOST}:5000", f"{HOST}:80")],
)
def test_the_holder_keeps_its_host_and_the_other_has_it_within_a_minute_after_it(
    lab: Lab, other: Lab, held: str, wanted: str
) -> None:
    ready(lab, "dev", held)
    other.apply("dev", host=wanted)
    other.bring_up("dev")
    has_nothing(other, "dev", f"{lab.namespace}/dev")
    assert trusted(lab) == [(f"{lab.namespace}/dev", (held,))]
    assert lab.condition("dev")["status"] == "True"
    assert lab.exists("ingress", "dev-registry")
    lab.delete(LREG, "dev")
    other.wait_for("dev", "Ready", "Ready", timeout=SECONDS)
    assert trusted(lab) == [(f"{other.namespace}/dev", (wanted,))]
    assert other.exists("ingress", "dev-registry")


@pytest.mark.parametrize("spelled", ["Shared.example.internal", "SHARED.EXAMPLE.INTERNAL"])
def test_another_case_is_refused_so_it_cannot_be_another_host(lab: Lab, spelled: str) -> None:
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "dev"},
        "spec": {"host": spelled},
    }
    code, answer = lab.api.request("POST", PATHS[LREG].format(namespace=lab.namespace), body)
    assert (code, answer["reason"]) == (422, "Invalid")
    assert "lower case" in answer["message"]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "over a restart of the operator"])
@pytest.mark.parametrize("management", ["Managed", "Unmanaged"])
def test_an_older_one_that_moves_to_a_held_host_gets_nothing(
    lab: Lab, other: Lab, management: str, restarted: bool
) -> None:
    """Of an unmanaged host nodes know nothing, and yet its Ingress and its name are its own."""
    other.apply("old", host="old.example.internal")
    other.bring_up("old")
    other.wait_for("old", "Ready", "Ready", timeout=30)
    time.sleep(1.1)  # ages are in whole seconds
    lab.apply("young", host=HOST, nodes={"management": management})
    lab.bring_up("young")
    lab.wait_for("young", "Ready", "Ready", timeout=30)
    other.apply("old", host=f"{HOST}:5000")
    has_nothing(other, "old", f"{lab.namespace}/young")
    if restarted:
        assert lab.operator is not None
        lab.operator.process.stop()
        lab.start_operator(name="operator-1")
        lab.apply("young", host=HOST, nodes={"management": management}, image="new/registry:1")
        wait_until(
            lambda: lab.get(LREG, "young")["status"]["observedGeneration"] == 2,
            timeout=30,
            what="the operator to have looked at it",
        )
        lab.mark_available("young-registry")
        time.sleep(3)
        has_nothing(other, "old", f"{lab.namespace}/young")
    lab.wait_for("young", "Ready", "Ready", timeout=30)
    assert lab.exists("ingress", "young-registry")
    lab.delete(LREG, "young")
    other.wait_for("old", "Ready", "Ready", timeout=SECONDS)
