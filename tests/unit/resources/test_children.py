"""The children of the samples, whole, and what must hold of any child."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localregistry.render import render
from localregistry.resources.children import CHILDREN
from localregistry.resources.config import OperatorConfig
from unit.golden import assert_golden
from unit.resources.registries import CONFIG, SAMPLES, registry, sample
from unit.spec.bodies import UID
from unit.spec.good_specs import GOOD_SPECS

_NAMES = sorted(path.stem for path in SAMPLES.glob("*.yaml"))


def _children(spec: dict[str, Any] | None = None, *, name: str = "dev") -> list[dict[str, Any]]:
    built = (child.build(registry(spec, name=name), CONFIG) for child in CHILDREN)
    return [child for child in built if child is not None]


@pytest.mark.parametrize("name", _NAMES)
def test_a_sample_becomes_what_its_golden_file_says(
    request: pytest.FixtureRequest, name: str
) -> None:
    assert_golden(request, f"{name}.yaml", render(sample(name), CONFIG))


def test_there_are_samples() -> None:
    assert {"minimal", "full", "existing-claim", "ephemeral"} <= set(_NAMES)


def test_children_come_in_the_order_in_which_they_need_each_other() -> None:
    assert [child.kind for child in CHILDREN] == [
        "ConfigMap",
        "PersistentVolumeClaim",
        "Deployment",
        "Service",
        "Ingress",
    ]


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_a_child_says_what_it_is_and_whose(spec: dict[str, Any]) -> None:
    kinds = {child.kind: child.api_version for child in CHILDREN}
    for child in _children(spec):
        assert child["apiVersion"] == kinds[child["kind"]]
        metadata = child["metadata"]
        assert (metadata["name"], metadata["namespace"]) == ("dev-registry", "registries")
        assert metadata["labels"] == {
            "app.kubernetes.io/name": "registry",
            "app.kubernetes.io/instance": "dev",
            "app.kubernetes.io/component": "registry",
            "app.kubernetes.io/managed-by": "localregistry-operator",
            "app.kubernetes.io/part-of": "localregistry",
        }
        owners = metadata.get("ownerReferences", [])
        assert [owner["uid"] for owner in owners] == (
            [] if child["kind"] == "PersistentVolumeClaim" else [UID]
        )


@pytest.mark.parametrize("spec", GOOD_SPECS.values(), ids=GOOD_SPECS)
def test_rendering_twice_gives_the_same_and_no_null(spec: dict[str, Any]) -> None:
    first, second = _children(spec), _children(spec)
    assert first == second
    assert "null" not in json.dumps(first)


def test_building_does_not_share_what_a_caller_may_change() -> None:
    before = json.dumps(_children())
    for child in _children():
        _empty(child)
    assert json.dumps(_children()) == before


def test_the_operators_settings_reach_the_pod() -> None:
    image = "mirror.example.com/registry:3"
    config = OperatorConfig(registry_image=image, image_pull_policy="Always")
    pod = CHILDREN[2].build(registry(), config)
    assert pod is not None
    container, usage = pod["spec"]["template"]["spec"]["containers"]
    assert (container["image"], usage["image"]) == (image, config.agent_image)
    assert container["imagePullPolicy"] == usage["imagePullPolicy"] == "Always"


def _empty(value: Any) -> None:
    for inner in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _empty(inner)
    value.clear()
