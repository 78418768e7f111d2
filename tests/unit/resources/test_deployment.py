"""The registry's pod."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.resources import configmap, deployment
from localregistry.resources.config import OperatorConfig
from localregistry.usage import app, report
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
    container, _ = _pod(spec)["containers"]
    assert isinstance(container, dict)
    return container


def _usage(spec: dict[str, Any] | None = None) -> dict[str, Any]:
    _, container = _pod(spec)["containers"]
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
    pod = _pod()
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["containers"]:
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


# The second container


def test_the_usage_container_is_the_agents_image_and_reads_the_volume_only() -> None:
    config = OperatorConfig(agent_image="mirror/agent:1", image_pull_policy="Always")
    body = deployment.build(registry(), config)
    assert body is not None
    _, container = body["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("mirror/agent:1", "Always")
    assert container["args"] == ["usage"]
    assert container["volumeMounts"] == [
        {"name": "data", "mountPath": "/var/lib/registry", "readOnly": True}
    ]


def test_the_usage_container_has_no_probe_that_could_stop_the_registry() -> None:
    assert not [name for name in _usage() if name.endswith("Probe")]
    assert "lifecycle" not in _usage()


def test_the_usage_container_is_small_whatever_the_registry_gets() -> None:
    asked = {"resources": {"limits": {"memory": "8Gi"}}}
    assert _usage(asked)["resources"] == {
        "requests": {"cpu": "5m", "memory": "24Mi"},
        "limits": {"memory": "64Mi"},
    }
    assert _usage({"image": "mirror.example.com/registry:3"})["image"] == CONFIG.agent_image


@pytest.mark.parametrize("storage", [{"size": "1Gi"}, {"existingClaim": "x"}, {"ephemeral": True}])
def test_both_containers_see_the_same_volume_at_the_same_place(storage: dict[str, Any]) -> None:
    places = [
        (mount["name"], mount["mountPath"])
        for container in _pod({"storage": storage})["containers"]
        for mount in container["volumeMounts"]
        if mount["name"] == "data"
    ]
    assert places == [("data", "/var/lib/registry")] * 2


def test_the_usage_process_listens_where_the_pod_says_it_does() -> None:
    assert app.read_options([]).root == _usage()["volumeMounts"][0]["mountPath"]
    assert _usage()["ports"] == [{"name": "usage", "containerPort": report.PORT, "protocol": "TCP"}]
