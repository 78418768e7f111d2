"""Claims that grow, that may not, and that do not fit, by the API server's own rules."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab, open_lab
from api.processes import wait_until

CHILD = "dev-registry"


def storage_class(name: str, *, grows: bool) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "csi.example.internal",
        "allowVolumeExpansion": grows,
    }


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    classes = [storage_class("growing", grows=True), storage_class("rigid", grows=False)]
    api.kubectl("apply", "-f", "-", input={"apiVersion": "v1", "kind": "List", "items": classes})
    for opened in open_lab(api, namespace):
        opened.start_operator()
        yield opened


def volume(lab: Lab, size: str, claim: str = CHILD, **more: Any) -> None:
    """As the volume controllers say it."""
    lab.patch_status("pvc", claim, {"phase": "Bound", "capacity": {"storage": size}, **more})


def asked(lab: Lab) -> str:
    return str(lab.get("pvc", CHILD)["spec"]["resources"]["requests"]["storage"])


def change(lab: Lab, resource: str, name: str, spec: dict[str, Any]) -> None:
    body = json.dumps({"spec": spec})
    lab.api.kubectl("patch", resource, name, "-n", lab.namespace, "--type=merge", "-p", body)


def made(lab: Lab, size: str, class_name: str) -> str:
    """A LocalRegistry and its claim, not bound yet; the claim's UID."""
    lab.apply("dev", storage={"size": size, "storageClassName": class_name})
    wait_until(lambda: lab.exists("pvc", CHILD), timeout=15, what="the claim")
    return str(lab.get("pvc", CHILD)["metadata"]["uid"])


def test_a_claim_grows_when_it_is_bound_and_waits_for_node_and_driver(lab: Lab) -> None:
    uid = made(lab, "1Gi", "growing")
    change(lab, LREG, "dev", {"storage": {"size": "2Gi"}})
    wait_until(
        lambda: "2Gi as soon as" in lab.condition("dev", "StorageReady").get("message", ""),
        timeout=15,
        what="the claim to be left alone while it is pending",
    )
    assert asked(lab) == "1Gi"
    volume(lab, "1Gi")
    lab.wait_for("dev", "StorageReady", "ClaimResizing", status="Unknown")
    wait_until(lambda: asked(lab) == "2Gi", timeout=10, what="the claim to grow")
    pending = {"type": "FileSystemResizePending", "status": "True", "message": "waits for a pod"}
    volume(lab, "1Gi", conditions=[pending])
    wait_until(
        lambda: "waits for a pod" in lab.condition("dev", "StorageReady")["message"],
        timeout=20,
        what="the driver's words",
    )
    volume(lab, "2Gi", conditions=[])
    lab.wait_for("dev", "StorageReady", "ClaimBound", status="True")
    assert lab.get(LREG, "dev")["status"]["storage"]["capacity"] == "2Gi"
    assert lab.get("pvc", CHILD)["metadata"]["uid"] == uid


def test_what_others_made_larger_is_no_fault_and_stays(lab: Lab) -> None:
    made(lab, "1Gi", "growing")
    volume(lab, "1Gi")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    change(lab, "pvc", CHILD, {"resources": {"requests": {"storage": "5Gi"}}})
    # Not grown yet: the API server would let it be made smaller again.
    change(lab, LREG, "dev", {"storage": {"size": "3Gi"}})
    lab.wait_for("dev", "StorageReady", "ClaimResizing")
    assert asked(lab) == "5Gi"
    volume(lab, "5Gi")
    lab.wait_for("dev", "StorageReady", "ClaimBound", status="True")
    assert asked(lab) == "5Gi"


def test_a_class_that_cannot_grow_says_so_and_the_rest_goes_on(lab: Lab) -> None:
    uid = made(lab, "1Gi", "rigid")
    lab.bring_up("dev")
    volume(lab, "1Gi")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    change(lab, LREG, "dev", {"storage": {"size": "2Gi"}, "image": "example.internal/other:1"})
    found = lab.wait_for("dev", "StorageReady", "ResizeRefused", status="False")
    assert "storageclass that provisions the pvc must support resize" in found["message"]
    assert lab.wait_for("dev", "Ready", "ResizeRefused", status="False")
    pod = lab.get("deployment", CHILD)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "example.internal/other:1"
    claim = lab.get("pvc", CHILD)
    assert (claim["metadata"]["uid"], asked(lab)) == (uid, "1Gi")
    change(lab, LREG, "dev", {"storage": {"size": "1Gi"}})
    lab.wait_for("dev", "StorageReady", "ClaimBound", status="True")


