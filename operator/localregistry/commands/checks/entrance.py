"""The Ingress: its class and controller, this machine's DNS, and what answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from localregistry.commands.findings import Finding, error, warning
from localregistry.commands.survey import Children, Survey

DEFAULT = "ingressclass.kubernetes.io/is-default-class"
# Those whose annotations the operator sets, by spec.controller of their class.
NGINX = ("k8s.io/ingress-nginx", "nginx.org/ingress-controller")


def check(survey: Survey) -> Iterator[Finding]:
    """Before there is any LocalRegistry only the classes are looked at."""
    if not survey.registries:
        yield from _classes(survey)
    for one in survey.registries:
        if one.ingress is not None:
            yield from _class(survey, one, one.ingress)
            yield from _door(one)


def _classes(survey: Survey) -> Iterator[Finding]:
    if survey.classes == []:
        yield warning(
            "ingress",
            "The cluster has no IngressClass: a push from outside has no way in.",
            "Install an Ingress controller, or push from inside: spec.ingress.enabled: false.",
        )
    elif survey.classes and not any(map(_is_default, survey.classes)):
        names = ", ".join(item["metadata"]["name"] for item in survey.classes)
        yield warning(
            "ingress",
            f"None of the IngressClasses ({names}) is the default one.",
            "Set spec.ingress.className in each LocalRegistry.",
        )


def _class(survey: Survey, one: Children, ingress: Any) -> Iterator[Finding]:
    if survey.classes is None:
        return
    name = (ingress.get("spec") or {}).get("ingressClassName")
    by_name = {item["metadata"]["name"]: item for item in survey.classes}
    chosen = by_name.get(name) if name else next(filter(_is_default, survey.classes), None)
    if chosen is None:
        said = f"There is no IngressClass {name}" if name else "There is no default IngressClass"
        known = ", ".join(by_name) or "none at all"
        yield error(
            one.about,
            f"{said}, so no controller takes the Ingress; there is {known}.",
            "Set spec.ingress.className to one of `kubectl get ingressclasses`.",
        )
        return
    controller = str((chosen.get("spec") or {}).get("controller") or "")
    if controller not in NGINX:
        yield warning(
            one.about,
            f"The Ingress controller {controller} does not read nginx's annotations, which lift "
            "the limits of body size and time.",
            "Lift its limits by its own means: no limit of the body, 900 s without a byte.",
        )
    elif survey.controllers == []:
        yield warning(
            one.about,
            f"No pod of an Ingress controller of {controller} is found by its usual labels.",
            "kubectl get pods -A | grep -i ingress",
        )


def _is_default(item: Any) -> bool:
    return bool((item["metadata"].get("annotations") or {}).get(DEFAULT) == "true")


def _door(one: Children) -> Iterator[Finding]:
    door, host = one.door, str(one.registry["spec"]["host"]).partition(":")[0]
    if door is None:
        return
    if not door.addresses:
        where = door.asked or "the Ingress controller's address"
        yield warning(
            f"dns {host}",
            f"{host} does not resolve on this machine, so nobody pushes from here; nodes need no "
            "DNS for it.",
            f"Add it to your DNS, or here: echo '{where} {host}' >> /etc/hosts",
        )
    if not door.asked or (not door.status and not door.words):
        return
    if door.words:
        sentence = f"Nothing answers http at {door.asked}: {door.words}."
        cure = "Let the name lead to the Ingress controller: kubectl get ingress -A"
        yield warning(one.about, sentence, cure)
    elif door.status == 413:
        yield error(
            one.about,
            f"{door.asked} limits the size of what is sent (413), so that pushes of large layers "
            "fail.",
            'Lift the controller\'s limit: nginx.ingress.kubernetes.io/proxy-body-size: "0", which '
            "the operator sets unless spec.ingress.annotations does otherwise.",
        )
    elif door.status in (301, 302, 307, 308):
        yield error(
            one.about,
            f"{door.asked} sends clients on to {door.location[:200]}.",
            'Take the redirect away (ssl-redirect: "false"), or give the Ingress a certificate: '
            "spec.ingress.tls.secretName.",
        )
    elif not door.is_registry:
        yield error(
            one.about,
            f"Something else than the registry answers for {host} at {door.asked} ({door.status}).",
            "Let the name lead to the Ingress controller, and look for another Ingress of that "
            "host: kubectl get ingress -A",
        )
