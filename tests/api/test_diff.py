"""`localregistry diff` by a real API server's dry run: what it says is what comes, and it stores
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.apiserver import ApiServer
from api.lab import LREG, Lab, open_lab
from api.operators import deployed
from api.people import Person

pytestmark = pytest.mark.ux

CHILDREN = ("configmap", "pvc", "deployment", "service", "ingress")
# What docs/reference/cli.md says that `diff` needs.
EDITOR = (
    ("localregistry.dev", "localregistries", "get,list"),
    ("", "configmaps", "get,create,patch"),
    ("", "persistentvolumeclaims", "get,create,patch"),
    ("", "services", "get,create,patch"),
    ("apps", "deployments", "get,list,create,patch"),
    ("networking.k8s.io", "ingresses", "get,create,patch"),
)


@pytest.fixture
def lab(api: ApiServer, namespace: str) -> Iterator[Lab]:
    for opened in open_lab(api, namespace):
        with deployed(api):
            opened.start_operator()
            opened.apply("dev", storage={"size": "20Gi"})
            opened.bring_up("dev")
            opened.wait_for("dev", "RegistryAvailable", "DeploymentAvailable")
            yield opened


def versions(lab: Lab) -> dict[str, str]:
    return {kind: lab.get(kind, "dev-registry")["metadata"]["resourceVersion"] for kind in CHILDREN}


def test_what_it_says_is_what_comes_and_nothing_is_stored(lab: Lab, tmp_path: Path) -> None:
    editor = Person.with_rights(lab.api, lab.namespace, "editor", *EDITOR)
    lab.wait_quiet()
    same = editor.run("diff", "dev", "-n", lab.namespace)
    assert (same.returncode, same.stdout) == (0, ""), same.stderr
    before = versions(lab)
    body = lab.get(LREG, "dev")
    body["spec"]["host"] = "new.example.internal"
    body["spec"]["storage"]["size"] = "30Gi"
    file = tmp_path / "dev.yaml"
    file.write_text(yaml.safe_dump(body))
    told = editor.run("diff", str(file))
    assert told.returncode == 1, told.stderr
    assert "+  - host: new.example.internal" in told.stdout
    assert "# PersistentVolumeClaim dev-registry: does not grow (ResizeRefused): " in told.stdout
    assert "only dynamically provisioned pvc can be resized" in told.stdout
    assert "# Deployment" not in told.stdout
    assert versions(lab) == before
    for event in editor.asked(lab.api):
        assert event["verb"] in ("get", "list", "patch")
        assert event["verb"] != "patch" or "dryRun=All" in event["requestURI"]


def test_a_new_one_comes_whole_and_a_change_by_hand_is_told(lab: Lab, tmp_path: Path) -> None:
    editor = Person.with_rights(lab.api, lab.namespace, "editor", *EDITOR)
    new = {
        "apiVersion": "localregistry.dev/v1alpha1",
        "kind": "LocalRegistry",
        "metadata": {"name": "new"},
        "spec": {"host": "other.example.internal", "storage": {"size": "1Gi"}},
    }
    file = tmp_path / "new.yaml"
    file.write_text(yaml.safe_dump(new))
    told = editor.run("diff", str(file), "-n", lab.namespace)
    assert told.returncode == 1, told.stderr
    assert told.stdout.count("--- /dev/null") == len(CHILDREN)
    assert "is not in the cluster: ownerReferences and http.secret will differ" in told.stdout
    assert not lab.exists("service", "new-registry")
    assert lab.operator is not None
    lab.operator.process.stop()
    lab.api.kubectl("scale", "deployment/dev-registry", "-n", lab.namespace, "--replicas=0")
    told = editor.run("diff", "dev", "-n", lab.namespace)
    assert told.returncode == 1, told.stderr
    assert "-  replicas: 0\n+  replicas: 1" in told.stdout


def test_what_is_wrong_is_one_sentence(lab: Lab, tmp_path: Path) -> None:
    editor = Person.with_rights(lab.api, lab.namespace, "editor", *EDITOR)
    reader = Person.with_rights(lab.api, lab.namespace, "reader", EDITOR[0], EDITOR[4])
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: LocalRegistry\napiVersion: localregistry.dev/v1alpha1\nspec: {host: '*'}")
    for person, arguments, words in (
        (editor, ("dve", "-n", lab.namespace), "Did you mean dev?"),
        (editor, ("no.yaml",), "No such file or directory"),
        (editor, (str(bad),), "metadata.name"),
        (reader, ("dev", "-n", lab.namespace), "You may not do that: configmaps"),
        (editor, ("dev", "--operator-namespace", "x"), "There is no operator in x"),
    ):
        done = person.run("diff", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
