"""uninstall.yaml and clean-nodes.yaml: what removal may do, and that it fits what was installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry.agent import app
from localregistry.controller import leader, restore
from localregistry.resources import node_agent, trust_config
from localregistry.resources.config import OperatorConfig

Manifest = dict[str, Any]

CLUSTER_WIDE = {
    ("localregistries", "", "get list patch"),
    ("localregistries/status", "", "patch"),
    ("nodes", "", "list"),
}
OWN_NAMESPACE = {
    ("deployments", "localregistry", "get patch"),
    ("configmaps", trust_config.NAME, "get patch delete"),
    ("configmaps", "", "create"),
    ("daemonsets", node_agent.NAME, "get delete"),
    ("pods", "", "list patch"),
    ("leases", "", "get create update delete"),
}


def documents(root: Path, name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((root / "manifests" / name).read_text()))


def of_kind(found: list[Manifest], kind: str) -> Manifest:
    [item] = [item for item in found if item["kind"] == kind]
    return item


def rules(role: Manifest) -> Iterator[tuple[str, str, str]]:
    for rule in role["rules"]:
        for resource in rule["resources"]:
            yield resource, " ".join(rule.get("resourceNames", [])), " ".join(rule["verbs"])


@pytest.mark.parametrize("name", ["uninstall.yaml", "clean-nodes.yaml"])
def test_removal_has_exactly_these_rights(root: Path, name: str) -> None:
    found = documents(root, name)
    assert set(rules(of_kind(found, "ClusterRole"))) == CLUSTER_WIDE
    assert set(rules(of_kind(found, "Role"))) == OWN_NAMESPACE


@pytest.mark.parametrize(
    ("name", "namespace"),
    [("uninstall.yaml", "localregistry-system"), ("clean-nodes.yaml", "localregistry-clean")],
)
def test_all_of_it_is_in_one_namespace_and_bound_to_one_account(
    root: Path, name: str, namespace: str
) -> None:
    found = documents(root, name)
    account = of_kind(found, "ServiceAccount")["metadata"]
    for binding in (of_kind(found, "ClusterRoleBinding"), of_kind(found, "RoleBinding")):
        assert binding["roleRef"]["name"] == account["name"]
        [subject] = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == (account["name"], namespace)
    pod = of_kind(found, "Job")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["name"]
    assert {item["metadata"].get("namespace", namespace) for item in found} == {namespace}


def test_the_job_ends_before_helm_gives_up_and_after_all_that_it_waits_for(root: Path) -> None:
    job = of_kind(documents(root, "uninstall.yaml"), "Job")["spec"]
    options = restore.parse([], {})
    assert job["activeDeadlineSeconds"] < 300, "Helm's own limit, unless told otherwise"
    assert job["activeDeadlineSeconds"] > options.seconds + 60 + leader.Durations().lease
    assert job["backoffLimit"] == 0


def test_the_job_stops_the_deployment_that_is_installed(root: Path) -> None:
    deployment = of_kind(documents(root, "install.yaml"), "Deployment")
    job = of_kind(documents(root, "uninstall.yaml"), "Job")
    [container] = job["spec"]["template"]["spec"]["containers"]
    [operator] = deployment["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["OPERATOR_NAME"] == deployment["metadata"]["name"]
    assert container["image"] == operator["image"]
    assert container["args"] == ["restore"]
    assert container["securityContext"] == operator["securityContext"]


def test_the_jobs_pod_is_no_pod_of_the_operator(root: Path) -> None:
    selector = of_kind(documents(root, "install.yaml"), "Deployment")["spec"]["selector"]
    job = of_kind(documents(root, "uninstall.yaml"), "Job")
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert not selector["matchLabels"].items() <= labels.items()


def test_the_cleaner_sees_the_node_as_the_agent_does(root: Path) -> None:
    cleaner = of_kind(documents(root, "clean-nodes.yaml"), "DaemonSet")
    agent = node_agent.build(OperatorConfig())
    pod, other = (item["spec"]["template"]["spec"] for item in (cleaner, agent))
    for field in ("hostPID", "tolerations", "priorityClassName", "automountServiceAccountToken"):
        assert pod[field] == other[field], field
    [container], [agents] = pod["containers"], other["containers"]
    assert container["securityContext"] == agents["securityContext"]
    assert container["image"] == agents["image"]
    assert container["volumeMounts"] == agents["volumeMounts"][:1]
    assert pod["volumes"] == other["volumes"][:1]


def test_the_cleaner_is_ready_when_the_node_is_clean(root: Path) -> None:
    cleaner = of_kind(documents(root, "clean-nodes.yaml"), "DaemonSet")
    [container] = cleaner["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "agent"
    options = app.parser().parse_args(container["args"][1:])
    assert options.clean
    assert container["readinessProbe"]["httpGet"] == {"path": "/cleaned", "port": "status"}
    assert container["ports"][0]["containerPort"] == options.port
