"""What the cluster has once, deleted or edited by hand: trust document and agents' DaemonSet.

The operator makes both, and no chart holds them; so it is the operator that repairs them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.apiserver import ApiServer
from api.lab import PATHS, Body, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from localregistry.trust import DOCUMENT_KEY, TrustDocument

ONCE = {"configmap": "node-trust", "daemonset": "node-agent"}
# The bar of a child that is deleted.
SECONDS = 10
# Of the API server's own making, and so another one's in an object that was made anew.
ITS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    """Two registries that two nodes trust. Each test leaves them so."""
    meta = {"metadata": {"name": "repairs"}}
    assert api.request("POST", "/api/v1/namespaces", meta)[0] == 201
    for opened in open_lab(api, "repairs"):
        opened.add_node("node-a")
        opened.add_node("node-b")
        opened.start_operator()
        for name in ("one", "two"):
            opened.apply(name)
            opened.bring_up(name)
        for name in ("one", "two"):
            opened.wait_for(name, "Ready", "Ready", timeout=30)
        yield opened


def meant(body: Body) -> Body:
    """An object without what the API server adds to it."""
    kept = {key: value for key, value in body["metadata"].items() if key not in ITS_OWN}
    annotations = kept.get("annotations", {})
    # The number of the DaemonSet's revision, which the API server counts.
    annotations.pop("deprecated.daemonset.template.generation", None)
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": kept}


def tasks(lab: Lab) -> dict[str, str]:
    """The versions of the agents' pods: each task that is written to one makes another."""
    code, body = lab.api.request("GET", f"/api/v1/namespaces/{SYSTEM}/pods")
    assert code == 200
    return {pod["metadata"]["name"]: pod["metadata"]["resourceVersion"] for pod in body["items"]}


@contextmanager
def read_all_the_time(lab: Lab) -> Iterator[set[str]]:
    """The texts of all trust documents that an agent could have read meanwhile."""
    seen: set[str] = set()
    stop = threading.Event()
    path = f"{PATHS['configmap'].format(namespace=SYSTEM)}/node-trust"

    def read() -> None:
        while not stop.wait(0.01):
            code, body = lab.api.request("GET", path)
            if code == 200:
                seen.add(body["data"][DOCUMENT_KEY])

    thread = threading.Thread(target=read, name="reader", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize("kind", list(ONCE))
def test_what_agents_need_is_back_as_it_was_and_they_were_told_nothing(lab: Lab, kind: str) -> None:
    before, told = lab.get(kind, ONCE[kind], SYSTEM), tasks(lab)
    document = lab.trusted().to_json()
    with read_all_the_time(lab) as seen:
        lab.api.kubectl("delete", kind, ONCE[kind], "-n", SYSTEM)

        def back() -> bool:
            code, body = lab.api.request(
                "GET", f"{PATHS[kind].format(namespace=SYSTEM)}/{ONCE[kind]}"
            )
            return code == 200 and bool(body["metadata"]["uid"] != before["metadata"]["uid"])

        wait_until(back, timeout=SECONDS, what=f"the {kind}")
        # Whatever would come after it: a withdrawal never waits, anything else 2 s.
        time.sleep(3)
    assert meant(lab.get(kind, ONCE[kind], SYSTEM)) == meant(before)
    assert seen == {document}, "the only document that anybody could read"
    assert tasks(lab) == told, "no agent was given another task"
    for name in ("one", "two"):
        assert lab.condition(name)["status"] == "True"


@pytest.mark.parametrize("kind", list(ONCE))
def test_what_agents_need_is_put_right_where_it_was_edited(lab: Lab, kind: str) -> None:
    before, told = lab.get(kind, ONCE[kind], SYSTEM), tasks(lab)
    edits: dict[str, Body] = {
        "configmap": {"data": {DOCUMENT_KEY: TrustDocument().to_json()}},
        "daemonset": {"spec": {"template": {"spec": {"hostPID": False}}}},
    }
    path = f"{PATHS[kind].format(namespace=SYSTEM)}/{ONCE[kind]}"
    merge = "application/merge-patch+json"
    assert lab.api.request("PATCH", path, edits[kind], content_type=merge)[0] == 200
    wait_until(
        lambda: meant(lab.get(kind, ONCE[kind], SYSTEM)) == meant(before),
        timeout=SECONDS,
        what=f"the {kind} to be put right",
    )
    assert tasks(lab) == told, "an agent acts on a document that its task names, and on no other"


@pytest.mark.parametrize("gone", [["configmap"], ["configmap", "daemonset"]], ids=" and ".join)
def test_a_document_that_went_while_no_operator_ran_withdraws_nothing(
    lab: Lab, gone: list[str]
) -> None:
    """With the DaemonSet, as where the operator's namespace was deleted: the nodes are as they
    were."""
    document, told = lab.trusted().to_json(), tasks(lab)
    assert lab.operator is not None
    lab.operator.process.stop()
    for kind in gone:
        lab.api.kubectl("delete", kind, ONCE[kind], "-n", SYSTEM)
    with read_all_the_time(lab) as seen:
        lab.start_operator(name=f"operator-without-{'-'.join(gone)}")
        # As long as the registries need to answer once more.
        wait_until(lambda: bool(seen), timeout=60, what="the document")
        time.sleep(3)
    assert seen == {document}
    assert tasks(lab) == told
    wait_until(lambda: lab.exists("daemonset", "node-agent", SYSTEM), timeout=10, what="agents")
