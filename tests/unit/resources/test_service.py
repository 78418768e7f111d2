"""The Service: every port leads to plain http."""

from __future__ import annotations

import pytest

from localregistry.resources import deployment, service
from unit.resources.registries import CONFIG, registry


@pytest.mark.parametrize(
    ("host", "ports"),
    [
        ("a.b", {80: "http", 443: "http-443"}),
        ("a.b:80", {80: "http", 443: "http-443"}),
        ("a.b:443", {80: "http", 443: "http-443"}),
        ("a.b:5000", {80: "http", 443: "http-443", 5000: "http-5000"}),
        ("a.b:65535", {80: "http", 443: "http-443", 65535: "http-65535"}),
    ],
)
def test_the_ports_are_those_that_clients_may_ask_for(host: str, ports: dict[int, str]) -> None:
    body = service.build(registry({"host": host}), CONFIG)
    assert body is not None
    assert {port["port"]: port["name"] for port in body["spec"]["ports"]} == ports
    for port in body["spec"]["ports"]:
        assert (port["targetPort"], port["appProtocol"]) == (deployment.PORT_NAME, "http")
        # The limit of a port's name, and what Ingress controllers guess TLS from.
        assert len(port["name"]) <= 15
        assert not port["name"].startswith("https")


@pytest.mark.parametrize("host", ["a.b", "a.b:443", "a.b:5000"])
def test_a_service_as_built_serves_its_own_host_and_not_another_port(host: str) -> None:
    body = service.build(registry({"host": host}), CONFIG)
    assert body is not None
    assert service.serves(body, registry({"host": host}))
    assert not service.serves(body, registry({"host": "a.b:5001"}))
    assert not service.serves({"spec": {}}, registry({"host": host}))


def test_the_target_is_a_port_of_the_pod() -> None:
    body = deployment.build(registry(), CONFIG)
    assert body is not None
    [container] = body["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {deployment.PORT_NAME: 5000, "metrics": 5001}


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_the_type_is_the_users(kind: str) -> None:
    body = service.build(registry({"service": {"type": kind}}), CONFIG)
    assert body is not None
    assert body["spec"]["type"] == kind
