"""A backup brought back: a LocalRegistry and its claim as they were exported, in a namespace that
was deleted meanwhile. The API server gives both new UIDs, as another cluster would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATIENCE, Lab, open_lab
from api.processes import wait_until

CHILD = "dev-registry"
# What a backup tool takes away of metadata: the API server sets it anew. Labels, annotations and
# finalizers stay.
LOST = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")

Body = dict[str, Any]

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def api(api_with_controllers: ApiServer) -> ApiServer:
    return api_with_controllers


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace, node="node-a")


def exported(body: Body) -> Body:
    kept = {key: value for key, value in body["metadata"].items() if key not in LOST}
    return {**body, "metadata": kept}


def lose_the_namespace(lab: Lab) -> None:
    where = f"/api/v1/namespaces/{lab.namespace}"
    assert lab.api.request("DELETE", where)[0] == 200
    wait_until(lambda: lab.api.request("GET", where)[0] == 404, timeout=60, what="the namespace")
    meta = {"metadata": {"name": lab.namespace}}
    assert lab.api.request("POST", "/api/v1/namespaces", meta)[0] == 201


def bring_back(lab: Lab, *bodies: Body) -> None:
    for body in bodies:
        lab.api.kubectl("create", "-n", lab.namespace, "-f", "-", input=exported(body))


def ready(lab: Lab) -> tuple[Body, Body]:
    """The LocalRegistry and its claim, as a backup has them."""
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready")
    lab.wait_quiet()
    saved, claim = lab.get(LREG, "dev"), lab.get("pvc", CHILD)
    assert saved["metadata"]["finalizers"]
    assert saved["status"]["storage"]["claimUID"] == claim["metadata"]["uid"]
    return saved, claim


def serve_anew(lab: Lab) -> None:
    """Ends the registry of before, and plays the cluster for the one that was brought back."""
    while lab.registries:
        lab.registries.pop().stop(kill=True)
    lab.bring_up("dev")


def test_a_registry_and_its_claim_come_up_again_under_new_uids(lab: Lab) -> None:
    saved, claim = ready(lab)
    lose_the_namespace(lab)
    assert lab.trusted().registries == ()
    bring_back(lab, claim, saved)
    serve_anew(lab)
    lab.wait_for("dev", "Ready", "Ready")
    found, adopted = lab.get(LREG, "dev"), lab.get("pvc", CHILD)
    assert found["metadata"]["uid"] != saved["metadata"]["uid"]
    assert adopted["metadata"]["uid"] != claim["metadata"]["uid"]
    assert found["status"]["storage"]["claimUID"] == adopted["metadata"]["uid"]
    assert found["spec"] == saved["spec"]
    (entry,) = lab.trusted().registries
    assert entry.uid == found["metadata"]["uid"]


@pytest.mark.long
def test_a_status_that_is_brought_back_too_is_no_word_on_the_new_claim(lab: Lab) -> None:
    """Some tools can write the status back. It names the claim of before: nothing is made until
    somebody says that the one that is there is the right one."""
    saved, claim = ready(lab)
    lose_the_namespace(lab)
    assert lab.operator is not None
    lab.operator.process.stop()
    bring_back(lab, claim, saved)
    lab.patch_status(LREG, "dev", saved["status"])
    lab.start_operator()
    found = lab.wait_for("dev", "StorageReady", "DataLost", timeout=PATIENCE)
    lost = claim["metadata"]["uid"]
    command = f"localregistry.dev/accept-data-loss={lost}"
    assert command in found["message"]
    time.sleep(1)
    assert not lab.exists("deployment", CHILD)
    lab.api.kubectl("annotate", "localregistry", "dev", "-n", lab.namespace, command)
    serve_anew(lab)
    lab.wait_for("dev", "Ready", "Ready")
    kept = lab.get("pvc", CHILD)["metadata"]["uid"]
    assert lab.get(LREG, "dev")["status"]["storage"]["claimUID"] == kept
