"""What manifests/generate.py derives, and that what is committed is what it derives."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from localregistry.version import VERSION
from manifests import plain

RENDERED = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: localregistries.localregistry.dev
  labels: {app.kubernetes.io/name: localregistry, helm.sh/chart: x}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: localregistry
  labels:
    app.kubernetes.io/name: localregistry
    app.kubernetes.io/managed-by: Helm
    helm.sh/chart: localregistry-0.1.0
  annotations: {helm.sh/resource-policy: keep}
spec:
  template:
    metadata:
      labels: {app.kubernetes.io/name: localregistry, helm.sh/chart: x}
    spec:
      containers: [{name: operator, env: [{name: AGENT_IMAGE, value: "agent:1"}]}]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: restore
  namespace: localregistry-system
  annotations: {helm.sh/hook: pre-delete, helm.sh/hook-weight: "0"}
spec:
  template:
    spec: {serviceAccountName: restore}
---
apiVersion: v1
kind: Pod
metadata:
  name: test
  annotations: {helm.sh/hook: test}
"""

BASE = ["kustomization.yaml", "crd-labels.yaml", "namespace.yaml", "rbac.yaml", "operator.yaml"]
BASE += ["policies.yaml"]
PLAIN = ["install.yaml", "uninstall.yaml", "clean-nodes.yaml", *BASE]


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """What the generator reads and writes, in a place of its own."""
    shutil.copytree(root / "manifests", tmp_path / "manifests")
    shutil.copytree(root / "operator/localregistry", tmp_path / "operator/localregistry")
    shutil.copytree(root / "docs/reference", tmp_path / "docs/reference")
    (tmp_path / "crds").mkdir()
    shutil.copy(root / "crds/localregistries.yaml", tmp_path / "crds")
    return tmp_path


@pytest.fixture
def fake_helm(tmp_path: Path) -> Callable[[str], str]:
    """A program in Helm's place, for what the real one does only when something is broken."""

    def make(script: str) -> str:
        path = tmp_path / "helm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def test_the_chart_has_the_version_of_the_package(root: Path) -> None:
    chart = yaml.safe_load((root / "manifests/chart/Chart.yaml").read_text())
    assert chart["version"] == VERSION
    assert chart["appVersion"] == VERSION


def test_the_chart_holds_the_crd_as_it_is(root: Path) -> None:
    source = (root / "crds/localregistries.yaml").read_text()
    copy = (root / "manifests/chart/files/localregistries.yaml").read_text()
    assert copy == source, "run: python3 manifests/generate.py"


@pytest.mark.parametrize("name", [*PLAIN[:3], *(f"base/{name}" for name in BASE)])
def test_each_manifest_was_made_from_the_chart_as_it_is(
    root: Path, generator: ModuleType, name: str
) -> None:
    lines = (root / "manifests" / name).read_text().splitlines()
    wanted = f"# Chart: {generator.digest(root / 'manifests/chart')}"
    assert lines[1] == wanted, "run: python3 manifests/generate.py"


def test_install_yaml_holds_the_crd_of_the_source(root: Path, one: Any) -> None:
    source = yaml.safe_load((root / "crds/localregistries.yaml").read_text())
    assert one("CustomResourceDefinition")["spec"] == source["spec"]


def test_both_versions_are_replaced_and_nothing_else(generator: ModuleType) -> None:
    before = "name: x\n# version: stays\nversion: 1.0.0\nappVersion: 1.0.0\nkubeVersion: '>=1'\n"
    after = "name: x\n# version: stays\nversion: 2.1.0\nappVersion: 2.1.0\nkubeVersion: '>=1'\n"
    assert generator.with_version(before, "2.1.0") == after


def test_a_version_file_without_a_version_is_told(generator: ModuleType) -> None:
    with pytest.raises(generator.CannotGenerate, match="assigns no VERSION"):
        generator.version_of("VERSION = read()")


def test_the_digest_follows_names_and_content(generator: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = generator.digest(tmp_path)
    assert generator.digest(tmp_path) == first
    (tmp_path / "a").write_text("2")
    second = generator.digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, generator.digest(tmp_path)}) == 3


