"""The Ingress: the way of people and CI to the registry."""

from __future__ import annotations

from typing import Any

from localregistry.spec.exposure import ALLOWED_ANNOTATIONS
from localregistry.spec.names import child_name
from localregistry.spec.registry import LocalRegistry

from .config import OperatorConfig
from .meta import child_metadata
from .service import HTTP_PORT_NAME, PAGE_PORT_NAME

# A layer may be of any size and is passed on while it arrives; a slow client may pause for as
# long as distribution's own nginx recipe allows, 900 s.
_ALWAYS = {
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    # What nginx takes of an answer at a time: with its 4 KiB a pull goes a third slower.
    "nginx.ingress.kubernetes.io/proxy-buffer-size": "64k",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
    # F5's controller; it has no annotation for request buffering but snippets.
    "nginx.org/client-max-body-size": "0",
    "nginx.org/proxy-read-timeout": "900s",
    "nginx.org/proxy-send-timeout": "900s",
}
# A redirect to https would lead to a certificate that nobody trusts.
_WITHOUT_TLS = {
    "nginx.ingress.kubernetes.io/ssl-redirect": "false",
    "nginx.ingress.kubernetes.io/force-ssl-redirect": "false",
}


def build(
    registry: LocalRegistry, config: OperatorConfig, *, page: bool = True
) -> dict[str, Any] | None:
    """An Ingress for the DNS names, or None where `spec.ingress.enabled` is false.

    An address needs no rule, and the API has none for it. `page` false: the container beside the
    registry is too old to have one, so that all leads to the registry, as where it is disabled.
    """
    ingress = registry.spec.ingress
    names = list(dict.fromkeys(h.name for h in registry.spec.hosts if h.address is None))
    if not ingress.enabled:
        return None
    paths = _paths(registry, page=page and registry.spec.page.enabled)
    spec: dict[str, Any] = {
        "rules": [{"host": name, "http": {"paths": list(paths)}} for name in names]
    }
    if ingress.class_name is not None:
        spec["ingressClassName"] = ingress.class_name
    if ingress.tls_secret is not None:
        spec["tls"] = [{"hosts": names, "secretName": ingress.tls_secret}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": child_metadata(registry, annotations=_annotations(registry)),
        "spec": spec,
    }


def _paths(registry: LocalRegistry, *, page: bool) -> list[dict[str, Any]]:
    """The engine's API is all below /v2/."""
    if not page:
        return [_path(registry, "/", HTTP_PORT_NAME)]
    return [_path(registry, "/v2/", HTTP_PORT_NAME), _path(registry, "/", PAGE_PORT_NAME)]


def _path(registry: LocalRegistry, path: str, port: str) -> dict[str, Any]:
    backend = {"service": {"name": child_name(registry.name), "port": {"name": port}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}


def _annotations(registry: LocalRegistry) -> dict[str, str]:
    """Ours, and over them the user's as far as the allow-list has them."""
    ingress = registry.spec.ingress
    ours = _ALWAYS if ingress.tls_secret is not None else _ALWAYS | _WITHOUT_TLS
    users = {
        name: value for name, value in ingress.annotations.items() if name in ALLOWED_ANNOTATIONS
    }
    return ours | users
