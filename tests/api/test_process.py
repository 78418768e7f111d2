"""The operator as a process: what it costs, who leads, and how it starts and ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.lab import LREG, PATIENCE, Lab, open_lab
from api.operators import Operator
from api.processes import wait_until


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace)


def holder(lab: Lab) -> str:
    if not lab.exists("lease", "localregistry-operator", "localregistry-system"):
        return ""
    lease = lab.get("lease", "localregistry-operator", "localregistry-system")
    return str(lease["spec"].get("holderIdentity") or "")


def settle(lab: Lab) -> None:
    """A registry that is Ready on a node, and nothing left to do."""
    lab.add_node("node-a")
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=20)
    address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    lab.patch_status("ingress", "dev-registry", address)
    lab.wait_for("dev", "Exposed", "IngressAdmitted")
    lab.wait_quiet()


def test_a_restart_of_the_operator_writes_nothing(lab: Lab) -> None:
    operator = lab.start_operator()
    settle(lab)
    operator.process.stop()
    since = time.monotonic()
    lab.start_operator(name="operator-1")
    wait_until(lambda: holder(lab) == "operator-1", timeout=PATIENCE, what="the new leader")
    time.sleep(5)
    changed = [
        event
        for event in lab.writes(since)
        # An apply that changes nothing is a request and no write: the resource keeps its version.
        if event["verb"] != "patch"
    ]
    assert changed == []
    assert lab.condition("dev")["status"] == "True"


def test_a_second_operator_waits_and_takes_over_at_once_from_one_that_leaves(lab: Lab) -> None:
    first = lab.start_operator(name="first")
    wait_until(lambda: holder(lab) == "first", timeout=PATIENCE, what="the first to lead")
    second = Operator.start(lab, name="second")
    try:
        wait_until(
            lambda: second.health("/readyz") == 200, timeout=PATIENCE, what="the standby's probe"
        )
        lab.apply("dev")
        lab.wait_for_children("dev")
        assert holder(lab) == "first"
        assert "Created" not in second.log
        first.process.stop()
        # Where the first had not given its Lease back, it would run for another 13 s at least.
        wait_until(lambda: holder(lab) == "second", timeout=10, what="the take-over")
        lab.delete("ingress", "dev-registry")
        wait_until(lambda: lab.exists("ingress", "dev-registry"), timeout=10, what="the Ingress")
    finally:
        second.process.stop()


def test_a_leader_that_was_killed_is_followed_when_its_lease_has_run_out(lab: Lab) -> None:
    first = lab.start_operator(name="first")
    wait_until(lambda: holder(lab) == "first", timeout=PATIENCE, what="the first to lead")
    first.process.stop(kill=True)
    second = lab.start_operator(name="second")
    started = time.monotonic()
    # That it starts is no part of what its wait may take.
    wait_until(lambda: second.health("/readyz") == 200, timeout=PATIENCE, what="the second one")
    wait_until(lambda: holder(lab) == "second", timeout=25, what="the take-over")
    assert time.monotonic() - started > 10, "the lease of 15 s was not honoured"


def test_a_deletion_begun_without_an_operator_is_finished_by_the_next(lab: Lab) -> None:
    operator = lab.start_operator()
    settle(lab)
    operator.process.stop()
    lab.delete(LREG, "dev", wait=False)
    time.sleep(1)
    assert lab.exists(LREG, "dev"), "the finalizer holds it until the trust is withdrawn"
    lab.start_operator(name="operator-1")
    wait_until(lambda: not lab.exists(LREG, "dev"), timeout=PATIENCE, what="the deletion")
    assert lab.trusted().registries == ()


def test_trust_left_behind_by_a_stripped_finalizer_is_withdrawn_at_start(lab: Lab) -> None:
    operator = lab.start_operator()
    settle(lab)
    operator.process.stop()
    lab.strip_finalizers()
    lab.delete(LREG, "dev")
    assert len(lab.trusted().registries) == 1
    lab.start_operator(name="operator-1")
    wait_until(lambda: lab.trusted().registries == (), timeout=PATIENCE, what="the withdrawal")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Lab]:
    """A lab on an API server of its own, whose CRD may come and go."""
    with ApiServer.start(tmp_path / "api") as api:
        api.kubectl("create", "namespace", "test")
        yield from open_lab(api, "test")


def test_the_operator_waits_for_the_crd_and_ends_when_it_goes(bare: Lab) -> None:
    crd = "localregistries.localregistry.dev"
    bare.api.kubectl("delete", "crd", crd)
    operator = bare.start_operator()
    wait_until(
        lambda: "Waiting for the LocalRegistry CRD" in operator.log, timeout=PATIENCE, what="it"
    )
    wait_until(lambda: operator.health("/healthz") == 200, timeout=15, what="/healthz")
    bare.api.apply_crd()
    bare.apply("dev")
    bare.wait_for_children("dev")
    operator.process.pause()
    bare.strip_finalizers()
    bare.api.kubectl("delete", "crd", crd)
    operator.process.resume()
    wait_until(lambda: not operator.process.alive, timeout=40, what="its end")
    assert "Stopping: the API server refuses a watch" in operator.log
    assert "Traceback" not in operator.log
    bare.api.apply_crd()


def test_an_api_server_that_is_away_ends_nobody_and_all_goes_on_after(lab: Lab) -> None:
    operator = lab.start_operator()
    lab.apply("dev")
    lab.wait_for_children("dev")
    server = lab.api.process("kube-apiserver")
    server.pause()
    time.sleep(6)
    assert operator.health("/healthz") == 200
    server.resume()
    lab.delete("ingress", "dev-registry")
    wait_until(lambda: lab.exists("ingress", "dev-registry"), timeout=30, what="the Ingress")


def test_kubelet_probes_are_answered(lab: Lab) -> None:
    operator = lab.start_operator()
    wait_until(lambda: operator.health("/readyz") == 200, timeout=PATIENCE, what="/readyz")
    assert operator.health("/healthz") == 200


# Two installs


def second_namespace(api: ApiServer, name: str) -> None:
    """The rights of the operator's own namespace, in another one."""
    api.kubectl("create", "namespace", name)
    documents = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
    for document in documents:
        if document["kind"] in ("Role", "RoleBinding"):
            document["metadata"]["namespace"] = name
            api.kubectl("apply", "--server-side", "-f", "-", input=document)


