"""The operator's rights, rule by rule: a new right is a decision, and changes this table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

Manifest = dict[str, Any]
Grant = tuple[str, str, str]

WATCHED = {"get", "list", "watch"}
CHILD = WATCHED | {"create", "patch"}

CLUSTER_WIDE: dict[tuple[str, str], set[str]] = {
    ("localregistry.dev", "localregistries"): WATCHED | {"patch"},
    ("localregistry.dev", "localregistries/status"): {"patch"},
    ("", "configmaps"): CHILD,
    ("", "services"): CHILD,
    ("", "persistentvolumeclaims"): CHILD | {"delete"},
    ("apps", "deployments"): CHILD,
    ("networking.k8s.io", "ingresses"): CHILD | {"delete"},
    ("", "nodes"): {"list", "watch"},
    ("coordination.k8s.io", "leases"): {"list"},
    ("events.k8s.io", "events"): {"create", "list", "watch"},
}
OWN_NAMESPACE: dict[tuple[str, str], set[str]] = {
    ("apps", "daemonsets"): CHILD,
    ("", "pods"): {"list", "watch", "patch"},
    ("coordination.k8s.io", "leases"): {"get", "create", "update"},
}

FORBIDDEN_RESOURCES = {
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/ephemeralcontainers",
    "nodes/proxy",
    "services/proxy",
    "roles",
    "clusterroles",
    "rolebindings",
    "clusterrolebindings",
    "customresourcedefinitions",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
}
FORBIDDEN_VERBS = {"*", "escalate", "bind", "impersonate", "deletecollection"}
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def grants(role: Manifest) -> Iterator[Grant]:
    """Each (group, resource, verb) that a role allows."""
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


def table(role: Manifest) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for group, resource, verb in grants(role):
        found.setdefault((group, resource), set()).add(verb)
    return found


@pytest.fixture
def roles(one: Any) -> list[Manifest]:
    return [one("ClusterRole"), one("Role")]


@pytest.mark.parametrize(
    ("kind", "expected"), [("ClusterRole", CLUSTER_WIDE), ("Role", OWN_NAMESPACE)]
)
def test_the_operator_has_exactly_these_rights(
    one: Any, kind: str, expected: dict[tuple[str, str], set[str]]
) -> None:
    assert table(one(kind)) == expected


def test_no_verb_is_granted_twice_in_one_role(roles: list[Manifest]) -> None:
    for role in roles:
        listed = list(grants(role))
        assert len(listed) == len(set(listed))


def test_nothing_is_granted_by_a_wildcard(roles: list[Manifest]) -> None:
    named = {part for role in roles for grant in grants(role) for part in grant}
    assert "*" not in named
    assert not [name for name in named if "*" in name]
    assert not [rule for role in roles for rule in role["rules"] if "nonResourceURLs" in rule]


def test_nothing_leads_to_more_rights(roles: list[Manifest]) -> None:
    resources = {resource for role in roles for _, resource, _ in grants(role)}
    verbs = {verb for role in roles for _, _, verb in grants(role)}
    groups = {group for role in roles for group, _, _ in grants(role)}
    assert not resources & FORBIDDEN_RESOURCES
    assert not verbs & FORBIDDEN_VERBS
    assert "rbac.authorization.k8s.io" not in groups


def test_what_reaches_the_nodes_is_written_in_the_operators_namespace_only(one: Any) -> None:
    cluster_wide_writes = {r for _, r, verb in grants(one("ClusterRole")) if verb in WRITES}
    assert not cluster_wide_writes & {"daemonsets", "leases", "pods", "nodes"}


def test_both_bindings_name_the_one_account_and_nobody_else(one: Any) -> None:
    account = one("ServiceAccount")["metadata"]
    for kind, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
        binding = one(kind)
        assert binding["subjects"] == [
            {
                "kind": "ServiceAccount",
                "name": account["name"],
                "namespace": account["namespace"],
            }
        ]
        assert binding["roleRef"]["kind"] == role
        assert binding["roleRef"]["name"] == one(role)["metadata"]["name"]


def test_the_role_is_in_the_operators_namespace(one: Any) -> None:
    namespace = one("Namespace")["metadata"]["name"]
    assert one("Role")["metadata"]["namespace"] == namespace
    assert one("RoleBinding")["metadata"]["namespace"] == namespace
