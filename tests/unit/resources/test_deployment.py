"""The registry's pod."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.resources import configmap, deployment
from unit.resources.registries import CONFIG, registry


def _spec(spec: dict[str, Any] | None = None, *, name: str = "dev") -> dict[str, Any]:
    body = deployment.build(registry(spec, name=name), CONFIG)
    assert body is not None
    inner: dict[str, Any] = body["spec"]
    return inner


def _pod(spec: dict[str, Any] | None = None) -> dict[str, Any]:
    pod: dict[str, Any] = _spec(spec)["template"]["spec"]
    return pod


def _container(spec: dict[str, Any] | None = None) -> dict[str, Any]:
    [container] = _pod(spec)["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize(
    ("storage", "volume"),
    [
        ({"size": "1Gi"}, {"persistentVolumeClaim": {"claimName": "dev-registry"}}),
        ({"existingClaim": "old"}, {"persistentVolumeClaim": {"claimName": "old"}}),
        ({"ephemeral": True}, {"emptyDir": {}}),
    ],
)
def test_the_volume_is_of_the_kind_asked_for(
    storage: dict[str, Any], volume: dict[str, Any]
) -> None:
    [data] = [one for one in _pod({"storage": storage})["volumes"] if one["name"] == "data"]
    assert data == {"name": "data", **volume}


@pytest.mark.parametrize(
    ("storage", "strategy"),
    [
        ({"size": "1Gi"}, "Recreate"),
        ({"size": "1Gi", "accessModes": ["ReadWriteOncePod"]}, "Recreate"),
        ({"size": "1Gi", "accessModes": ["ReadWriteMany"]}, "RollingUpdate"),
        ({"existingClaim": "old"}, "Recreate"),
        ({"existingClaim": "old", "accessModes": ["ReadWriteMany"]}, "RollingUpdate"),
        ({"ephemeral": True}, "Recreate"),
    ],
)
def test_only_a_shared_volume_lets_two_pods_overlap(storage: dict[str, Any], strategy: str) -> None:
    assert _spec({"storage": storage})["strategy"] == {"type": strategy}


def test_the_pod_runs_where_the_restricted_standard_holds() -> None:
    pod, container = _pod(), _container()
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_no_environment_of_other_services_becomes_a_setting_of_the_engine() -> None:
    assert _pod()["enableServiceLinks"] is False


def test_readiness_follows_the_storage_and_liveness_does_not() -> None:
    container = _container()
    assert container["readinessProbe"]["httpGet"] == {"path": "/", "port": "registry"}
    assert container["livenessProbe"]["tcpSocket"] == {"port": "registry"}


def test_a_starting_pod_is_found_ready_within_a_second() -> None:
    startup = _container()["startupProbe"]
    assert (startup["tcpSocket"], startup["periodSeconds"]) == ({"port": "registry"}, 1)


def test_the_pod_outlives_the_drain() -> None:
    assert _pod()["terminationGracePeriodSeconds"] > configmap.DRAIN_SECONDS


def test_a_changed_configuration_makes_a_new_pod() -> None:
    annotations = _spec()["template"]["metadata"]["annotations"]
    checksum = configmap.checksum(registry())
    assert annotations == {"localregistry.dev/config-checksum": checksum}


def test_the_selector_matches_the_pod_and_holds_nothing_that_may_change() -> None:
    spec = _spec()
    selector, labels = spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert set(selector) == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
    }


def test_two_registries_of_one_namespace_do_not_select_each_others_pods() -> None:
    assert _spec(name="a")["selector"] != _spec(name="b")["selector"]


def test_what_the_user_says_of_the_pod_is_passed_on() -> None:
    asked = {
        "image": "mirror.example.com/registry:3",
        "imagePullSecrets": [{"name": "hub"}],
        "resources": {"limits": {"memory": "2Gi"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {"x": []}},
    }
    pod, container = _pod(asked), _container(asked)
    assert container["image"] == asked["image"]
    assert container["resources"] == asked["resources"]
    for field in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity"):
        assert pod[field] == asked[field]


def test_without_a_wish_the_pod_has_the_operators_values() -> None:
    pod, container = _pod(), _container()
    assert container["image"] == CONFIG.registry_image
    assert container["resources"] == deployment.DEFAULT_RESOURCES
    assert not {"imagePullSecrets", "nodeSelector", "tolerations", "affinity"} & pod.keys()
