"""The Service: what nodes and the Ingress reach the registry by."""

from __future__ import annotations

from typing import Any

from localregistry.spec.registry import LocalRegistry
from localregistry.usage import report

from .config import OperatorConfig
from .deployment import PORT_NAME, USAGE_PORT_NAME
from .meta import child_metadata, registry_selector

HTTP_PORT = 80
HTTP_PORT_NAME = "http"
HTTPS_PORT = 443
PAGE_PORT_NAME = "page"


def build(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any] | None:
    """A Service whose ports all lead to the registry's plain-http port, but those for usage and
    for the page."""
    asked = registry.spec.service
    ports = [_port(number) for number in sorted(_ports(registry))]
    if asked.node_port:
        next(port for port in ports if port["port"] == asked.port)["nodePort"] = asked.node_port
    ports.append(_beside(USAGE_PORT_NAME, usage_port(registry), USAGE_PORT_NAME))
    if registry.spec.page.enabled:
        # By number: a port in the pod's template would restart each registry once.
        ports.append(_beside(PAGE_PORT_NAME, page_port(registry), report.PAGE_PORT))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(registry),
        "spec": {
            "type": asked.type.value,
            "selector": registry_selector(registry),
            "ports": ports,
        },
    }


def serves(live: dict[str, Any], registry: LocalRegistry) -> bool:
    """Whether a Service as read has all ports by which nodes may know the registry."""
    ports = (live.get("spec") or {}).get("ports") or ()
    return _named_ports(registry) <= {port.get("port") for port in ports}


def usage_port(registry: LocalRegistry) -> int:
    """Where the operator asks how much is used: 9810, or the next that no name of it needs."""
    return _free(report.PORT, _ports(registry))


def page_port(registry: LocalRegistry) -> int:
    """Where the Ingress leads people: 9811, or the next that nothing else of it needs."""
    return _free(report.PAGE_PORT, _ports(registry) | {usage_port(registry)})


def _free(first: int, taken: set[int]) -> int:
    return next(number for number in range(first, 65536) if number not in taken)


def _ports(registry: LocalRegistry) -> set[int]:
    return {HTTP_PORT, HTTPS_PORT, registry.spec.service.port} | _named_ports(registry)


def _named_ports(registry: LocalRegistry) -> set[int]:
    return {host.port or HTTP_PORT for host in registry.spec.hosts}


def _port(number: int) -> dict[str, Any]:
    """One port.

    docker tries https first, on 443: a TLS hello that plain http answers makes it fall back at
    once, where a port that nobody serves would make it wait. The name of 443 must not begin with
    `https`, nor its protocol be guessed, or an Ingress controller would talk TLS to it.
    """
    return {
        "name": HTTP_PORT_NAME if number == HTTP_PORT else f"http-{number}",
        "port": number,
        "targetPort": PORT_NAME,
        "protocol": "TCP",
        "appProtocol": "http",
    }


def _beside(name: str, number: int, target: str | int) -> dict[str, Any]:
    """A port of the container beside the registry."""
    return {
        "name": name,
        "port": number,
        "targetPort": target,
        "protocol": "TCP",
        "appProtocol": "http",
    }
