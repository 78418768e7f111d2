"""What the operator may do, by install.yaml, and what it did, by the API server's audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from api.apiserver import REPOSITORY
from api.standin import SYSTEM

ACCOUNT = f"system:serviceaccount:{SYSTEM}:localregistry"

# As the API server notes who allowed a request, and as it refuses one.
_ALLOWED = re.compile(r'of (ClusterRole|Role) "localregistry" to ServiceAccount')
_REFUSED = re.compile(r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"')


class Right(NamedTuple):
    """One verb on one resource, and the kind of role that grants it."""

    role: str
    group: str
    resource: str
    verb: str


def granted() -> set[Right]:
    """Every right of every rule, as it is installed."""
    documents = yaml.safe_load_all((REPOSITORY / "manifests/install.yaml").read_text())
    return {
        Right(role["kind"], group, resource, verb)
        for role in documents
        if role["kind"] in ("ClusterRole", "Role")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """The operator's requests to all API servers whose audit logs lie below the folder."""
    for log in {path.resolve() for path in folder.rglob("audit.log")}:
        for line in log.read_text().splitlines():
            # Where the API server was killed the last line may be half a one.
            if ACCOUNT in line and line.endswith("}"):
                event: dict[str, Any] = json.loads(line)
                if event["user"]["username"] == ACCOUNT:
                    yield event


def used(found: Iterable[dict[str, Any]]) -> set[Right]:
    """The rights that were needed. An apply that made an object needed create beside patch."""
    rights = set()
    for event in found:
        allowed = _ALLOWED.search(event["annotations"].get("authorization.k8s.io/reason", ""))
        if not allowed:
            continue
        right = Right(allowed[1], *_target(event), event["verb"])
        rights.add(right)
        if right.verb == "patch" and (event.get("responseStatus") or {}).get("code") == 201:
            rights.add(right._replace(verb="create"))
    return rights


def refused(found: Iterable[dict[str, Any]]) -> set[tuple[str, str, str, bool]]:
    """(group, resource, verb, in the operator's own namespace) that the operator lacked."""
    lacking = set()
    for event in found:
        answer = _REFUSED.search((event.get("responseStatus") or {}).get("message") or "")
        if answer:
            verb, resource, group = answer.groups()
            own = (event.get("objectRef") or {}).get("namespace") == SYSTEM
            lacking.add((group, resource, verb, own))
    return lacking


def _target(event: dict[str, Any]) -> tuple[str, str]:
    target = event["objectRef"]
    resource, part = target["resource"], target.get("subresource")
    return target.get("apiGroup", ""), f"{resource}/{part}" if part else resource
