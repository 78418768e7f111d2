"""Objects written by HTTP, where kubectl takes a tenth of a core's second for each run."""

from __future__ import annotations

from typing import Any

from api.apiserver import ApiServer

Body = dict[str, Any]

# Of the kinds that tests write: where the group's API has them.
PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "CustomResourceDefinition": "customresourcedefinitions",
    "LocalRegistry": "localregistries",
    "Namespace": "namespaces",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "Pod": "pods",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def collection(body: Body) -> str:
    """The path of the objects of this one's kind, in its namespace where it has one."""
    version, namespace = body["apiVersion"], body["metadata"].get("namespace")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{where}/{PLURALS[body['kind']]}"


def apply(api: ApiServer, body: Body) -> None:
    """By server-side apply as kubectl does it, with conflicts won."""
    path = f"{collection(body)}/{body['metadata']['name']}?fieldManager=kubectl&force=true"
    _done(api.request("PATCH", path, body, content_type=APPLY))


def create(api: ApiServer, body: Body) -> None:
    """With what only its controller writes, the status, where it has one."""
    _done(api.request("POST", collection(body), body))
    if "status" in body:
        path = f"{collection(body)}/{body['metadata']['name']}/status"
        _done(api.request("PATCH", path, {"status": body["status"]}, content_type=MERGE))


def patch(api: ApiServer, path: str, change: Body) -> None:
    _done(api.request("PATCH", path, change, content_type=MERGE))


def delete(api: ApiServer, path: str) -> None:
    """At once, without a grace period; one that is not there is gone already."""
    answer = api.request("DELETE", f"{path}?gracePeriodSeconds=0")
    if answer[0] != 404:
        _done(answer)


def _done(answer: tuple[int, Body]) -> None:
    code, body = answer
    assert code in (200, 201, 202), f"{code}: {body.get('message')}"
