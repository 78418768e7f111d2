"""What a user may who is `edit` or `admin` in his own namespace, by the built-in roles."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, PATHS, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from api.test_hostpolicy import Grant, grant, withdrawn
from localregistry.spec import names

__all__ = ["grant"]

MERGE = "application/merge-patch+json"
PODS = "/api/v1/namespaces/{namespace}/pods"
TENANTS = ("edit", "admin")
# Put together by the API server's own controller from the roles that are labelled so.
GRANTED = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "tenants-edit-localregistries",
        "labels": {
            "rbac.authorization.k8s.io/aggregate-to-admin": "true",
            "rbac.authorization.k8s.io/aggregate-to-edit": "true",
        },
    },
    "rules": [{"apiGroups": [names.GROUP], "resources": [names.PLURAL], "verbs": ["*"]}],
}

# Of a user: method, path, body; the HTTP status.
Ask = Callable[[str, str, Any], int]


@pytest.fixture(scope="module")
def api(api_with_controllers: ApiServer) -> ApiServer:
    return api_with_controllers


def user_of(namespace: str, role: str) -> str:
    return f"{role}-of-{namespace}"


def can_make_registries(api: ApiServer, namespace: str, user: str) -> bool:
    asked = ("auth", "can-i", "create", LREG, "-n", namespace, f"--as={user}")
    return api.kubectl(*asked, check=False).stdout.strip() == "yes"


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    """A cluster whose tenants may make LocalRegistries: those of this namespace, and a registry of
    somebody else's in another one."""
    api.kubectl("apply", "-f", "-", input=GRANTED)
    for role in TENANTS:
        user = user_of(namespace, role)
        bind = ("create", "rolebinding", user, "-n", namespace)
        api.kubectl(*bind, f"--clusterrole={role}", f"--user={user}")
        may = functools.partial(can_make_registries, api, namespace, user)
        wait_until(may, timeout=30, what=f"{user} to have his rights")
    for opened in open_lab(api, namespace):
        opened.add_node("node-a")
        opened.start_operator()
        yield opened
    withdrawn(api)


def asking(lab: Lab, role: str) -> Ask:
    def ask(method: str, path: str, body: Any = None) -> int:
        kind = MERGE if method == "PATCH" else "application/json"
        user = user_of(lab.namespace, role)
        return lab.api.request(method, path, body, content_type=kind, user=user)[0]

    return ask


def lreg(name: str, host: str) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {"host": host},
    }


# What agents read and are, in the operator's namespace.
OBJECTS = {
    "the trust document": (PATHS["configmap"], "node-trust"),
    "the agents' DaemonSet": (PATHS["daemonset"], "node-agent"),
    "an agent's pod, whose annotation is its task": (PODS, "agent-node-a"),
    "the operator's Lease": (PATHS["lease"], "localregistry-operator"),
}


@pytest.mark.parametrize("role", TENANTS)
def test_what_agents_read_and_are_is_out_of_a_tenants_reach(lab: Lab, role: str) -> None:
    ask = asking(lab, role)
    collection = PATHS[LREG].format(namespace=lab.namespace)
    assert ask("POST", collection, lreg("dev", "dev.example.internal")) == 201
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=30)

    def stored() -> list[tuple[Any, ...]]:
        found = []
        for where, name in OBJECTS.values():
            code, body = lab.api.request("GET", f"{where.format(namespace=SYSTEM)}/{name}")
            assert code == 200, name
            found.append((body["metadata"]["uid"], body.get("data"), body.get("spec")))
        return found

    before = stored()
    harmless = {"metadata": {"annotations": {"a": "b"}}}
    for where, name in OBJECTS.values():
        path = where.format(namespace=SYSTEM)
        made = {"metadata": {"name": "theirs"}}
        assert [
            ask("GET", f"{path}/{name}", None),
            ask("PATCH", f"{path}/{name}", harmless),
            ask("PUT", f"{path}/{name}", made),
            ask("DELETE", f"{path}/{name}", None),
            ask("DELETE", path, None),
            ask("POST", path, made),
        ] == [403] * 6, name
    assert ask("POST", PATHS[LREG].format(namespace=SYSTEM), lreg("x", "x.example")) == 403
    nodes = "/api/v1/nodes/node-a"
    assert [ask("GET", nodes, None), ask("PATCH", nodes, harmless)] == [403, 403]
    assert stored() == before


