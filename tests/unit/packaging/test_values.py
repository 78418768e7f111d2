"""The chart's values: every one has a default, a type, and a place where it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localregistry.spec import policy

Schema = dict[str, Any]

# Set by Helm itself in a chart that is a dependency; it has no default here.
NOT_OURS = {"global"}

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@pytest.fixture(scope="module")
def schema(root: Path) -> Schema:
    loaded: Schema = json.loads((root / "manifests/chart/values.schema.json").read_text())
    return loaded


def resolved(node: Schema, schema: Schema) -> Schema:
    while "$ref" in node:
        node = schema["definitions"][node["$ref"].rsplit("/", 1)[1]]
    return node


def faults(value: Any, node: Schema, schema: Schema, path: str) -> Iterator[str]:
    """Where a value breaks the schema, by the keywords that this schema uses."""
    node = resolved(node, schema)
    kinds = node.get("type", [])
    wanted = [TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    if wanted and not any(
        isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) for kind in wanted
    ):
        yield f"{path} is not of type {kinds}"
        return
    if "enum" in node and value not in node["enum"]:
        yield f"{path} is not one of {node['enum']}"
    if "pattern" in node and isinstance(value, str) and not re.search(node["pattern"], value):
        yield f"{path} does not match"
    if "minimum" in node and not isinstance(value, str) and value < node["minimum"]:
        yield f"{path} is out of bounds"
    if "maximum" in node and value > node["maximum"]:
        yield f"{path} is out of bounds"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from faults(item, node["items"], schema, f"{path}[{index}]")
    if isinstance(value, dict):
        missing = [name for name in node.get("required", ()) if name not in value]
        yield from (f"{path}.{name} is missing" for name in missing)
        for name, item in value.items():
            further = node.get("additionalProperties", True)
            known = node.get("properties", {}).get(name, further)
            if known is False:
                yield f"{path}.{name} is unknown"
            elif isinstance(known, dict):
                yield from faults(item, known, schema, f"{path}.{name}")


def objects(node: Schema, schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    node = resolved(node, schema)
    if "properties" in node:
        yield path, node
        for name, child in node["properties"].items():
            yield from objects(child, schema, f"{path}.{name}")


def leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from leaves(child, f"{path}.{name}")
    else:
        yield path


def test_the_defaults_are_what_the_schema_allows(values: Schema, schema: Schema) -> None:
    assert list(faults(values, schema, schema, "")) == []


def test_the_schema_knows_no_field_without_a_default(values: Schema, schema: Schema) -> None:
    for path, node in objects(schema, schema):
        value = values
        for name in path.split(".")[1:]:
            value = value[name]
        assert node["properties"].keys() - NOT_OURS == value.keys(), path or "top level"


def test_every_object_of_the_schema_refuses_unknown_names(schema: Schema) -> None:
    for path, node in objects(schema, schema):
        assert node["additionalProperties"] is False, path or "top level"


def rule(**change: Any) -> Schema:
    return {"hostPolicy": [{"namespaces": ["a"], "hosts": ["*"]} | change]}


def test_the_patterns_of_the_host_policy_are_those_that_the_operator_reads(schema: Schema) -> None:
    parts = schema["properties"]["hostPolicy"]["items"]["properties"]
    assert parts["namespaces"]["items"]["pattern"] == f"^({policy.NAMESPACES.pattern})$"
    assert parts["hosts"]["items"]["pattern"] == f"^({policy.HOSTS.pattern})$"
    assert parts["hosts"]["items"]["maxLength"] == policy.MAX_HOST
    assert list(faults(rule(hosts=["*.a.b", "10.0.0.0/8", "fd00::/8"]), schema, schema, "")) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"imge": {}}, ".imge is unknown"),
        ({"replicas": "two"}, ".replicas is not of type integer"),
        ({"replicas": -1}, ".replicas is out of bounds"),
        ({"logLevel": "loud"}, ".logLevel is not one of"),
        ({"agent": {"privileged": "true"}}, ".agent.privileged is not of type boolean"),
        ({"image": {"repository": "Registry:"}}, ".image.repository does not match"),
        ({"image": {"repository": "a/b", "tag": "a b"}}, ".image.tag does not match"),
        ({"image": {"tag": "1"}}, ".image.repository is missing"),
        ({"imagePullSecrets": ["a"]}, ".imagePullSecrets[0] is not of type object"),
        ({"image": {"repository": "a", "digest": "sha256:1"}}, ".image.digest does not match"),
        ({"imageRegistry": "https://a"}, ".imageRegistry does not match"),
        ({"agent": {"resources": {"limit": {}}}}, ".agent.resources.limit is unknown"),
        ({"resources": {"limits": {"memory": "1 Gi"}}}, ".resources.limits.memory does not match"),
        ({"resources": {"limits": {"cpu": -1}}}, ".resources.limits.cpu is out of bounds"),
        ({"tolerations": [{"efect": "NoSchedule"}]}, ".tolerations[0].efect is unknown"),
        ({"nodeSelector": {"a": 1}}, ".nodeSelector.a is not of type string"),
        ({"networkPolicy": {"metricsFrom": [{"pods": {}}]}}, ".networkPolicy.metricsFrom[0].pods"),
        ({"metrics": {"serviceMonitor": {"interval": "1"}}}, ".metrics.serviceMonitor.interval"),
        ({"hostPolicy": {}}, ".hostPolicy is not of type array"),
        (rule(namespaces=["a b"]), ".hostPolicy[0].namespaces[0] does not match"),
        (rule(hosts=["a.b:80"]), ".hostPolicy[0].hosts[0] does not match"),
        (rule(hosts=["a' || true || '"]), ".hostPolicy[0].hosts[0] does not match"),
        (rule(host="x"), ".hostPolicy[0].host is unknown"),
        ({"hostPolicy": [{"hosts": ["*"]}]}, ".hostPolicy[0].namespaces is missing"),
        ({"crds": {"enabled": None}}, ".crds.enabled is not of type boolean"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_the_schema_refuses(schema: Schema, change: Schema, fault: str) -> None:
    found = list(faults(change, schema, schema, ""))
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_every_value_is_used_by_a_template(root: Path, values: Schema) -> None:
    folder = root / "manifests/chart/templates"
    templates = "\n".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    used = set(re.findall(r"\.Values((?:\.\w+)+)", templates))
    for path in leaves(values):
        assert any(f"{path}.".startswith(f"{name}.") for name in used), path
