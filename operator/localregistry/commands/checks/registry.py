"""Each LocalRegistry: its conditions, its Service, and the user's own rights."""

from __future__ import annotations

from collections.abc import Iterator

from localregistry.commands import cures
from localregistry.commands.findings import Finding, error, note, warning
from localregistry.commands.survey import Children, Survey
from localregistry.resources import service
from localregistry.resources.config import OperatorConfig
from localregistry.spec.conditions import ConditionType
from localregistry.spec.names import child_name
from localregistry.spec.reasons import WARNINGS, Reason
from localregistry.spec.registry import InvalidSpec, LocalRegistry

# Theirs are the finding of each node, in checks/nodefiles.py.
_ELSEWHERE = (Reason.NODES_FAILING,)
# Nothing is wrong yet.
_SOON = (
    Reason.RECONCILING,
    Reason.NODES_PENDING,
    Reason.INGRESS_PENDING,
    Reason.DEPLOYMENT_PROGRESSING,
    Reason.CLAIM_PENDING,
    Reason.CLAIM_RESIZING,
    Reason.TERMINATING,
)


def check(survey: Survey) -> Iterator[Finding]:
    """The user's rights, then each registry."""
    if survey.creates is False:
        yield note("you", "You may not create LocalRegistries in this namespace.")
    for one in survey.registries:
        yield from _conditions(survey, one)
        yield from _service(one)


def _conditions(survey: Survey, one: Children) -> Iterator[Finding]:
    meta = one.registry["metadata"]
    said = (one.registry.get("status") or {}).get("conditions") or ()
    if not said:
        cure = f"kubectl get pods -n {survey.namespace}"
        yield error(one.about, "No operator has looked at this LocalRegistry.", cure)
    followed = {(c["reason"], c["message"]) for c in said if c["type"] != ConditionType.READY}
    for condition in said:
        reason, message = condition["reason"], condition["message"]
        if condition["type"] == ConditionType.READY and (reason, message) in followed:
            continue
        if (condition["status"] == "True" and reason not in WARNINGS) or reason in _ELSEWHERE:
            continue
        cure = cures.of(
            reason,
            namespace=meta["namespace"],
            name=meta["name"],
            child=child_name(meta["name"]),
            system=survey.namespace,
            storage=one.registry["spec"].get("storage"),
        )
        # A volume that is full is True, since pulls go on; to push is what does not work.
        mild = reason in _SOON or (reason in WARNINGS and reason != Reason.STORAGE_FULL)
        sentence = f"{condition['type']} says {reason}: {message}"
        yield (warning if mild else error)(one.about, sentence, cure)


def _service(one: Children) -> Iterator[Finding]:
    """What nodes reach it by. docker asks 443 first, and waits long where nobody answers there."""
    try:
        registry = LocalRegistry.from_body(one.registry)
    except InvalidSpec:
        return
    if one.service is None:
        return
    wanted = (service.build(registry, OperatorConfig()) or {})["spec"]["ports"]
    there = {port.get("port") for port in (one.service.get("spec") or {}).get("ports") or ()}
    missing = [str(port["port"]) for port in wanted if port["port"] not in there]
    if missing:
        name = child_name(registry.name)
        waits = ": docker nodes would wait for a time-out at each pull" if "443" in missing else ""
        yield error(
            one.about,
            f"Service {name} has lost port {', '.join(missing)}{waits}.",
            f"kubectl delete service {name} -n {registry.namespace}, which the operator makes anew"
            + (" once spec.suspend is false." if registry.spec.suspend else "."),
        )