@pytest.mark.lifecycle
def test_a_second_install_says_so_does_nothing_and_follows_the_first(lab: Lab) -> None:
    first = lab.start_operator(name="first")
    lab.apply("dev")
    lab.wait_for("dev", "StorageReady", "ClaimPending")
    other = f"{lab.namespace}-second"
    second_namespace(lab.api, other)
    try:
        second = Operator.start(lab, name="second", options=("--namespace", other))
        words = "The operator in namespace localregistry-system is at work"
        wait_until(lambda: words in second.log, timeout=PATIENCE, what="the second one to say so")
        wait_until(lambda: second.health("/readyz") == 503, timeout=5, what="it not to be ready")
        assert second.health("/healthz") == 200
        since = time.monotonic()
        lab.apply("more")
        lab.wait_for("more", "StorageReady", "ClaimPending")
        assert first.health("/readyz") == 200
        assert lab.writes(since) != []
        assert not lab.exists("configmap", "node-trust", other)
        assert not lab.exists("daemonset", "node-agent", other)

        first.process.stop()
        wait_until(
            lambda: second.health("/readyz") == 200, timeout=PATIENCE, what="the second's turn"
        )
        lab.delete("service", "more-registry")
        wait_until(
            lambda: lab.exists("service", "more-registry"), timeout=PATIENCE, what="its work"
        )
    finally:
        second.process.stop()
