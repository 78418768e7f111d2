"""The Ingress: large bodies, slow clients, and no annotation that was not allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localregistry.resources import ingress
from localregistry.spec.exposure import Ingress
from unit.resources.registries import CONFIG, registry

_NGINX = "nginx.ingress.kubernetes.io"


def _build(
    settings: dict[str, Any] | None = None, host: str = "a.b", **spec: Any
) -> dict[str, Any]:
    body = ingress.build(registry({"host": host, "ingress": settings or {}, **spec}), CONFIG)
    assert body is not None
    return body


def _leads(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Path, kind of path and port, where all lead to the registry's own Service."""
    found = []
    for path in body["spec"]["rules"][0]["http"]["paths"]:
        service = path["backend"]["service"]
        assert service["name"] == "dev-registry"
        found.append((path["path"], path["pathType"], service["port"]["name"]))
    return found


def test_there_is_none_where_it_is_disabled() -> None:
    assert ingress.build(registry({"ingress": {"enabled": False}}), CONFIG) is None


def test_the_rule_is_for_the_name_without_its_port_and_leads_to_plain_http() -> None:
    body = _build(host="registry.example.com:5000")
    [rule] = body["spec"]["rules"]
    assert rule["host"] == "registry.example.com"
    assert _leads(body) == [("/v2/", "Prefix", "http"), ("/", "Prefix", "page")]


def test_without_a_page_all_leads_to_the_registry() -> None:
    body = _build(page={"enabled": False})
    assert _leads(body) == [("/", "Prefix", "http")]
    old = ingress.build(registry({"host": "a.b"}), CONFIG, page=False)
    assert old == body, "as long as the container beside the registry has none"


def test_the_page_changes_nothing_of_the_way_to_the_registry() -> None:
    on, off = _build(), _build(page={"enabled": False})
    assert on["metadata"] == off["metadata"]
    [(_, kind, port)] = _leads(off)
    assert _leads(on)[0] == ("/v2/", kind, port)


def test_each_name_has_one_rule_and_an_address_none() -> None:
    aliases = ["a.b:5000", "c.d:5000", "10.0.0.1:30500", "[fd00::1]:80", "e.f"]
    tls = {"tls": {"secretName": "cert"}}
    body = ingress.build(registry({"host": "a.b", "aliases": aliases, "ingress": tls}), CONFIG)
    assert body is not None
    rules = body["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["a.b", "c.d", "e.f"]
    assert all(rule["http"] == rules[0]["http"] for rule in rules)
    assert body["spec"]["tls"] == [{"hosts": ["a.b", "c.d", "e.f"], "secretName": "cert"}]


def test_a_class_is_only_named_where_the_user_named_one() -> None:
    assert "ingressClassName" not in _build()["spec"]
    assert _build({"className": "nginx"})["spec"]["ingressClassName"] == "nginx"


def test_bodies_are_unlimited_and_not_stored_on_the_way() -> None:
    annotations = _build()["metadata"]["annotations"]
    assert annotations[f"{_NGINX}/proxy-body-size"] == "0"
    assert annotations["nginx.org/client-max-body-size"] == "0"
    assert annotations[f"{_NGINX}/proxy-request-buffering"] == "off"
    assert annotations[f"{_NGINX}/proxy-buffer-size"] == "64k"
    assert annotations[f"{_NGINX}/proxy-read-timeout"] == "900"
    assert annotations["nginx.org/proxy-send-timeout"] == "900s"


def test_there_is_no_redirect_until_there_is_tls() -> None:
    plain = _build()
    assert plain["metadata"]["annotations"][f"{_NGINX}/ssl-redirect"] == "false"
    assert "tls" not in plain["spec"]
    secured = _build({"tls": {"secretName": "cert"}}, host="a.b:5000")
    assert f"{_NGINX}/ssl-redirect" not in secured["metadata"]["annotations"]
    assert secured["spec"]["tls"] == [{"hosts": ["a.b"], "secretName": "cert"}]


def test_the_users_annotations_win() -> None:
    body = _build({"annotations": {f"{_NGINX}/proxy-body-size": "2g"}})
    assert body["metadata"]["annotations"][f"{_NGINX}/proxy-body-size"] == "2g"


def test_what_is_not_allowed_is_left_out_even_if_nothing_had_refused_it() -> None:
    smuggled = Ingress(annotations={f"{_NGINX}/server-snippet": "x", f"{_NGINX}/auth-url": "y"})
    plain = registry()
    body = ingress.build(replace(plain, spec=replace(plain.spec, ingress=smuggled)), CONFIG)
    assert body == ingress.build(plain, CONFIG)


def test_no_snippet_is_ever_written() -> None:
    assert not [name for name in _build()["metadata"]["annotations"] if "snippet" in name]
