"""What a user marks secret, or writes where secrets may stand, is told to nobody."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.processes import wait_until
from api.standin import SYSTEM
from localregistry.trust import NodeReason, NodeResult

# In the content of a Secret that spec.imagePullSecrets names, in an annotation of the LocalRegistry
# (and in what kubectl keeps of it), and in one that goes to the Ingress.
PASSWORD, NOTE, INGRESS = "password-4d1f0c", "note-77ab3e", "range-5e0c21"
MARKERS = (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), NOTE, INGRESS)
ANNOTATION = "nginx.ingress.kubernetes.io/denylist-source-range"


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    yield from open_lab(api, namespace)


def secret(name: str) -> dict[str, Any]:
    account = {"username": "u", "password": PASSWORD, "auth": base64.b64encode(b"u:p").decode()}
    content = {"auths": {"registry.example.com": account}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "annotations": {"note": NOTE}},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps(content)},
    }


def apply(lab: Lab, **spec: Any) -> None:
    """As a user with `kubectl apply`, which keeps all of it in an annotation once more."""
    body = {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": "dev", "namespace": lab.namespace, "annotations": {"note": NOTE}},
        "spec": {
            "host": "dev.example.internal",
            "imagePullSecrets": [{"name": "pull"}],
            "ingress": {"annotations": {ANNOTATION: INGRESS}},
            **spec,
        },
    }
    lab.api.kubectl("apply", "-f", "-", input=body)


class Seen:
    """All that the operator has told so far, in any of its ways."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.statuses: list[str] = []

    def look(self) -> None:
        self.statuses.append(json.dumps(self._lab.get(LREG, "dev").get("status")))

    def texts(self) -> dict[str, str]:
        assert self._lab.operator
        told = {
            "the log, with debug": self._lab.operator.log,
            "the statuses": "\n".join(self.statuses),
        }
        for kind, where in (
            ("events.events.k8s.io", "-A"),
            ("configmaps", f"-n{self._lab.namespace}"),
            ("deployments", f"-n{self._lab.namespace}"),
            ("services", f"-n{self._lab.namespace}"),
            ("configmaps", f"-n{SYSTEM}"),
            ("daemonsets", f"-n{SYSTEM}"),
            ("pods", f"-n{SYSTEM}"),
            ("leases", f"-n{SYSTEM}"),
        ):
            told[f"{kind} {where}"] = json.dumps(self._lab.api.get(kind, where))
        return told


def test_nothing_secret_is_told_in_a_whole_life(lab: Lab) -> None:
    lab.start_operator()
    lab.api.kubectl("apply", "-n", lab.namespace, "-f", "-", input=secret("pull"))
    node = lab.add_node("node-a")
    seen = Seen(lab)
    # Create, with the Ingress's name taken by somebody else's.
    blocker = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "dev-registry", "annotations": {"note": NOTE}},
        "spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}},
    }
    lab.api.kubectl("apply", "-n", lab.namespace, "-f", "-", input=blocker)
    apply(lab)
    lab.wait_for("dev", "Exposed", "NameConflict")
    seen.look()
    lab.api.kubectl("delete", "ingress", "dev-registry", "-n", lab.namespace)
    # Fail, on a node.
    node.exceptions = lambda document: {
        entry.uid: NodeResult(NodeReason.PULL_FAILED, "HTTP 500") for entry in document.registries
    }
    lab.bring_up("dev")
    lab.wait_for("dev", "NodesReady", "NodesFailing", timeout=30)
    seen.look()
    node.exceptions = lambda _: {}
    lab.wait_for("dev", "Ready", "Ready", timeout=30)
    seen.look()
    # Both do reach what they are for: otherwise nothing is shown by their absence elsewhere.
    wait_until(lambda: lab.exists("ingress", "dev-registry"), timeout=20, what="the Ingress")
    assert lab.get("ingress", "dev-registry")["metadata"]["annotations"][ANNOTATION] == INGRESS
    pod = lab.get("deployment", "dev-registry")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    # Change: an invalid one is refused, a valid one makes a roll-out.
    refusal = lab.api.kubectl(
        *("patch", LREG, "dev", "-n", lab.namespace, "--type=merge"),
        *("-p", json.dumps({"spec": {"host": "Not A Host"}})),
        check=False,
    )
    assert refusal.returncode != 0
    lab.api.kubectl("delete", "secret", "pull", "-n", lab.namespace)
    apply(lab, imagePullSecrets=[{"name": "another"}])
    lab.api.kubectl("apply", "-n", lab.namespace, "-f", "-", input=secret("another"))
    wait_until(
        lambda: "another" in json.dumps(lab.get("deployment", "dev-registry")["spec"]),
        timeout=20,
        what="the change",
    )
    seen.look()
    # Delete.
    lab.delete(LREG, "dev")
    time.sleep(2)
    texts = seen.texts()
    assert "dev.example.internal" in texts["the log, with debug"]
    assert "NameConflict" in texts["events.events.k8s.io -A"]
    told = [(where, m) for where, text in texts.items() for m in MARKERS if m in text]
    assert told == []


def test_the_operator_never_asks_for_a_secret(lab: Lab) -> None:
    since = time.monotonic()
    lab.start_operator()
    lab.api.kubectl("apply", "-n", lab.namespace, "-f", "-", input=secret("pull"))
    apply(lab)
    lab.wait_for_children("dev")
    lab.wait_quiet()
    asked = {(event.get("objectRef") or {}).get("resource") for event in lab.requests(since)}
    assert "deployments" in asked
    assert "secrets" not in asked
