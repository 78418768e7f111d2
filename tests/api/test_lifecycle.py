"""A LocalRegistry from apply to delete, against a real API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from localregistry.trust import NodeReason, NodeResult

OWNED = ("configmap", "deployment", "service", "ingress")


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        yield opened


def ready(lab: Lab, name: str = "dev", **spec: Any) -> dict[str, Any]:
    """A LocalRegistry that is Ready on two nodes."""
    if not lab.nodes:
        lab.add_node("node-a")
        lab.add_node("node-b")
    lab.apply(name, **spec)
    lab.bring_up(name)
    lab.wait_for(name, "Ready", "Ready", timeout=20)
    return lab.get(LREG, name)


def test_a_registry_becomes_its_children_and_is_ready_when_every_node_pulled(lab: Lab) -> None:
    body = ready(lab)
    uid = body["metadata"]["uid"]
    for kind in OWNED:
        (owner,) = lab.get(kind, "dev-registry")["metadata"]["ownerReferences"]
        assert owner["uid"] == uid, kind
    claim = lab.get("pvc", "dev-registry")
    assert "ownerReferences" not in claim["metadata"], "a stripped finalizer must not delete data"
    status = body["status"]
    assert status["nodes"] == {"desired": 2, "ready": 2, "summary": "2/2"}
    assert status["storage"]["claimUID"] == claim["metadata"]["uid"]
    assert status["url"] == "http://dev.example.internal"
    assert status["endpoint"] == f"dev-registry.{lab.namespace}.svc:80"
    assert status["observedGeneration"] == 1
    types = {c["type"]: c["status"] for c in status["conditions"]}
    assert types.keys() == {"Ready", "StorageReady", "RegistryAvailable", "Exposed", "NodesReady"}
    assert types["NodesReady"] == "True"
    (entry,) = lab.trusted().registries
    assert (entry.uid, entry.names) == (uid, ("dev.example.internal",))
    assert entry.address == lab.get("service", "dev-registry")["spec"]["clusterIP"]


def test_a_condition_that_changes_makes_an_event_and_one_only(lab: Lab) -> None:
    ready(lab)
    lab.wait_for_events(
        lab.namespace, lambda events: any(e["reason"] == "NodesConfigured" for e in events)
    )
    lab.wait_quiet()
    events = lab.api.get("events.events.k8s.io", "-n", lab.namespace)["items"]
    ours = [e for e in events if e["reportingController"] == "localregistry.dev/operator"]
    assert [e["reason"] for e in ours].count("NodesConfigured") == 1
    assert all(e["regarding"]["name"] == "dev" for e in ours)


@pytest.mark.parametrize("kind", OWNED)
def test_an_owned_child_that_is_deleted_is_back_within_ten_seconds(lab: Lab, kind: str) -> None:
    lab.apply("dev")
    lab.wait_for_children("dev")
    before = lab.get(kind, "dev-registry")["metadata"]["uid"]
    lab.delete(kind, "dev-registry")
    wait_until(lambda: lab.exists(kind, "dev-registry"), timeout=10, what=f"the {kind}")
    assert lab.get(kind, "dev-registry")["metadata"]["uid"] != before


def test_a_child_that_was_edited_is_put_right(lab: Lab) -> None:
    lab.apply("dev")
    lab.wait_for_children("dev")
    patch = '{"spec":{"replicas":0}}'
    command = ("patch", "deployment", "dev-registry", "-n", lab.namespace, "--type=merge")
    lab.api.kubectl(*command, "-p", patch)
    wait_until(
        lambda: lab.get("deployment", "dev-registry")["spec"]["replicas"] == 1,
        timeout=10,
        what="one replica again",
    )


def test_deleting_withdraws_the_trust_and_keeps_the_claim(lab: Lab) -> None:
    ready(lab)
    started = time.monotonic()
    lab.delete(LREG, "dev")
    assert time.monotonic() - started < 15
    assert lab.trusted().registries == ()
    assert lab.exists("pvc", "dev-registry"), "reclaimPolicy is Retain"


def test_a_kept_claim_serves_the_next_registry_of_the_same_name(lab: Lab) -> None:
    ready(lab)
    claim = lab.get("pvc", "dev-registry")["metadata"]["uid"]
    lab.delete_registry("dev")
    body = lab.apply("dev")
    wait_until(
        lambda: lab.get(LREG, "dev").get("status", {}).get("storage", {}).get("claimUID") == claim,
        timeout=10,
        what="the claim to be adopted",
    )
    annotations = lab.get("pvc", "dev-registry")["metadata"]["annotations"]
    assert annotations["localregistry.dev/owner-uid"] == body["metadata"]["uid"]


def test_children_that_a_dead_namesake_left_are_waited_for(lab: Lab) -> None:
    ready(lab)
    lab.delete(LREG, "dev")
    lab.apply("dev")
    found = lab.wait_for("dev", "RegistryAvailable", "Reconciling")
    assert "of an earlier LocalRegistry dev is still there" in found["message"]
    children = [f"{kind}/dev-registry" for kind in OWNED]
    lab.api.kubectl("delete", "-n", lab.namespace, *children)
    lab.wait_for("dev", "RegistryAvailable", "DeploymentProgressing")


def test_reclaim_policy_delete_takes_the_claim_along(lab: Lab) -> None:
    lab.apply("dev", storage={"size": "1Gi", "reclaimPolicy": "Delete"})
    lab.wait_for_children("dev")
    # Without a controller manager nobody lifts the claim's protection.
    lab.api.kubectl(
        *("patch", "pvc", "dev-registry", "-n", lab.namespace, "--type=merge"),
        *("-p", '{"metadata":{"finalizers":null}}'),
    )
    lab.delete(LREG, "dev")
    assert not lab.exists("pvc", "dev-registry")


def test_a_node_that_cannot_pull_keeps_ready_false_and_is_named(lab: Lab) -> None:
    lab.add_node("node-a")
    bad = lab.add_node("node-b")
    result = NodeResult(NodeReason.FLAG_CONFLICT, "dockerd has --insecure-registry")
    bad.exceptions = lambda document: {entry.uid: result for entry in document.registries}
    lab.apply("dev")
    lab.bring_up("dev")
    condition = lab.wait_for("dev", "NodesReady", "NodesFailing")
    assert "node-b: dockerd has --insecure-registry" in condition["message"]
    assert lab.condition("dev")["status"] == "False"

    def nodes() -> tuple[str, list[str]]:
        found = lab.get(LREG, "dev")["status"]["nodes"]
        return found["summary"], [node["name"] for node in found["failing"]]

    # The other one may answer later, and mere numbers are written every ten seconds at most.
    wait_until(lambda: nodes() == ("1/2", ["node-b"]), timeout=15, what="node-a to be counted")
    bad.exceptions = lambda _: {}
    lab.wait_for("dev", "Ready", "Ready", timeout=20)


def test_a_node_that_is_not_ready_is_not_waited_for(lab: Lab) -> None:
    ready(lab)
    lab.nodes["node-b"].silent = True
    lab.nodes["node-b"].set_ready(False)
    started = time.monotonic()
    lab.delete(LREG, "dev")
    assert time.monotonic() - started < 15


def test_a_ready_node_that_stays_silent_is_waited_for_thirty_seconds_and_named(lab: Lab) -> None:
    ready(lab)
    lab.nodes["node-b"].silent = True
    started = time.monotonic()
    lab.delete(LREG, "dev")
    assert 28 < time.monotonic() - started < 40
    lab.wait_for_events(
        SYSTEM,
        lambda events: any(
            e["regarding"].get("namespace") == lab.namespace
            and "not confirmed: node-b" in e["note"]
            for e in events
        ),
    )


def test_unmanaged_withdraws_the_trust_and_leaves_nodes_alone(lab: Lab) -> None:
    ready(lab)
    lab.apply("dev", nodes={"management": "Unmanaged"})
    lab.wait_for("dev", "NodesReady", "Unmanaged", status="True")
    wait_until(lambda: lab.trusted().registries == (), timeout=15, what="the withdrawal")
    assert lab.get(LREG, "dev")["status"]["nodes"] == {"summary": "-"}
    assert lab.condition("dev")["status"] == "True"


def test_a_suspended_registry_is_left_as_it_is_and_can_be_deleted(lab: Lab) -> None:
    ready(lab)
    lab.apply("dev", host="other.example.internal", suspend=True)
    wait_until(
        lambda: lab.get(LREG, "dev")["status"]["observedGeneration"] == 2,
        timeout=15,
        what="the suspension to be seen",
    )
    lab.delete("ingress", "dev-registry")
    time.sleep(3)
    assert not lab.exists("ingress", "dev-registry")
    assert lab.trusted().registries[0].names == ("dev.example.internal",)
    lab.delete(LREG, "dev")
    assert lab.trusted().registries == ()


def test_a_changed_host_is_trusted_and_the_old_one_is_not_any_more(lab: Lab) -> None:
    ready(lab)
    lab.apply("dev", host="new.example.internal:5000")
    wait_until(
        lambda: [e.names for e in lab.trusted().registries] == [("new.example.internal:5000",)],
        timeout=10,
        what="the new name in the trust document",
    )
    wait_until(
        lambda: lab.get(LREG, "dev")["status"]["observedGeneration"] == 2,
        timeout=10,
        what="the new generation to be worked through",
    )
    lab.wait_for("dev", "Ready", "Ready", timeout=15)
    ports = [port["port"] for port in lab.get("service", "dev-registry")["spec"]["ports"]]
    assert sorted(ports) == [80, 443, 5000, 9810, 9811]
    rule = lab.get("ingress", "dev-registry")["spec"]["rules"][0]
    assert rule["host"] == "new.example.internal"
