"""A real API server takes what is rendered: no unknown field, no warning, no second change."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from api.apiserver import ApiServer
from localregistry.controller.kube import ABSENT
from localregistry.resources import node_agent, trust_config
from localregistry.resources.children import CHILDREN
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import TrustDocument
from unit.resources.registries import CONFIG, SAMPLES, registry
from unit.spec.bodies import body
from unit.spec.good_specs import GOOD_SPECS

_APPLY = "application/apply-patch+yaml"
_QUERY = "?fieldManager=localregistry-operator&force=true&fieldValidation=Strict"
_PLURALS = {
    "ConfigMap": "configmaps",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Deployment": "deployments",
    "Service": "services",
    "Ingress": "ingresses",
    "DaemonSet": "daemonsets",
}


def _apply(api: ApiServer, child: dict[str, Any]) -> dict[str, Any]:
    status, answer = _try(api, child)
    assert status in (200, 201), answer["message"]
    return answer


def _try(api: ApiServer, child: dict[str, Any], verb: str = "PATCH") -> tuple[int, dict[str, Any]]:
    version, metadata = child["apiVersion"], child["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    path = f"{root}/namespaces/{metadata['namespace']}/{_PLURALS[child['kind']]}/{metadata['name']}"
    if verb == "GET":
        return api.request("GET", path)
    return api.request(verb, path + _QUERY, child, content_type=_APPLY)


def _pod_security(api: ApiServer, namespace: str, level: str) -> None:
    label = f"pod-security.kubernetes.io/enforce={level}"
    api.kubectl("label", "namespace", namespace, label)


@pytest.mark.parametrize("file", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_a_sample_and_its_children_are_taken_without_a_warning(
    api: ApiServer, namespace: str, file: str
) -> None:
    sample = SAMPLES / file
    done = api.kubectl("apply", "-n", namespace, "-f", str(sample))
    assert done.stderr == ""
    stored = api.get(
        "lreg", yaml.safe_load(sample.read_text())["metadata"]["name"], "-n", namespace
    )
    read = LocalRegistry.from_body(stored)
    api.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")
    for child in CHILDREN:
        if (rendered := child.build(read, CONFIG)) is not None:
            done = api.kubectl("apply", "--server-side", "-f", "-", input=rendered)
            assert done.stderr == ""


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_applying_the_children_again_changes_nothing(
    api: ApiServer, namespace: str, spec: dict[str, Any]
) -> None:
    read = LocalRegistry.from_body(body(spec, namespace=namespace))
    children = [child.build(read, CONFIG) for child in CHILDREN]
    for rendered in [child for child in children if child is not None]:
        first = _apply(api, rendered)
        if rendered["kind"] == "PersistentVolumeClaim":
            # Created, a claim is stored without its status; the first repeat adds that, once.
            first = _apply(api, rendered)
        assert _apply(api, rendered)["metadata"] == first["metadata"]


@pytest.mark.parametrize("child", CHILDREN, ids=lambda child: str(child.kind))
def test_a_child_that_is_to_be_new_is_made_and_put_over_nobody_s(
    api: ApiServer, namespace: str, child: Any
) -> None:
    rendered = child.build(LocalRegistry.from_body(body(namespace=namespace)), CONFIG)
    rendered["metadata"]["resourceVersion"] = ABSENT
    made = _apply(api, rendered)
    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"
    status, answer = _try(api, rendered)
    assert (status, answer["reason"]) == (409, "Conflict")
    metadata = {"name": "dev-registry", "namespace": namespace}
    assert _try(api, {**rendered, "metadata": metadata}, verb="GET")[1] == made


@pytest.mark.parametrize("name", ["1dev", "dev.team", "x" * 63, "x" * 253])
def test_children_of_a_name_that_a_service_cannot_have_are_taken(
    api: ApiServer, namespace: str, name: str
) -> None:
    read = LocalRegistry.from_body(body(name=name, namespace=namespace))
    for child in CHILDREN:
        rendered = child.build(read, CONFIG)
        assert rendered is not None
        _apply(api, rendered)


@pytest.mark.parametrize("privileged", [True, False], ids=["privileged", "least"])
def test_the_agent_is_taken_where_pod_security_allows_it(
    api: ApiServer, namespace: str, privileged: bool
) -> None:
    _pod_security(api, namespace, "privileged")
    config = OperatorConfig(
        namespace=namespace, agent_privileged=privileged, image_pull_secrets=("mirror",)
    )
    rendered = node_agent.build(config)
    first = _apply(api, rendered)
    assert _apply(api, rendered)["metadata"] == first["metadata"]


def test_the_trust_document_is_taken(api: ApiServer, namespace: str) -> None:
    config = OperatorConfig(namespace=namespace)
    first = _apply(api, trust_config.build(TrustDocument(), config))
    assert first["data"] == {"trust.json": TrustDocument().to_json()}


def test_a_mistaken_field_would_be_noticed(api: ApiServer, namespace: str) -> None:
    rendered = CHILDREN[3].build(registry(), CONFIG)
    assert rendered is not None
    rendered["metadata"]["namespace"] = namespace
    rendered["spec"]["prots"] = []
    path = f"/api/v1/namespaces/{namespace}/services/dev-registry{_QUERY}"
    status, answer = api.request("PATCH", path, rendered, content_type=_APPLY)
    assert status >= 400
    assert "prots" in answer["message"]
