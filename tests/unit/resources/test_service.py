"""The Service: every port leads to plain http."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.resources import deployment, service
from localregistry.usage import report
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
    *leading, usage, page = body["spec"]["ports"]
    assert (usage["name"], page["name"]) == ("usage", "page")
    assert {port["port"]: port["name"] for port in leading} == ports
    for port in leading:
        assert (port["targetPort"], port["appProtocol"]) == (deployment.PORT_NAME, "http")
        # The limit of a port's name, and what Ingress controllers guess TLS from.
        assert len(port["name"]) <= 15
        assert not port["name"].startswith("https")


def test_every_alias_has_its_port_once() -> None:
    aliases = ["c.d:5000", "a.b:5000", "e.f", "10.0.0.1:30500", "[fd00::1]:9810", "c.d:443"]
    asked = registry({"host": "a.b:8080", "aliases": aliases})
    body = service.build(asked, CONFIG)
    assert body is not None
    ports = [port["port"] for port in body["spec"]["ports"]]
    assert ports == [80, 443, 5000, 8080, 9810, 30500, 9811, 9812]
    assert service.serves(body, asked)
    without = service.build(registry({"host": "a.b:8080"}), CONFIG)
    assert without is not None
    assert not service.serves(without, asked)


@pytest.mark.parametrize("host", ["a.b", "a.b:443", "a.b:5000"])
def test_a_service_as_built_serves_its_own_host_and_not_another_port(host: str) -> None:
    body = service.build(registry({"host": host}), CONFIG)
    assert body is not None
    assert service.serves(body, registry({"host": host}))
    assert not service.serves(body, registry({"host": "a.b:5001"}))
    assert not service.serves({"spec": {}}, registry({"host": host}))


def test_every_target_is_a_port_of_the_pod_and_the_metrics_are_no_target() -> None:
    body, served = deployment.build(registry(), CONFIG), service.build(registry(), CONFIG)
    assert body is not None
    assert served is not None
    containers = body["spec"]["template"]["spec"]["containers"]
    ports = {p["name"]: p["containerPort"] for one in containers for p in one["ports"]}
    assert ports == {deployment.PORT_NAME: 5000, "metrics": 5001, "usage": 9810}
    targets = {port["targetPort"] for port in served["spec"]["ports"]}
    # The page's by its number, since a port more in the template would make a new pod.
    assert targets == {deployment.PORT_NAME, "usage", report.PAGE_PORT}


@pytest.mark.parametrize(
    ("host", "port", "page"),
    [
        ("a.b", 9810, 9811),
        ("a.b:5000", 9810, 9811),
        ("a.b:9809", 9810, 9811),
        ("a.b:9810", 9811, 9812),
        ("a.b:9811", 9810, 9812),
    ],
)
def test_the_ports_for_usage_and_page_give_way_to_that_of_a_name(
    host: str, port: int, page: int
) -> None:
    asked = registry({"host": host})
    body = service.build(asked, CONFIG)
    assert body is not None
    numbers = [one["port"] for one in body["spec"]["ports"]]
    assert len(numbers) == len(set(numbers)), "a Service has each port once"
    assert service.usage_port(asked) == port == numbers[-2]
    assert service.page_port(asked) == page == numbers[-1]
    assert service.serves(body, asked)


def test_without_a_page_there_is_no_port_for_it_and_the_others_are_the_same() -> None:
    off, on = (
        service.build(registry({"page": {"enabled": enabled}}), CONFIG) for enabled in (False, True)
    )
    assert off is not None
    assert on is not None
    *others, page = on["spec"]["ports"]
    assert (off["spec"]["ports"], page["name"]) == (others, "page")


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_the_type_is_the_users(kind: str) -> None:
    body = service.build(registry({"service": {"type": kind}}), CONFIG)
    assert body is not None
    assert body["spec"]["type"] == kind


@pytest.mark.parametrize(
    ("asked", "ports"),
    [
        ({"port": 80}, {80: "http", 443: "http-443", 9810: "usage"}),
        ({"port": 5000}, {80: "http", 443: "http-443", 5000: "http-5000", 9810: "usage"}),
        ({"port": 443}, {80: "http", 443: "http-443", 9810: "usage"}),
        ({"port": 9810}, {80: "http", 443: "http-443", 9810: "http-9810", 9811: "usage"}),
    ],
)
def test_the_port_that_is_asked_for_comes_beside_those_that_nodes_need(
    asked: dict[str, Any], ports: dict[int, str]
) -> None:
    body = service.build(registry({"service": asked}), CONFIG)
    assert body is not None
    *leading, _ = body["spec"]["ports"]
    assert {port["port"]: port["name"] for port in leading} == ports


@pytest.mark.parametrize("port", [80, 443, 5000])
def test_the_node_port_is_that_of_the_asked_port_and_of_no_other(port: int) -> None:
    asked = {"type": "NodePort", "port": port, "nodePort": 30500}
    body = service.build(registry({"service": asked}), CONFIG)
    assert body is not None
    assert {p["port"]: p["nodePort"] for p in body["spec"]["ports"] if "nodePort" in p} == {
        port: 30500
    }


def test_without_one_the_cluster_chooses_the_node_ports() -> None:
    body = service.build(registry({"service": {"type": "NodePort", "port": 5000}}), CONFIG)
    assert body is not None
    assert not [port for port in body["spec"]["ports"] if "nodePort" in port]
