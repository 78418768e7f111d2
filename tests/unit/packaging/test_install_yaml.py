"""install.yaml: what `kubectl apply -f` puts on a cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry import trust
from localregistry.resources import node_agent
from localregistry.resources.config import OperatorConfig
from localregistry.spec import names
from localregistry.spec.policy import NAMES_ONLY, HostPolicy
from localregistry.version import VERSION

Manifest = dict[str, Any]

KINDS = [
    "Namespace",
    "NetworkPolicy",
    "ServiceAccount",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "Deployment",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
]
CLUSTER_SCOPED = {
    *("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}


@pytest.fixture
def pod(one: Any) -> Manifest:
    spec: Manifest = one("Deployment")["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: Manifest) -> Manifest:
    assert len(pod["containers"]) == 1
    assert "initContainers" not in pod
    only: Manifest = pod["containers"][0]
    return only


@pytest.fixture
def environment(container: Manifest) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def test_it_holds_one_object_of_each_kind_and_the_namespace_first(
    manifests: list[Manifest],
) -> None:
    assert [item["kind"] for item in manifests] == KINDS


def test_every_namespaced_object_is_in_the_namespace_of_the_file(
    manifests: list[Manifest], one: Any
) -> None:
    namespace = one("Namespace")["metadata"]["name"]
    for item in manifests:
        expected = None if item["kind"] in CLUSTER_SCOPED else namespace
        assert item["metadata"].get("namespace") == expected, item["kind"]


def test_the_namespace_admits_the_privileged_node_agent(one: Any) -> None:
    labels = one("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_nothing_says_that_helm_manages_it(root: Path) -> None:
    text = (root / "manifests/install.yaml").read_text()
    assert "helm" not in text.lower()


def test_the_operator_runs_restricted(pod: Manifest, container: Manifest) -> None:
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all("hostPath" not in volume for volume in pod["volumes"])


def test_only_the_temporary_folder_can_be_written(pod: Manifest, container: Manifest) -> None:
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]
    assert [set(volume) for volume in pod["volumes"]] == [{"name", "emptyDir"}]


def test_the_token_is_mounted_by_the_pod_that_needs_it_and_by_no_other(
    one: Any, pod: Manifest
) -> None:
    assert one("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is True
    assert pod["serviceAccountName"] == one("ServiceAccount")["metadata"]["name"]


def test_requests_and_limits_are_those_of_the_sizing(container: Manifest) -> None:
    assert container["resources"] == {
        "requests": {"cpu": "10m", "memory": "96Mi"},
        "limits": {"memory": "256Mi"},
    }


def test_one_operator_rolls_and_has_half_a_minute_to_end(one: Any, pod: Manifest) -> None:
    spec = one("Deployment")["spec"]
    assert spec["replicas"] == 1
    # The API's default is RollingUpdate; said here, each `kubectl apply` would send a patch.
    assert "strategy" not in spec
    assert pod["terminationGracePeriodSeconds"] == 30


def test_probes_ask_the_health_port(container: Manifest, environment: dict[str, Any]) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"health": int(environment["HEALTH_PORT"])}
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "health"}


def test_a_blocked_operator_is_restarted_within_a_minute(container: Manifest) -> None:
    probe = container["livenessProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"] <= 60


def test_images_are_of_this_version_and_the_registry_is_pinned(
    container: Manifest, environment: dict[str, Any]
) -> None:
    assert container["image"] == f"docker.io/localregistry/operator:{VERSION}"
    assert environment["AGENT_IMAGE"] == f"docker.io/localregistry/agent:{VERSION}"
    assert environment["REGISTRY_IMAGE"] == "docker.io/library/registry:3.1.1"


def test_what_is_installed_and_what_the_operator_assumes_by_itself_agree(
    one: Any, environment: dict[str, Any]
) -> None:
    assumed = OperatorConfig()
    assert assumed.namespace == one("Namespace")["metadata"]["name"]
    assert assumed.registry_image == environment["REGISTRY_IMAGE"]
    assert assumed.agent_image == environment["AGENT_IMAGE"]
    assert assumed.image_pull_policy == environment["AGENT_PULL_POLICY"]
    assert str(assumed.agent_privileged).lower() == environment["AGENT_PRIVILEGED"]


def test_the_operator_is_told_what_it_reads_from_its_environment(
    container: Manifest, environment: dict[str, Any]
) -> None:
    assert container["args"] == ["run"]
    assert environment["POD_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert environment["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert environment["AGENT_PULL_POLICY"] == "IfNotPresent"
    assert "AGENT_PULL_SECRETS" not in environment
    assert environment["AGENT_PRIVILEGED"] == "true"
    assert json.loads(environment["AGENT_RESOURCES"]) == OperatorConfig().agent_resources
    assert environment["LOG_LEVEL"] == "info"


def test_every_environment_value_is_text_that_the_api_server_keeps(container: Manifest) -> None:
    # It drops an empty one, and every `kubectl apply` would find a difference.
    for item in container["env"]:
        value = item.get("value", item.get("valueFrom"))
        assert value, item["name"]
        assert isinstance(value, (str, dict)), item["name"]


def test_the_selector_fits_the_pods_and_does_not_hold_the_version(one: Any) -> None:
    deployment = one("Deployment")["spec"]
    selector = deployment["selector"]["matchLabels"]
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()
    assert not [key for key in selector if "version" in key]


def test_the_status_port_of_the_agents_is_for_the_operator_and_its_removal(
    one: Any, root: Path
) -> None:
    policy = one("NetworkPolicy")["spec"]
    pods = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["policyTypes"] == ["Ingress"]
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"port": trust.AGENT_PORT, "protocol": "TCP"}]
    removal = yaml.safe_load_all((root / "manifests/uninstall.yaml").read_text())
    [job] = [item for item in removal if item["kind"] == "Job"]
    allowed = (pods, job["spec"]["template"]["metadata"]["labels"])
    for source, labels in zip(rule["from"], allowed, strict=True):
        assert source.keys() == {"podSelector"}
        assert source["podSelector"]["matchLabels"].items() <= labels.items()
        assert "app.kubernetes.io/component" in source["podSelector"]["matchLabels"]


def test_the_service_leads_to_the_port_that_answers(
    one: Any, pod: Manifest, container: Manifest
) -> None:
    service = one("Service")["spec"]
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    [port] = service["ports"]
    assert port["targetPort"] in [item["name"] for item in container["ports"]]


def test_the_policy_is_for_the_agents_that_the_operator_makes(one: Any) -> None:
    selected = one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert selected == node_agent.selector_labels()


def test_the_crd_is_the_kind_that_the_operator_reconciles(one: Any) -> None:
    spec = one("CustomResourceDefinition")["spec"]
    assert (spec["group"], spec["names"]["kind"], spec["names"]["plural"]) == (
        names.GROUP,
        names.KIND,
        names.PLURAL,
    )
    assert names.VERSION in [version["name"] for version in spec["versions"]]


def test_by_default_every_namespace_may_declare_every_name(
    one: Any, environment: dict[str, Any]
) -> None:
    variables = one("ValidatingAdmissionPolicy")["spec"]["variables"]
    [table] = [item["expression"] for item in variables if item["name"] == "table"]
    assert table == environment["HOST_POLICY"]
    assert HostPolicy.parse(table) == OperatorConfig().host_policy


def test_the_policy_judges_only_what_a_request_adds_and_takes_no_parameters(one: Any) -> None:
    spec = one("ValidatingAdmissionPolicy")["spec"]
    binding = one("ValidatingAdmissionPolicyBinding")
    assert "paramKind" not in spec
    assert binding["spec"] == {
        "policyName": one("ValidatingAdmissionPolicy")["metadata"]["name"],
        "validationActions": ["Deny"],
    }
    [rule] = spec["matchConstraints"]["resourceRules"]
    assert (rule["operations"], rule["resources"]) == (["CREATE", "UPDATE"], [names.PLURAL])
    assert [condition["name"] for condition in spec["matchConditions"]] == ["host-or-alias-changed"]
    [validation] = spec["validations"]
    assert NAMES_ONLY in validation["messageExpression"]
    assert validation["reason"] == "Forbidden"


def test_no_image_floats(root: Path) -> None:
    text = (root / "manifests/install.yaml").read_text()
    images = re.findall(r"(?:image|value): (docker\.io/\S+)", text)
    assert len(images) == 3
    assert not [image for image in images if ":" not in image or image.endswith(":latest")]