@pytest.mark.parametrize("role", TENANTS)
def test_the_same_objects_in_his_own_namespace_are_the_tenants_and_nobody_reads_them(
    lab: Lab, role: str
) -> None:
    """That he may do there what he may not do elsewhere is the control of the test above."""
    ask = asking(lab, role)
    lab.apply("dev")
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=30)
    document = lab.trusted().to_json()
    labels = lab.get("configmap", "node-trust", SYSTEM)["metadata"]["labels"]
    theirs = {"metadata": {"name": "node-trust", "labels": labels}, "data": {"trust.json": "{}"}}
    path = PATHS["configmap"].format(namespace=lab.namespace)
    assert ask("POST", path, theirs) == 201
    daemonset = lab.get("daemonset", "node-agent", SYSTEM)
    meta = {key: daemonset["metadata"][key] for key in ("name", "labels")}
    theirs = {"metadata": meta, "spec": daemonset["spec"]}
    assert ask("POST", PATHS["daemonset"].format(namespace=lab.namespace), theirs) == 201
    # His own children he may spoil; they are put right.
    child = f"{PATHS['service'].format(namespace=lab.namespace)}/dev-registry"
    assert ask("PATCH", child, {"spec": {"selector": {"app": "theirs"}}}) == 200
    wait_until(
        lambda: "app" not in lab.get("service", "dev-registry")["spec"]["selector"],
        timeout=10,
        what="the Service to be put right",
    )
    assert lab.trusted().to_json() == document
    status = f"{PATHS[LREG].format(namespace=lab.namespace)}/dev/status"
    assert ask("PATCH", status, {"status": {"url": "http://theirs.example"}}) == 403


@pytest.mark.parametrize("role", TENANTS)
def test_a_host_of_somebody_elses_is_refused_by_admission_and_without_it_by_the_operator(
    lab: Lab, grant: Grant, role: str
) -> None:
    """By hostPolicy, which the cluster's administrator sets; his is every other host."""
    ask = asking(lab, role)
    table = [{"namespaces": [lab.namespace], "hosts": ["*.team.example"]}]
    grant(table)
    collection = PATHS[LREG].format(namespace=lab.namespace)
    for host in ("registry.other.example", "registry.other.example:5000"):
        assert ask("POST", collection, lreg("dev", host)) == 403
    assert ask("POST", collection, lreg("dev", "registry.team.example")) == 201
    moved = {"spec": {"host": "registry.other.example"}}
    more = {"spec": {"aliases": ["registry.other.example"]}}
    assert ask("PATCH", f"{collection}/dev", moved) == 403
    assert ask("PATCH", f"{collection}/dev", more) == 403
    policy = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/localregistry-hosts"
    assert ask("DELETE", policy, None) == 403, "it is not his to take away"

    assert lab.operator is not None
    lab.operator.process.stop()
    lab.start_operator(name="operator-1", environment={"HOST_POLICY": json.dumps(table)})
    lab.bring_up("dev")
    lab.wait_for("dev", "Ready", "Ready", timeout=40)
    withdrawn(lab.api)
    wait_until(
        lambda: ask("PATCH", f"{collection}/dev", moved) == 200, timeout=15, what="no policy"
    )
    told = lab.wait_for("dev", "NodesReady", "HostNotAllowed", status="False", timeout=20)
    assert "may not declare registry.other.example: hostPolicy grants it *.team" in told["message"]
    wait_until(lambda: lab.trusted().registries == (), timeout=10, what="the old trust to go")
    assert not lab.exists("ingress", "dev-registry")
