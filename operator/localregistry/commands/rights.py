"""What the user and the operator may do, by the API server's own reviews: POSTs that store nothing.

The user's own review is open to everybody; that of another account takes an administrator's right
(`create` on `subjectaccessreviews`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from localregistry.commands.cluster import Cluster
from localregistry.spec.names import GROUP, PLURAL

_REVIEWS = "/apis/authorization.k8s.io/v1"


class Right(NamedTuple):
    """One verb on one resource; `resource` with its subresource after a slash."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


CREATE = Right("create", GROUP, PLURAL)
# One of each rule of the operator's ClusterRole: where one is missing, the rule is.
OPERATOR = (
    Right("list", GROUP, PLURAL),
    Right("patch", GROUP, PLURAL),
    Right("patch", GROUP, f"{PLURAL}/status"),
    Right("patch", "", "configmaps"),
    Right("patch", "", "services"),
    Right("patch", "", "persistentvolumeclaims"),
    Right("patch", "apps", "deployments"),
    Right("patch", "networking.k8s.io", "ingresses"),
    Right("list", "", "nodes"),
)


def may_i(cluster: Cluster, right: Right, namespace: str) -> bool:
    return _allowed(cluster, "SelfSubjectAccessReview", right, {}, namespace)


def lacking(cluster: Cluster, account: str) -> list[Right]:
    """Those that the operator, as this user name, lacks in the cluster. Raises Refused."""
    kind, user = "SubjectAccessReview", {"user": account}
    return [right for right in OPERATOR if not _allowed(cluster, kind, right, user, "")]


def _allowed(
    cluster: Cluster, kind: str, right: Right, more: dict[str, Any], namespace: str
) -> bool:
    resource, _, part = right.resource.partition("/")
    asked = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": part}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": kind,
        "spec": {"resourceAttributes": asked | {"namespace": namespace}, **more},
    }
    answer = cluster.ask(f"{_REVIEWS}/{kind.lower()}s", review)
    return bool((answer.get("status") or {}).get("allowed"))
