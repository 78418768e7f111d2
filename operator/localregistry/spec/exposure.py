"""`spec.ingress`, `spec.service` and `spec.page`: the ways to the registry from outside a node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .fields import Fields, InvalidSpec
from .storage import OBJECT_NAME

_NGINX = "nginx.ingress.kubernetes.io/"
_F5 = "nginx.org/"

# An Ingress annotation can be code for the controller (snippets), send requests elsewhere or
# switch a check off for everybody behind it. These can only tune the way to this registry.
ALLOWED_ANNOTATIONS = (
    f"{_NGINX}proxy-body-size",
    f"{_NGINX}proxy-buffering",
    f"{_NGINX}proxy-buffer-size",
    f"{_NGINX}proxy-buffers-number",
    f"{_NGINX}proxy-request-buffering",
    f"{_NGINX}proxy-max-temp-file-size",
    f"{_NGINX}proxy-connect-timeout",
    f"{_NGINX}proxy-read-timeout",
    f"{_NGINX}proxy-send-timeout",
    f"{_NGINX}client-body-buffer-size",
    f"{_NGINX}limit-connections",
    f"{_NGINX}limit-rps",
    f"{_NGINX}limit-rpm",
    f"{_NGINX}limit-rate",
    f"{_NGINX}limit-rate-after",
    f"{_NGINX}whitelist-source-range",
    f"{_NGINX}denylist-source-range",
    f"{_NGINX}service-upstream",
    f"{_NGINX}ssl-redirect",
    f"{_NGINX}force-ssl-redirect",
    f"{_F5}client-max-body-size",
    f"{_F5}proxy-buffering",
    f"{_F5}proxy-buffers",
    f"{_F5}proxy-buffer-size",
    f"{_F5}proxy-max-temp-file-size",
    f"{_F5}proxy-connect-timeout",
    f"{_F5}proxy-read-timeout",
    f"{_F5}proxy-send-timeout",
    f"{_F5}redirect-to-https",
    "cert-manager.io/issuer",
    "cert-manager.io/cluster-issuer",
)
# Numbers, sizes, times, on/off, networks and names; nothing that could end an nginx directive.
ANNOTATION_VALUE = re.compile("[A-Za-z0-9 .,:/_-]{0,512}")


DEFAULT_SERVICE_PORT = 80
PORT_FAULT = "must be a port from 1 to 65535"
NODE_PORT_FAULT = "nodePort is for the types NodePort and LoadBalancer only"


class ServiceType(StrEnum):
    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


@dataclass(frozen=True)
class Service:
    """How the registry is shared by address: `port` of the Service's address, and `node_port` of
    every node's, which is the cluster's choice where it is None."""

    type: ServiceType = ServiceType.CLUSTER_IP
    port: int = DEFAULT_SERVICE_PORT
    node_port: int | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> Service:
        """Raises InvalidSpec."""
        for name in ("port", "nodePort"):
            if fields.has(name) and not 1 <= fields.number(name) <= 65535:
                raise InvalidSpec(f"{fields.at(name)} {PORT_FAULT}")
        service = cls(
            fields.one_of("type", ServiceType, default=ServiceType.CLUSTER_IP),
            fields.number("port") or DEFAULT_SERVICE_PORT,
            fields.number("nodePort") or None,
        )
        if service.node_port and service.type is ServiceType.CLUSTER_IP:
            raise InvalidSpec(f"{fields.path}: {NODE_PORT_FAULT}")
        return service


@dataclass(frozen=True)
class Page:
    """What people see at the registry's host."""

    enabled: bool = True

    @classmethod
    def from_fields(cls, fields: Fields) -> Page:
        """Raises InvalidSpec."""
        return cls(enabled=fields.flag("enabled", default=True))


@dataclass(frozen=True)
class Ingress:
    """`class_name` None means the cluster's default class, chosen when the Ingress is created."""

    enabled: bool = True
    class_name: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    tls_secret: str | None = None

    @classmethod
    def from_fields(cls, fields: Fields) -> Ingress:
        """Raises InvalidSpec."""
        tls = fields.object("tls")
        ingress = cls(
            enabled=fields.flag("enabled", default=True),
            class_name=fields.text("className"),
            annotations=fields.texts("annotations"),
            tls_secret=tls.required_text("secretName") if fields.has("tls") else None,
        )
        for where, name in (
            (fields.at("className"), ingress.class_name),
            (tls.at("secretName"), ingress.tls_secret),
        ):
            if name is not None and not OBJECT_NAME.fullmatch(name):
                raise InvalidSpec(f"{where} must be the name of an object")
        _check_annotations(ingress.annotations, fields.at("annotations"))
        return ingress


def _check_annotations(annotations: Mapping[str, str], path: str) -> None:
    for name, value in annotations.items():
        if name not in ALLOWED_ANNOTATIONS:
            raise InvalidSpec(f"{path} must not hold {name[:317]}: it is not on the allow-list")
        if not ANNOTATION_VALUE.fullmatch(value):
            raise InvalidSpec(
                f"{path} must have values of letters, digits, spaces and .,:/_- only ({name})"
            )
