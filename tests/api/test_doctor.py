"""`localregistry doctor` on a real API server: it names what is broken, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api import objects
from api.apiserver import ApiServer
from api.lab import Lab, open_lab
from api.people import Person, behind_service, outward
from api.standin import SYSTEM
from localregistry.trust import NodeReason, NodeResult

pytestmark = pytest.mark.ux

# What docs/reference/cli.md says that `doctor` needs to look at everything.
LOOKER = (
    ("localregistry.dev", "localregistries", "get,list"),
    ("", "nodes,namespaces,pods,services", "get,list"),
    ("", "pods/proxy", "get"),
    ("apps", "deployments,daemonsets", "get,list"),
    ("networking.k8s.io", "ingresses,ingressclasses", "get,list"),
    ("coordination.k8s.io", "leases", "get"),
    ("events.k8s.io", "events", "list"),
    ("authorization.k8s.io", "subjectaccessreviews", "create"),
)
MUTATING = ("create", "update", "patch", "delete", "deletecollection")
CLASS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {
        "name": "nginx",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
    },
    "spec": {"controller": "k8s.io/ingress-nginx"},
}
OPERATOR = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "localregistry",
        "namespace": SYSTEM,
        "labels": {
            "app.kubernetes.io/part-of": "localregistry",
            "app.kubernetes.io/component": "operator",
        },
    },
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "serviceAccountName": "localregistry",
                "containers": [{"name": "operator", "image": "operator"}],
            },
        },
    },
}
BINDING = "clusterrolebinding/localregistry"


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    """One node, whose agent the API server's proxy reaches, and a registry that is ready."""
    for opened in open_lab(api, namespace):
        api.kubectl("apply", "-f", "-", input=[CLASS, OPERATOR])
        available = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/localregistry/status"
        merge = "application/merge-patch+json"
        assert api.request("PATCH", path, {"status": available}, content_type=merge)[0] == 200
        opened.start_operator()
        opened.add_node("node-a", address=outward())
        opened.apply("dev", ingress={"className": "nginx"})
        opened.bring_up("dev")
        opened.wait_for("dev", "Ready", "Ready")
        yield opened
        api.kubectl("delete", "deployment/localregistry", "-n", SYSTEM)
        api.kubectl("delete", "ingressclass/nginx", "--ignore-not-found")


def looker(lab: Lab) -> Person:
    rules = [
        (group, resource, verbs)
        for group, resources, verbs in LOOKER
        for resource in resources.split(",")
    ]
    return Person.with_rights(lab.api, lab.namespace, "looker", *rules)


def doctor(lab: Lab, person: Person) -> tuple[int, dict[str, Any]]:
    """The exit code, and the cures by their sentences, but of the Ingress that nobody serves."""
    arguments = ("-n", lab.namespace, "--agent-port", str(lab.agent_port), "-o", "json")
    done = person.run("doctor", *arguments)
    assert done.returncode in (0, 1, 3), done.stderr
    absent = ("does not resolve on this machine", "Exposed says", "No pod of an Ingress controller")
    return done.returncode, {
        one["sentence"]: one["cure"]
        for one in json.loads(done.stdout)
        if one["severity"] != "note" and not any(words in one["sentence"] for words in absent)
    }


def sentences(lab: Lab, person: Person) -> list[str]:
    done = person.run("doctor", "-n", lab.namespace, "-o", "json")
    return [one["sentence"] for one in json.loads(done.stdout)]


def mends(found: dict[str, str], words: str) -> str:
    [cure] = [cure for sentence, cure in found.items() if words in sentence]
    return cure


