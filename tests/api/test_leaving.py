"""`localregistry restore` takes the operator out again: against a real API server, by the rights
that uninstall.yaml gives it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from api.apiserver import REPOSITORY, ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from localregistry.trust import NodeReason, NodeResult

OBJECTS = (
    ("configmap", "node-trust"),
    ("daemonset", "node-agent"),
    ("lease", "localregistry-operator"),
)

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        documents = list(yaml.safe_load_all((REPOSITORY / "manifests/uninstall.yaml").read_text()))
        rights = [document for document in documents if document["kind"] != "Job"]
        api.kubectl("apply", "--server-side", "-f", "-", input=rights)
        installed = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
        deployment = [d for d in installed if d["kind"] == "Deployment"]
        api.kubectl("apply", "--server-side", "-f", "-", input=deployment)
        opened.start_operator()
        opened.add_node("node-a")
        opened.add_node("node-b")
        opened.apply("dev")
        opened.bring_up("dev")
        opened.wait_for("dev", "Ready", "Ready", timeout=20)
        yield opened
        api.kubectl("delete", "deployment/localregistry", "-n", SYSTEM, "--ignore-not-found")


@dataclass
class Restore:
    """The Job's process, and the parts that controllers and kubelets play meanwhile."""

    lab: Lab
    process: subprocess.Popen[str]
    kubelet: bool = True

    @classmethod
    def start(cls, lab: Lab, *options: str) -> Restore:
        kubeconfig = lab.api.service_account_kubeconfig(SYSTEM, "localregistry-restore")
        command = [
            *("/usr/bin/env", f"KUBECONFIG={kubeconfig}"),
            f"PYTHONPATH={REPOSITORY / 'operator'}",
            *(sys.executable, "-m", "localregistry.cli", "restore"),
            *("--agent-port", str(lab.agent_port), *options),
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return cls(lab, process)

    def end(self, *, seconds: float = 90) -> tuple[int, str]:
        """Exit code and output. Ends the operator as a kubelet would, and the agents' pods."""
        lab, deadline = self.lab, time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.kubelet and lab.operator and replicas(lab) == 0:
                lab.operator.process.stop()
                lab.operator = None
            if not lab.exists("daemonset", "node-agent", SYSTEM):
                lab.api.kubectl(
                    *("delete", "pods", "--all", "-n", SYSTEM, "--grace-period=0", "--force")
                )
            time.sleep(0.2)
        if self.process.poll() is None:
            self.process.kill()
        output = self.process.communicate()[0]
        return self.process.returncode, output


def replicas(lab: Lab) -> int | None:
    wanted: int | None = lab.get("deployment", "localregistry", SYSTEM)["spec"].get("replicas")
    return wanted


def restore(lab: Lab, *options: str) -> tuple[int, str]:
    return Restore.start(lab, *options).end()


def finalizers(lab: Lab) -> list[str]:
    return list(lab.get(LREG, "dev")["metadata"].get("finalizers", []))


def said(lab: Lab) -> dict[str, tuple[str, str]]:
    conditions = lab.get(LREG, "dev")["status"]["conditions"]
    return {c["type"]: (c["status"], c["reason"]) for c in conditions}


def there(lab: Lab) -> list[str]:
    return [name for kind, name in OBJECTS if lab.exists(kind, name, SYSTEM)]


def told(lab: Lab) -> set[str]:
    """The revisions that the nodes' agents have last worked through."""
    return {node.last.revision for node in lab.nodes.values()}


def test_the_nodes_are_told_to_forget_and_nothing_of_the_operator_stays(lab: Lab) -> None:
    trusted = lab.trusted().revision
    generation = lab.get("deployment", "dev-registry")["metadata"]["generation"]
    code, output = restore(lab)
    assert code == 0, output
    assert "All 2 nodes that are Ready are as they were" in output
    assert "1 LocalRegistries stay" in output
    assert replicas(lab) == 0
    assert there(lab) == []
    assert finalizers(lab) == []
    assert trusted not in told(lab)
    assert lab.get("deployment", "dev-registry")["metadata"]["generation"] == generation


def test_the_status_says_that_the_operator_was_removed_until_one_is_back(lab: Lab) -> None:
    """Nobody would correct it: who reads `Ready` must not be told that nodes pull from there."""
    claim = lab.get(LREG, "dev")["status"]["storage"]["claimUID"]
    assert restore(lab)[0] == 0
    assert said(lab) == {
        "Ready": ("False", "OperatorRemoved"),
        "StorageReady": ("Unknown", "OperatorRemoved"),
        "RegistryAvailable": ("Unknown", "OperatorRemoved"),
        "Exposed": ("Unknown", "OperatorRemoved"),
        "NodesReady": ("False", "OperatorRemoved"),
    }
    assert "nodes have forgotten this name" in lab.condition("dev")["message"]
    status = lab.get(LREG, "dev")["status"]
    assert status["nodes"] == {"summary": "-"}
    assert status["storage"]["claimUID"] == claim
    version = lab.get(LREG, "dev")["metadata"]["resourceVersion"]
    assert restore(lab)[0] == 0
    assert lab.get(LREG, "dev")["metadata"]["resourceVersion"] == version, "it was said already"
    lab.start_operator()
    lab.wait_for("dev", "RegistryAvailable", "DeploymentAvailable", status="True")
    assert "OperatorRemoved" not in {reason for _, reason in said(lab).values()}
    assert lab.get(LREG, "dev")["status"]["storage"]["claimUID"] == claim


def test_what_no_operator_has_seen_keeps_nobody_from_being_told(lab: Lab) -> None:
    """Before the other in every list, and with the status that the schema gives it."""
    assert lab.operator
    lab.operator.process.stop()
    lab.operator = None
    lab.apply("unseen")
    lab.apply("a-new-one")
    code, output = restore(lab)
    assert code == 0, output
    assert "stay as they were" not in output
    assert {reason for _, reason in said(lab).values()} == {"OperatorRemoved"}
    assert lab.get(LREG, "a-new-one")["status"] == {"observedGeneration": -1}


def test_without_the_right_to_say_so_all_else_is_done(lab: Lab) -> None:
    """As with the rights of an earlier version, which had no such line."""
    documents = yaml.safe_load_all((REPOSITORY / "manifests/uninstall.yaml").read_text())
    [role] = [document for document in documents if document["kind"] == "ClusterRole"]
    kept = [rule for rule in role["rules"] if rule["resources"] != ["localregistries/status"]]
    assert len(kept) == len(role["rules"]) - 1
    lab.api.kubectl("apply", "--server-side", "-f", "-", input=role | {"rules": kept})
    before = said(lab)
    code, output = restore(lab)
    assert code == 0, output
    assert "Their statuses stay as they were" in output
    assert (there(lab), finalizers(lab), said(lab)) == ([], [], before)


@pytest.mark.long
def test_it_may_be_run_again_and_finds_nothing_to_do(lab: Lab) -> None:
    assert restore(lab)[0] == 0
    code, output = restore(lab)
    assert code == 0, output
    assert "There are no agents" in output
    assert there(lab) == []


def test_a_ready_node_that_does_not_confirm_is_named_and_nothing_is_deleted(lab: Lab) -> None:
    lab.nodes["node-b"].silent = True
    code, output = restore(lab, "--seconds", "4")
    assert code == 1
    assert "node-b has not answered for the newest trust document" in output
    assert "run this again" in output
    assert "clean-nodes.yaml" in output
    assert set(there(lab)) == {"node-trust", "node-agent", "localregistry-operator"}
    assert finalizers(lab) == ["localregistry.dev/node-trust"]
    lab.nodes["node-b"].silent = False
    assert restore(lab)[0] == 0
    assert there(lab) == []


@pytest.mark.long
def test_a_node_that_could_not_undo_it_is_named_with_its_words(lab: Lab) -> None:
    uid = lab.get(LREG, "dev")["metadata"]["uid"]
    refused = NodeResult(NodeReason.RELOAD_BLOCKED, "dockerd would not start again")
    lab.nodes["node-a"].exceptions = lambda _: {uid: refused}
    code, output = restore(lab, "--seconds", "4")
    assert code == 1
    assert "node-a ReloadBlocked: dockerd would not start again" in output


@pytest.mark.long
def test_force_goes_on_without_it_and_says_how_to_clean_it(lab: Lab) -> None:
    lab.nodes["node-b"].silent = True
    code, output = restore(lab, "--seconds", "4", "--force")
    assert code == 0, output
    assert "Not confirmed, clean them by manifests/clean-nodes.yaml: node-b" in output
    assert there(lab) == []
    assert finalizers(lab) == []


def test_a_node_that_is_not_ready_is_not_waited_for_and_is_named(lab: Lab) -> None:
    lab.nodes["node-b"].silent = True
    lab.nodes["node-b"].set_ready(False)
    code, output = restore(lab)
    assert code == 0, output
    assert "Not Ready, and so not waited for: node-b" in output
    assert there(lab) == []


def test_an_operator_that_goes_on_is_named_and_nothing_is_changed(lab: Lab) -> None:
    """As one that runs outside of the Deployment would."""
    before = lab.trusted()
    removal = Restore.start(lab, "--acquire-seconds", "4")
    removal.kubelet = False
    code, output = removal.end()
    assert code == 1
    assert "operator-0 still holds Lease" in output
    assert "--operator" in output
    assert lab.trusted() == before
    assert finalizers(lab) == ["localregistry.dev/node-trust"]


def test_without_agents_nodes_that_still_trust_are_not_forgotten(lab: Lab) -> None:
    assert lab.operator
    lab.operator.process.stop()
    lab.api.kubectl("delete", "daemonset/node-agent", "-n", SYSTEM)
    code, output = restore(lab)
    assert code == 1
    assert "clean-nodes.yaml" in output
    assert there(lab) == ["node-trust", "localregistry-operator"]
    code, output = restore(lab, "--force")
    assert code == 0, output
    assert there(lab) == []
    assert finalizers(lab) == []


def test_a_registry_that_was_waiting_to_be_deleted_goes(lab: Lab) -> None:
    """Deleted while no operator ran, a LocalRegistry waits for one; it must not wait for ever."""
    assert lab.operator
    lab.operator.process.stop()
    lab.operator = None
    lab.delete(LREG, "dev", wait=False)
    assert finalizers(lab) == ["localregistry.dev/node-trust"]
    assert restore(lab)[0] == 0
    wait_until(lambda: not lab.exists(LREG, "dev"), timeout=5, what="the LocalRegistry to go")


@pytest.mark.long
def test_somebody_elses_finalizer_stays(lab: Lab) -> None:
    patch = '{"metadata": {"finalizers": ["localregistry.dev/node-trust", "example.com/mine"]}}'
    command = ("patch", LREG, "dev", "-n", lab.namespace, "--type=merge", "-p", patch)
    lab.api.kubectl(*command)
    assert restore(lab)[0] == 0
    assert finalizers(lab) == ["example.com/mine"]
    lab.api.kubectl(*command[:-1], '{"metadata": {"finalizers": null}}')