def test_what_only_helm_understands_is_left_out() -> None:
    [_, _, deployment] = yaml.safe_load_all(plain.install(RENDERED, "abc"))
    assert deployment["metadata"] == {
        "name": "localregistry",
        "labels": {"app.kubernetes.io/name": "localregistry"},
    }
    assert deployment["spec"]["template"]["metadata"]["labels"] == {
        "app.kubernetes.io/name": "localregistry"
    }


def test_what_helm_runs_by_itself_is_not_installed() -> None:
    kinds = [item["kind"] for item in yaml.safe_load_all(plain.install(RENDERED, "abc"))]
    assert kinds == ["Namespace", "CustomResourceDefinition", "Deployment"]


def test_what_helm_runs_before_it_deletes_is_what_uninstall_yaml_holds() -> None:
    [job] = yaml.safe_load_all(plain.uninstall(RENDERED, "abc"))
    assert job["metadata"] == {"name": "restore", "namespace": "localregistry-system"}


def test_nodes_are_cleaned_in_a_namespace_of_its_own() -> None:
    documents = list(yaml.safe_load_all(plain.clean_nodes(RENDERED, "abc")))
    assert [item["kind"] for item in documents] == ["Namespace", "DaemonSet", "Job"]
    namespaces = {item["metadata"].get("namespace", "localregistry-clean") for item in documents}
    assert namespaces == {"localregistry-clean"}
    pod = documents[1]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "agent:1"


def test_writing_twice_writes_once(generator: ModuleType, tree: Path) -> None:
    (tree / "manifests/chart/files/localregistries.yaml").unlink()
    for name in plain.FILES:
        (tree / "manifests" / name).unlink()
    written = generator.generate(tree, lambda chart: RENDERED, write=True)
    assert [path.name for path in written] == ["localregistries.yaml", *PLAIN]
    assert generator.generate(tree, lambda chart: RENDERED, write=True) == []


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("crds/localregistries.yaml", ["localregistries.yaml", *PLAIN]),
        ("manifests/chart/values.yaml", PLAIN),
        ("manifests/install.yaml", ["install.yaml"]),
    ],
    ids=["the CRD", "the chart", "install.yaml itself"],
)
def test_a_check_finds_a_change_of(
    generator: ModuleType, tree: Path, changed: str, stale: list[str]
) -> None:
    generator.generate(tree, lambda chart: RENDERED, write=True)
    with (tree / changed).open("a") as file:
        file.write("\n# changed\n")
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}

    found = generator.generate(tree, lambda chart: RENDERED, write=False)

    assert [path.name for path in found] == stale
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_a_new_version_reaches_the_chart(generator: ModuleType, tree: Path) -> None:
    (tree / "operator/localregistry/version.py").write_text('VERSION = "9.9.9"\n')
    generator.generate(tree, lambda chart: RENDERED, write=True)
    chart = yaml.safe_load((tree / "manifests/chart/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == ("9.9.9", "9.9.9")


def test_a_missing_crd_is_told(generator: ModuleType, tree: Path) -> None:
    (tree / "crds/localregistries.yaml").unlink()
    with pytest.raises(generator.CannotGenerate, match=r"crds/localregistries\.yaml"):
        generator.generate(tree, lambda chart: RENDERED, write=True)


def test_helm_fails_in_its_own_words(
    generator: ModuleType, fake_helm: Callable[[str], str], tmp_path: Path
) -> None:
    helm = fake_helm("echo 'Error: no such template' >&2; exit 1")
    with pytest.raises(generator.CannotGenerate, match="Error: no such template"):
        generator.helm_template(helm, tmp_path)


def test_without_helm_the_way_on_is_told(
    generator: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generator.main(["--check", "--helm", "/nowhere/helm"]) == 2
    message = capsys.readouterr().err
    assert "/nowhere/helm was not found" in message
    assert "--helm PATH" in message


def test_a_failed_check_names_the_files_and_the_command(
    generator: ModuleType,
    tree: Path,
    fake_helm: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(generator, "ROOT", tree)
    helm = fake_helm(f"cat <<'END'\n{RENDERED}END")
    assert generator.main(["--helm", helm]) == 0
    assert generator.main(["--check", "--helm", helm]) == 0
    capsys.readouterr()
    (tree / "manifests/install.yaml").write_text("")

    assert generator.main(["--check", "--helm", helm]) == 1

    message = capsys.readouterr().err
    assert "manifests/install.yaml" in message
    assert "python3 manifests/generate.py" in message