def test_faults_are_named_and_once_mended_all_is_well(lab: Lab) -> None:
    person = looker(lab)
    assert doctor(lab, person) == (3, {})
    node = lab.nodes["node-a"]
    missing = NodeResult(NodeReason.CONFIG_PATH_MISSING, "Add the line, and restart containerd.")
    node.exceptions = lambda document: {entry.uid: missing for entry in document.registries}
    lab.api.kubectl("delete", "ingressclass/nginx")
    lab.api.kubectl(
        "label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce-", check=False
    )
    lab.api.kubectl(
        "label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=baseline", "--overwrite"
    )
    code, found = doctor(lab, person)
    assert code == 1
    assert mends(found, "this node: ConfigPathMissing") == missing.message
    assert "spec.ingress.className" in mends(found, "There is no IngressClass nginx")
    assert "enforce=privileged" in mends(found, "Pod Security (baseline)")
    node.exceptions = lambda document: {}
    lab.api.kubectl("apply", "-f", "-", input=CLASS)
    for command in mends(found, "Pod Security (baseline)").split(" && "):
        lab.api.kubectl(*command.removeprefix("kubectl ").split())
    assert doctor(lab, person) == (3, {})


def test_a_controllers_pod_is_found_by_the_label_of_its_chart(lab: Lab) -> None:
    person, words = looker(lab), "No pod of an Ingress controller"
    assert any(words in sentence for sentence in sentences(lab, person))
    meta = {"name": "controller", "namespace": lab.namespace}
    objects.apply(lab.api, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    for name in ("ingress-nginx", "nginx-ingress", "traefik"):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": lab.namespace,
                "labels": {"app.kubernetes.io/name": name},
            },
            "spec": {
                "serviceAccountName": "controller",
                "automountServiceAccountToken": False,
                "containers": [{"name": "controller", "image": "controller"}],
            },
        }
        objects.create(lab.api, pod)
        assert not any(words in sentence for sentence in sentences(lab, person)), name
        objects.delete(lab.api, f"/api/v1/namespaces/{lab.namespace}/pods/{name}")


def test_rights_that_the_operator_lost_are_named(lab: Lab) -> None:
    person = looker(lab)
    binding = lab.api.get(BINDING)
    lab.api.kubectl("delete", BINDING)
    try:
        code, found = doctor(lab, person)
    finally:
        kept = {key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
        kept["metadata"] = {key: binding["metadata"][key] for key in ("name", "labels")}
        lab.api.kubectl("apply", "-f", "-", input=kept)
    assert code == 1
    assert "Apply its roles again" in mends(
        found, "The operator lacks rights in the API: list local"
    )


def test_a_port_that_the_service_lost_while_nobody_looks_after_it_is_named(lab: Lab) -> None:
    person = looker(lab)
    assert lab.operator is not None
    lab.operator.process.stop()
    ports = lab.get("service", "dev-registry")["spec"]["ports"]
    kept = [port for port in ports if port["port"] != 443]
    path = f"/api/v1/namespaces/{lab.namespace}/services/dev-registry"
    merge = "application/merge-patch+json"
    body = {"spec": {"ports": kept}}
    assert lab.api.request("PATCH", path, body, content_type=merge)[0] == 200
    code, found = doctor(lab, person)
    assert code == 1
    assert "kubectl delete service dev-registry" in mends(found, "has lost port 443")


def test_it_asks_and_changes_nothing(lab: Lab) -> None:
    """By the audit log: no mutating verb but on reviews, which are questions."""
    behind_service(lab, "dev")
    person = looker(lab)
    assert person.run("doctor", "-n", lab.namespace).returncode in (1, 3)
    asked = person.asked(lab.api)
    assert len(asked) > 10
    written = {event["objectRef"]["resource"] for event in asked if event["verb"] in MUTATING} - {
        "subjectaccessreviews",
        "selfsubjectaccessreviews",
    }
    assert written == set()


def test_without_rights_it_says_what_it_has_not_seen(lab: Lab) -> None:
    done = Person.with_rights(lab.api, lab.namespace, "stranger").run("doctor", "-o", "json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    unseen = {
        one["sentence"].split(" not seen: ")[0] for one in found if "not seen" in one["sentence"]
    }
    assert {"Nodes", "The operator", "LocalRegistries", "Ingress classes"} <= unseen
    assert all("You may not" in one["sentence"] for one in found if "not seen" in one["sentence"])
