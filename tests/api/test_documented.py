"""Commands of the documentation that need an API server, and no kubelet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.apiserver import ApiServer, binaries
from api.lab import Lab, open_lab
from api.processes import wait_until
from documented.blocks import fenced
from documented.runner import Documented, Ran, Shell, beside

SYSTEM = "localregistry-system"
DEPLOYMENT = ("deployment", "localregistry", "-n", SYSTEM)


def shell(api: ApiServer, folder: Path) -> Shell:
    """kubectl and Helm as the administrator; both keep what they keep in the folder."""
    names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR")
    environment = {name: str(folder / "home") for name in names}
    environment["KUBECONFIG"] = str(api.kubeconfig)
    return Shell((binaries("kubectl", "helm"),), environment, folder)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ApiServer]:
    """An API server on which nothing of ours is installed."""
    with ApiServer.start(tmp_path / "api") as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return beside(folder)


def host_policy() -> str:
    """The values that stand on the page of the host policy."""
    [found] = [b.text for b in fenced() if b.page.endswith("host-policy.md") and "hosts:" in b.text]
    return found


def test_it_is_installed_by_helm(documented: Documented, empty: ApiServer, place: Path) -> None:
    """README, chart, install, host policy, upgrade and the way back, in the pages' order. Between
    two installations it is removed without hooks: no Job would run here."""
    helm = shell(empty, place)
    installed = False
    while documented.waiting:
        block = documented.next
        if "helm install" in block.text and installed:
            helm.run("helm uninstall localregistry -n localregistry-system --no-hooks")
        # What a later block depends on and an earlier page installed.
        (place / "values.yaml").write_text(host_policy() + "\nreplicas: 2\n")
        inside = place / "manifests/chart"
        documented.run(
            Shell(helm.path, helm.environment, inside) if "chart/README" in block.page else helm
        )
        installed = True
        if "helm upgrade" in block.text:
            body = empty.get(*DEPLOYMENT)
            assert body["spec"]["replicas"] == 2
            assert "registry.team-a.example.com" in json.dumps(body)
        else:
            assert empty.get(*DEPLOYMENT)["spec"]["replicas"] == 1
    labels = empty.get("namespace", SYSTEM)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_it_is_installed_by_one_file(documented: Documented, empty: ApiServer, place: Path) -> None:
    """Applied again and again, as upgrades are: the pages speak of it more than once."""
    for _ in documented.rest(shell(empty, place)):
        assert empty.get(*DEPLOYMENT)["spec"]["replicas"] == 1


def test_it_is_installed_by_kustomize(
    documented: Documented, empty: ApiServer, tmp_path: Path
) -> None:
    # In the repository itself: kustomize follows no link out of its folder.
    where = shell(empty, tmp_path)
    [ran] = documented.run(Shell(where.path, where.environment))
    assert "deployment.apps/localregistry serverside-applied" in ran.said


def test_a_team_is_let_create_localregistries(
    documented: Documented, api: ApiServer, place: Path
) -> None:
    api.kubectl("create", "namespace", "team-a")
    documented.run(shell(api, place))
    asked = ("auth", "can-i", "create", "localregistries.localregistry.dev")
    somebody = ("--as", "somebody", "--as-group", "team-a")
    assert api.kubectl(*asked, *somebody, "-n", "team-a").stdout.strip() == "yes"
    elsewhere = api.kubectl(*asked, *somebody, "-n", "default", check=False)
    assert elsewhere.stdout.strip() == "no"


def test_the_fields_are_explained(documented: Documented, api: ApiServer, place: Path) -> None:
    [ran] = documented.run(shell(api, place))
    assert "reclaimPolicy" in ran.said


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for lab in open_lab(api, namespace):
        lab.start_operator()
        yield lab


def run_all(documented: Documented, lab: Lab, place: Path) -> list[Ran]:
    """In the lab's namespace, which is the test's own."""
    where = shell(lab.api, place)
    ran = []
    while documented.waiting:
        namespace = {"-n registries": f"-n {lab.namespace}"}
        used = {old: new for old, new in namespace.items() if old in documented.next.text}
        ran += documented.run(where, replace=used)
    return ran


def test_some_nodes_are_chosen_by_a_label(documented: Documented, lab: Lab, place: Path) -> None:
    for name in ("worker-1", "worker-2", "worker-3"):
        lab.add_node(name)
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready")
    run_all(documented, lab, place)
    wait_until(
        lambda: (
            lab.get("localregistries.localregistry.dev", "dev")["status"]["nodes"]["summary"]
            == "2/2"
        ),
        timeout=30,
        what="the nodes that are selected",
    )


def test_a_registry_is_shared_by_address_and_port(
    documented: Documented, lab: Lab, place: Path
) -> None:
    lab.apply("dev")
    lab.wait_for_children("dev")
    text = documented.next.text
    [change, port, address] = text.splitlines()
    where = shell(lab.api, place)
    # As one block, with a look in between: the operator needs a moment.
    wait = (
        f"until kubectl get service dev-registry -n {lab.namespace} -o jsonpath='{{.spec.type}}'"
        " | grep -q NodePort; do sleep 0.2; done"
    )
    [ran] = documented.run(
        where,
        replace={change: f"{change}; {wait}", "-n registries": f"-n {lab.namespace}"},
    )
    assert (port in text, address in text) == (True, True)
    assert 30000 <= int(ran.said.splitlines()[-1]) <= 32767


def test_an_applier_sees_no_difference(documented: Documented, lab: Lab, place: Path) -> None:
    """The status is that of no node here: what is waited for is written by the test."""
    where = shell(lab.api, place)
    apply, wait, diff = documented.next.text.split("\n", 2)
    assert (apply.split()[1], wait.split()[1], diff.split()[1]) == ("apply", "wait", "diff")
    lab.add_node("worker-1")
    # The volume and the pod are played by the lab, which needs the resource first.
    where.run(apply.replace("registries", lab.namespace))
    lab.bring_up("dev")
    # kubectl compares two answers, and a status that is written in between is a difference too.
    lab.wait_for("dev", "Ready", "Ready")
    lab.wait_quiet()
    documented.run(where, replace={"-n registries": f"-n {lab.namespace}"})
    assert lab.condition("dev")["status"] == "True"


def test_a_loss_is_accepted(documented: Documented, lab: Lab, place: Path) -> None:
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "StorageReady", "ClaimBound")
    first = lab.get("pvc", "dev-registry")["metadata"]["uid"]
    remove = "[{'op':'remove','path':'/metadata/finalizers'}]".replace("'", '"')
    lab.delete("pvc", "dev-registry", wait=False)
    lab.api.kubectl(
        *("patch", "pvc", "dev-registry", "-n", lab.namespace, "--type=json", "-p", remove),
        check=False,
    )
    lab.wait_for("dev", "StorageReady", "DataLost", status="False")
    documented.run(
        shell(lab.api, place),
        replace={"NAMESPACE": lab.namespace, "NAME": "dev", "CLAIM-UID": first},
    )
    wait_until(lambda: lab.exists("pvc", "dev-registry"), timeout=30, what="an empty claim")
    assert lab.get("pvc", "dev-registry")["metadata"]["uid"] != first


def test_the_values_of_the_host_policy_page_are_a_policy() -> None:
    assert [rule["namespaces"] for rule in yaml.safe_load(host_policy())["hostPolicy"]]
