"""The CRD and the package say the same: defaults, enums, lists and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml

from localregistry.spec import exposure, hosts, selector, storage
from localregistry.spec.conditions import ConditionStatus
from localregistry.spec.names import GROUP, KIND, PLURAL, VERSION
from localregistry.spec.nodes import Management, Resolve
from localregistry.spec.registry import MAX_ALIASES, REPEATED_HOST, LocalRegistrySpec
from unit.spec.bodies import body

CRD: dict[str, Any] = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "crds" / "localregistries.yaml").read_text()
)
VERSION_1 = CRD["spec"]["versions"][0]
SCHEMA = VERSION_1["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]


def _at(path: str, schema: dict[str, Any] = SPEC) -> dict[str, Any]:
    for name in path.split("."):
        schema = schema["properties"][name]
    return schema


def _walk(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _walk(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _walk(schema[key], f"{path}[]")


def _filled(value: Any, schema: dict[str, Any]) -> Any:
    """The API server's defaulting: null and absent take the default, then the default's fields."""
    if not isinstance(value, dict):
        return value
    filled = {name: inner for name, inner in value.items() if inner is not None}
    for name, inner in schema.get("properties", {}).items():
        if name not in filled and "default" in inner:
            filled[name] = inner["default"]
        if name in filled:
            filled[name] = _filled(filled[name], inner)
    return filled


def test_names_are_the_same() -> None:
    names = CRD["spec"]["names"]
    assert (CRD["spec"]["group"], VERSION_1["name"]) == (GROUP, VERSION)
    assert (names["kind"], names["plural"], names["shortNames"]) == (KIND, PLURAL, ["lreg"])
    assert "categories" not in names


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"storage": {"existingClaim": "a"}},
        {"storage": {"ephemeral": True}},
        {"storage": {"size": "1Gi"}, "ingress": {"className": "nginx"}},
        {"nodes": {}, "service": {}, "page": {}},
    ],
)
def test_reading_without_the_defaults_gives_what_reading_with_them_gives(
    spec: dict[str, Any],
) -> None:
    raw = body(spec)["spec"]
    filled = _filled(raw, SPEC)
    assert filled != raw
    assert LocalRegistrySpec.from_body(raw) == LocalRegistrySpec.from_body(filled)


def test_every_default_of_the_crd_is_one_that_was_meant() -> None:
    defaults = {path: inner["default"] for path, inner in _walk(SPEC, "spec") if "default" in inner}
    assert defaults == {
        "spec.storage": {"size": storage.DEFAULT_SIZE},
        "spec.storage.accessModes": list(storage.DEFAULT_ACCESS_MODES),
        "spec.storage.reclaimPolicy": "Retain",
        "spec.ingress": {},
        "spec.ingress.enabled": True,
        "spec.service": {},
        "spec.service.type": "ClusterIP",
        "spec.service.port": exposure.DEFAULT_SERVICE_PORT,
        "spec.page": {},
        "spec.page.enabled": True,
        "spec.nodes": {},
        "spec.nodes.management": "Managed",
        "spec.nodes.resolve": "ClusterIP",
        "spec.aliases": [],
        "spec.suspend": False,
    }


@pytest.mark.parametrize(
    ("path", "choices"),
    [
        ("storage.reclaimPolicy", storage.ReclaimPolicy),
        ("service.type", exposure.ServiceType),
        ("nodes.management", Management),
        ("nodes.resolve", Resolve),
    ],
)
def test_enums_are_the_same(path: str, choices: type[StrEnum]) -> None:
    assert set(_at(path)["enum"]) == {choice.value for choice in choices}


def test_the_enums_inside_lists_are_the_same() -> None:
    modes = _at("storage.accessModes")["items"]["enum"]
    assert set(modes) == {mode.value for mode in storage.AccessMode}
    conditions = _at("conditions", SCHEMA["properties"]["status"])
    statuses = conditions["items"]["properties"]["status"]["enum"]
    assert set(statuses) == {status.value for status in ConditionStatus}


def _explanation() -> str:
    faults = [f"self.matches(r'{pattern}') ? '{sentence}' :" for pattern, sentence in hosts.FAULTS]
    return " ".join([*faults, f"'{hosts.GENERAL_FAULT}'"])


def test_the_alias_rules_are_the_same() -> None:
    host = _at("host")
    aliases = _at("aliases")
    alias = aliases["items"]
    assert (aliases["maxItems"], aliases["default"]) == (MAX_ALIASES, [])
    assert alias["maxLength"] == host["maxLength"] == hosts.MAX_TEXT
    grammar, unicast, longest, public = alias["x-kubernetes-validations"]
    address = _explanation().replace(hosts.NOT_AN_ADDRESS, hosts.ADDRESS_FAULT)
    assert address == grammar["messageExpression"]
    for pattern in (hosts.IPV4, hosts.IPV6):
        assert f"self.matches(r'^{pattern.pattern}$')" in grammar["rule"]
    assert grammar["rule"].endswith(host["x-kubernetes-validations"][0]["rule"])
    assert unicast["message"] == hosts.UNICAST_FAULT
    assert longest["message"] == hosts.TOO_LONG
    assert public == host["x-kubernetes-validations"][2]
    (repeated,) = SPEC["x-kubernetes-validations"]
    assert (repeated["message"], repeated["fieldPath"]) == (REPEATED_HOST, ".aliases")


def test_the_host_rules_are_the_same() -> None:
    grammar, _, public = _at("host")["x-kubernetes-validations"]
    assert grammar["messageExpression"] == _explanation()
    assert grammar["rule"].startswith(f"self.matches(r'^{hosts.GRAMMAR.pattern}$')")
    assert all(f"!self.matches(r'{fault}')" in grammar["rule"] for fault in hosts.NAME_FAULTS)
    listed = public["rule"].partition("![")[2].partition("]")[0]
    assert [name.strip().strip("'") for name in listed.split(",")] == [*hosts.PUBLIC_REGISTRIES]
    assert hosts.PUBLIC_FAULT in public["messageExpression"]


def test_the_allow_list_of_annotations_is_the_same() -> None:
    names, values = _at("ingress.annotations")["x-kubernetes-validations"]
    listed = names["rule"].partition("[")[2].partition("]")[0]
    assert [one.strip().strip("'") for one in listed.split(",")] == [*exposure.ALLOWED_ANNOTATIONS]
    assert exposure.ANNOTATION_VALUE.pattern in values["rule"]


def test_the_rules_of_the_selector_are_the_same() -> None:
    keys, values = _at("nodes.selector.matchLabels")["x-kubernetes-validations"]
    expression = _at("nodes.selector.matchExpressions")["items"]
    parts = expression["properties"]
    (key,) = parts["key"]["x-kubernetes-validations"]
    (value,) = parts["values"]["items"]["x-kubernetes-validations"]
    for rule in (keys, key):
        assert f"matches(r'^{selector.KEY.pattern}$')" in rule["rule"]
        assert rule["message"] == selector.KEY_FAULT
    for rule in (values, value):
        assert f"matches(r'^{selector.VALUE.pattern}$')" in rule["rule"]
        assert rule["message"] == selector.VALUE_FAULT
    assert str(selector.MAX_KEY) in keys["rule"]
    assert parts["key"]["maxLength"] == selector.MAX_KEY
    assert parts["operator"]["enum"] == [one.value for one in selector.Operator]
    told = [rule["message"] for rule in expression["x-kubernetes-validations"]]
    assert told == [selector.NO_VALUES, selector.NEEDLESS_VALUES]


@pytest.mark.parametrize(("path", "schema"), [*_walk(SCHEMA, "")], ids=lambda one: one or "root")
def test_every_field_is_described_and_bounded(path: str, schema: dict[str, Any]) -> None:
    is_inner = path.endswith("[]") or path == ".metadata"
    assert is_inner or schema.get("description", "").endswith(".")
    if schema.get("type") == "string" and path not in (".apiVersion", ".kind"):
        assert {"maxLength", "enum", "format"} & schema.keys()
    if schema.get("type") == "array":
        assert "maxItems" in schema
        assert "x-kubernetes-list-type" in schema
    if "additionalProperties" in schema:
        assert "maxProperties" in schema


def test_every_rule_has_a_sentence() -> None:
    rules = [
        rule
        for _, inner in _walk(SPEC, "spec")
        for rule in inner.get("x-kubernetes-validations", ())
    ]
    assert len(rules) > 20
    assert [rule for rule in rules if " " not in rule["message"]] == []