def test_a_quota_that_refuses_the_claim_is_told_and_heals(lab: Lab) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "tight", "namespace": lab.namespace},
        "spec": {"hard": {"requests.storage": "1Gi"}},
    }
    path = f"/api/v1/namespaces/{lab.namespace}/resourcequotas"
    assert lab.api.request("POST", path, quota)[0] == 201
    # The quota's controller, which does not run here, would have counted.
    status = {"status": {"hard": {"requests.storage": "1Gi"}, "used": {"requests.storage": "0"}}}
    merge = "application/merge-patch+json"
    assert lab.api.request("PATCH", f"{path}/tight/status", status, content_type=merge)[0] == 200
    lab.apply("dev", storage={"size": "2Gi"})
    found = lab.wait_for("dev", "StorageReady", "ApplyFailed", status="False")
    assert "exceeded quota: tight" in found["message"]
    assert lab.exists("deployment", CHILD)
    lab.api.request("DELETE", f"{path}/tight")
    lab.wait_for("dev", "StorageReady", "ClaimPending", timeout=25)


def test_a_kept_claim_of_another_class_is_left_to_its_images(lab: Lab) -> None:
    uid = made(lab, "1Gi", "growing")
    volume(lab, "1Gi")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    lab.delete_registry("dev")
    before = lab.get("pvc", CHILD)
    assert before["metadata"]["uid"] == uid
    lab.apply("dev", storage={"size": "1Gi", "storageClassName": "rigid"})
    found = lab.wait_for("dev", "StorageReady", "ClaimUnsuitable", status="False")
    assert "has storageClassName growing, not rigid" in found["message"]
    assert lab.get("pvc", CHILD) == before
    assert not lab.exists("deployment", CHILD)
    lab.delete_registry("dev")
    lab.apply("dev", storage={"size": "1Gi"})
    lab.wait_for("dev", "StorageReady", "ClaimBound", status="True")
    assert lab.get(LREG, "dev")["status"]["storage"]["claimUID"] == uid


MINE = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "mine"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def test_a_claim_of_the_users_is_waited_for_and_left_as_it_is(lab: Lab) -> None:
    lab.apply("dev", storage={"existingClaim": "mine"})
    found = lab.wait_for("dev", "StorageReady", "ClaimNotFound", status="False")
    assert "PersistentVolumeClaim mine does not exist" in found["message"]
    path = PATHS["pvc"].format(namespace=lab.namespace)
    assert lab.api.request("POST", path, MINE)[0] == 201
    lab.wait_for("dev", "StorageReady", "ClaimPending", timeout=20)
    volume(lab, "1Gi", "mine")
    lab.wait_for("dev", "StorageReady", "ClaimBound", timeout=20)
    owners = {entry["manager"] for entry in lab.get("pvc", "mine")["metadata"]["managedFields"]}
    assert "localregistry-operator" not in owners


def test_two_registries_never_write_to_one_claim(lab: Lab) -> None:
    path = PATHS["pvc"].format(namespace=lab.namespace)
    assert lab.api.request("POST", path, MINE)[0] == 201
    volume(lab, "1Gi", "mine")
    lab.apply("dev", storage={"existingClaim": "mine"})
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    time.sleep(1.1)  # ages are in whole seconds
    lab.apply("young", host="young.example.internal", storage={"existingClaim": "mine"})
    found = lab.wait_for("young", "StorageReady", "ClaimInUse", status="False")
    assert "LocalRegistry dev" in found["message"]
    waits = lab.wait_for("young", "RegistryAvailable", "WaitingForStorage", status="False")
    assert waits["message"] == found["message"]
    assert not lab.exists("deployment", "young-registry")
    lab.delete_registry("dev")
    lab.wait_for("young", "StorageReady", "ClaimBound", timeout=25)
    assert lab.exists("deployment", "young-registry")
