"""What is not ours, and names that two want."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        opened.start_operator()
        yield opened


FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "configmap": ({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}, "StorageReady"),
    "pvc": (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        "StorageReady",
    ),
    "service": (
        {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 8080}]}},
        "RegistryAvailable",
    ),
    "deployment": (
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {
                "selector": {"matchLabels": {"app": "theirs"}},
                "template": {
                    "metadata": {"labels": {"app": "theirs"}},
                    "spec": {"containers": [{"name": "web", "image": "web"}]},
                },
            },
        },
        "RegistryAvailable",
    ),
    "ingress": (
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "spec": {"rules": [{"host": "somebody.example"}]},
        },
        "Exposed",
    ),
}


# As if they were ours: whatever a label says, nobody's UID is in it.
LABELS: dict[str, dict[str, str]] = {
    "of nobody": {},
    "with our labels": {
        "app.kubernetes.io/name": "registry",
        "app.kubernetes.io/instance": "dev",
        "app.kubernetes.io/component": "registry",
        "app.kubernetes.io/managed-by": "localregistry-operator",
        "app.kubernetes.io/part-of": "localregistry",
    },
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", list(FOREIGN))
def test_an_object_of_a_childs_name_that_is_not_ours_is_left_as_it_is(
    lab: Lab, kind: str, labels: str
) -> None:
    body, condition = FOREIGN[kind]
    metadata = {"name": "dev-registry", "namespace": lab.namespace, "labels": LABELS[labels]}
    lab.api.kubectl("create", "-f", "-", input={**body, "metadata": metadata})
    before = lab.get(kind, "dev-registry")
    lab.apply("dev", storage={"size": "1Gi", "reclaimPolicy": "Delete"})
    found = lab.wait_for("dev", condition, "NameConflict", status="False")
    assert "dev-registry exists" in found["message"]
    assert lab.get(kind, "dev-registry") == before
    # Nor when it is not wanted any more, and looked at again.
    lab.apply("dev", host="other.example.internal", ingress={"enabled": False})
    wait_until(
        lambda: lab.get(LREG, "dev")["status"].get("observedGeneration") == 2,
        timeout=20,
        what="the change to be seen",
    )
    assert lab.get(kind, "dev-registry") == before, "the resourceVersion among it"
    lab.delete(LREG, "dev")
    assert lab.get(kind, "dev-registry") == before, "deleting ours must not take theirs"


def test_the_conflict_heals_when_the_other_goes(lab: Lab) -> None:
    body, _ = FOREIGN["service"]
    metadata = {"name": "dev-registry", "namespace": lab.namespace}
    lab.api.kubectl("create", "-f", "-", input={**body, "metadata": metadata})
    lab.apply("dev")
    lab.wait_for("dev", "RegistryAvailable", "NameConflict")
    lab.delete("service", "dev-registry")
    lab.wait_for("dev", "RegistryAvailable", "DeploymentProgressing", timeout=20)


def test_the_second_with_a_held_host_waits_and_takes_over_when_the_holder_goes(lab: Lab) -> None:
    lab.add_node("node-a")
    host = "shared.example.internal"
    lab.apply("first", host=host)
    lab.bring_up("first")
    lab.wait_for("first", "Ready", "Ready", timeout=20)
    lab.apply("second", host=f"{host}:5000")
    lab.bring_up("second")
    message = lab.wait_for("second", "NodesReady", "HostConflict")["message"]
    assert f"held by LocalRegistry {lab.namespace}/first" in message
    assert lab.condition("second", "Exposed")["reason"] == "HostConflict"
    assert not lab.exists("ingress", "second-registry")
    assert lab.condition("first")["status"] == "True"
    lab.delete(LREG, "first")
    lab.wait_for("second", "Ready", "Ready", timeout=60)
    assert lab.exists("ingress", "second-registry")
    assert [e.names for e in lab.trusted().registries] == [(f"{host}:5000",)]


def test_a_registry_that_changes_to_a_held_host_gets_nothing_however_old_it_is(lab: Lab) -> None:
    lab.add_node("node-a")
    for name in ("old", "young"):
        lab.apply(name)
        lab.bring_up(name)
        lab.wait_for(name, "Ready", "Ready", timeout=20)
    lab.apply("old", host="young.example.internal")
    lab.wait_for("old", "NodesReady", "HostConflict")
    wait_until(lambda: len(lab.trusted().registries) == 1, timeout=15, what="the old host to go")
    assert lab.condition("young")["status"] == "True"


def test_an_alias_that_is_held_is_left_out_until_its_holder_goes(lab: Lab) -> None:
    lab.add_node("node-a")
    for name, aliases in (("first", []), ("second", ["first.example.internal:5000", "b.example"])):
        lab.apply(name, aliases=aliases)
        lab.bring_up(name)
    lab.wait_for("first", "Ready", "Ready", timeout=20)
    message = lab.wait_for("second", "NodesReady", "HostConflict", timeout=20)["message"]
    assert f"first.example.internal is held by LocalRegistry {lab.namespace}/first" in message
    assert lab.condition("second")["reason"] == "HostConflict"
    held = {("first.example.internal",), ("second.example.internal", "b.example")}
    wait_until(lambda: _trusted(lab) == held, timeout=10, what="what each of them has")
    assert _rules(lab, "second") == ["second.example.internal", "b.example"]
    lab.delete(LREG, "first")
    lab.wait_for("second", "Ready", "Ready", timeout=60)
    assert _trusted(lab) == {
        ("second.example.internal", "first.example.internal:5000", "b.example")
    }
    assert _rules(lab, "second") == [
        *("second.example.internal", "first.example.internal", "b.example")
    ]


@pytest.mark.parametrize("young_is_up", [True, False], ids=["trusted", "not yet trusted"])
def test_an_older_one_that_adds_a_held_name_as_alias_gets_nothing(
    lab: Lab, young_is_up: bool
) -> None:
    lab.add_node("node-a")
    lab.apply("old")
    lab.bring_up("old")
    lab.wait_for("old", "Ready", "Ready", timeout=20)
    # Ages are in seconds, and of one second the first by name is the older.
    lab.apply("young", aliases=["shared.example"])
    if young_is_up:
        lab.bring_up("young")
        lab.wait_for("young", "Ready", "Ready", timeout=20)
    else:
        lab.wait_for("young", "NodesReady", "WaitingForRegistry", timeout=20)
    lab.apply("old", aliases=["shared.example:5000", "young.example.internal:80"])
    lab.wait_for("old", "NodesReady", "HostConflict", timeout=20)
    if not young_is_up:
        lab.bring_up("young")
    lab.wait_for("young", "Ready", "Ready", timeout=20)
    assert _trusted(lab) == {
        ("old.example.internal",),
        ("young.example.internal", "shared.example"),
    }


def test_a_host_that_another_has_as_alias_gets_nothing_until_the_alias_goes(lab: Lab) -> None:
    lab.add_node("node-a")
    lab.apply("first", aliases=["second.example.internal"])
    lab.bring_up("first")
    lab.wait_for("first", "Ready", "Ready", timeout=20)
    lab.apply("second")
    lab.bring_up("second")
    lab.wait_for("second", "NodesReady", "HostConflict", timeout=20)
    assert not lab.exists("ingress", "second-registry")
    lab.apply("first", aliases=[])
    lab.wait_for("second", "Ready", "Ready", timeout=60)
    assert _trusted(lab) == {("first.example.internal",), ("second.example.internal",)}
    # It was changed too, and each is told of by itself.
    lab.wait_for("first", "Ready", "Ready", status="True")


def _trusted(lab: Lab) -> set[tuple[str, ...]]:
    return {entry.names for entry in lab.trusted().registries}


def _rules(lab: Lab, name: str) -> list[str]:
    rules = lab.get("ingress", f"{name}-registry")["spec"]["rules"]
    return [str(rule["host"]) for rule in rules]


def test_a_claim_with_images_that_vanished_is_never_silently_replaced(lab: Lab) -> None:
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    uid = lab.get("pvc", "dev-registry")["metadata"]["uid"]
    patch = '{"metadata":{"finalizers":null}}'
    command = ("patch", "pvc", "dev-registry", "-n", lab.namespace, "--type=merge", "-p", patch)
    lab.delete("pvc", "dev-registry", wait=False)
    lab.api.kubectl(*command)
    found = lab.wait_for("dev", "StorageReady", "DataLost", status="False")
    assert f"localregistry.dev/accept-data-loss={uid}" in found["message"]
    assert not lab.exists("pvc", "dev-registry")
    lab.api.kubectl(
        *("annotate", LREG, "dev", "-n", lab.namespace),
        f"localregistry.dev/accept-data-loss={uid}",
    )
    wait_until(lambda: lab.exists("pvc", "dev-registry"), timeout=10, what="an empty claim")
    lab.wait_for("dev", "StorageReady", "ClaimPending")
    assert lab.get(LREG, "dev")["status"]["storage"]["claimUID"] != uid
