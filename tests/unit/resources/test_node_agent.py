"""The objects that exist once for the cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localregistry.render import dump
from localregistry.resources import node_agent, trust_config
from localregistry.resources.config import OperatorConfig
from localregistry.trust import MAX_DOCUMENT_BYTES, Probe, TrustDocument, TrustedRegistry
from unit.golden import assert_golden
from unit.resources.registries import CONFIG


def _document(count: int = 1, owner: str = "registries/dev") -> TrustDocument:
    probe = Probe("a.b/localregistry-probe:v1", "sha256:c", "sha256:m")
    return TrustDocument(
        tuple(
            TrustedRegistry(f"uid-{number}", owner, ("a.b",), "10.96.0.1", 80, probe)
            for number in range(count)
        )
    )


def _pod(config: OperatorConfig = CONFIG) -> dict[str, Any]:
    pod: dict[str, Any] = node_agent.build(config)["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("privileged", [True, False], ids=["privileged", "least"])
def test_the_daemonset_is_what_its_golden_file_says(
    request: pytest.FixtureRequest, privileged: bool
) -> None:
    config = OperatorConfig(
        agent_image="docker.io/localregistry/agent:0.0.0", agent_privileged=privileged
    )
    name = "node-agent.yaml" if privileged else "node-agent-least.yaml"
    assert_golden(request, name, dump(node_agent.build(config)))


def test_the_agent_has_no_credential_for_the_api() -> None:
    assert _pod()["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in _pod()


def test_the_agent_runs_on_every_linux_node_whatever_its_taints() -> None:
    assert _pod()["tolerations"] == [{"operator": "Exists"}]
    assert _pod()["priorityClassName"] == "system-node-critical"


def test_without_privilege_there_is_no_capability_left() -> None:
    [container] = _pod(OperatorConfig(agent_privileged=False))["containers"]
    security = container["securityContext"]
    assert security["privileged"] is False
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert _pod(OperatorConfig(agent_privileged=False))["hostPID"] is True


@pytest.mark.parametrize("privileged", [True, False])
def test_the_agents_own_root_is_read_only_either_way(privileged: bool) -> None:
    [container] = _pod(OperatorConfig(agent_privileged=privileged))["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["runAsUser"] == 0


def test_the_agent_gets_the_requests_and_limits_that_the_operator_was_told() -> None:
    [container] = _pod(OperatorConfig(agent_resources={"limits": {"memory": "1Gi"}}))["containers"]
    assert container["resources"] == {"limits": {"memory": "1Gi"}}


def test_pull_secrets_of_the_operators_namespace_reach_the_agent() -> None:
    pod = _pod(OperatorConfig(image_pull_secrets=("mirror",)))
    assert pod["imagePullSecrets"] == [{"name": "mirror"}]
    assert "imagePullSecrets" not in _pod()


def test_the_pods_labels_are_those_the_operator_looks_for() -> None:
    spec = node_agent.build(CONFIG)["spec"]
    assert spec["selector"]["matchLabels"] == node_agent.selector_labels()
    labels = spec["template"]["metadata"]["labels"]
    assert node_agent.selector_labels().items() <= labels.items()


def test_the_trust_document_arrives_as_it_is() -> None:
    body = trust_config.build(_document(2), OperatorConfig(namespace="x"))
    assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("node-trust", "x")
    assert "ownerReferences" not in body["metadata"]
    assert TrustDocument.from_json(body["data"]["trust.json"]) == _document(2)


def test_no_registry_at_all_is_a_document_too() -> None:
    body = trust_config.build(TrustDocument(), CONFIG)
    assert json.loads(body["data"]["trust.json"])["registries"] == []


def test_a_document_that_would_not_fit_is_refused_with_the_way_out() -> None:
    document = _document(count=10, owner="x" * (MAX_DOCUMENT_BYTES // 10))
    with pytest.raises(trust_config.DocumentTooLarge, match="some to Unmanaged"):
        trust_config.build(document, CONFIG)
