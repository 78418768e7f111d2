"""manifests/base and its overlays, by the kustomize that kubectl has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from api.apiserver import REPOSITORY, binaries
from chart.helms import Helm, Manifest, case, of_kind
from manifests import plain

MANIFESTS = REPOSITORY / "manifests"


def built(folder: Path) -> list[Manifest]:
    command = [str(binaries("kubectl") / "kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    # kustomize warns of what it will read no longer.
    assert done.stderr == ""
    return [item for item in yaml.load_all(done.stdout, yaml.CSafeLoader) if item]


def keyed(items: list[Manifest]) -> dict[tuple[str, str], str]:
    found = {
        (item["kind"], item["metadata"]["name"]): json.dumps(item, sort_keys=True) for item in items
    }
    assert len(found) == len(items)
    return found


def test_the_default_is_what_install_yaml_holds() -> None:
    single = list(yaml.load_all((MANIFESTS / "install.yaml").read_text(), yaml.CSafeLoader))
    assert keyed(built(MANIFESTS / "overlays/default")) == keyed(single)


def test_the_least_privilege_is_the_charts(helms: dict[str, Helm]) -> None:
    rendered = helms["helm"].template("--set", "agent.privileged=false")
    # The order of an environment means nothing here, and kustomize changes it.
    wanted, found = (
        plain.installed(yaml.safe_dump_all(rendered)),
        built(MANIFESTS / "overlays/least-privilege"),
    )
    for items in (wanted, found):
        [container] = of_kind(items, "Deployment")["spec"]["template"]["spec"]["containers"]
        container["env"].sort(key=lambda item: str(item["name"]))
    assert keyed(found) == keyed(wanted)


def test_an_overlay_of_the_users_moves_all_of_it_to_another_namespace(tmp_path: Path) -> None:
    # kustomize takes no absolute path, and none that a link leads to.
    base = Path(*[".."] * (len(tmp_path.resolve().parts) - 1)) / (MANIFESTS / "base").relative_to(
        "/"
    )
    (tmp_path / "kustomization.yaml").write_text(
        f"namespace: elsewhere\nresources: [{base}]\n", encoding="utf-8"
    )
    items = built(tmp_path.resolve())
    assert of_kind(items, "Namespace")["metadata"]["name"] == "elsewhere"
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        [subject] = of_kind(items, kind)["subjects"]
        assert subject["namespace"] == "elsewhere"
    namespaces = {item["metadata"].get("namespace", "elsewhere") for item in items}
    assert namespaces == {"elsewhere"}


def test_the_overlay_of_the_documentation_reaches_all_three_images(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/how-to/air-gap.md").read_text()
    [text] = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", page, re.DOTALL)
    for name in ("crds", "manifests"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    (tmp_path / "manifests/overlays/mine").mkdir()
    (tmp_path / "manifests/overlays/mine/kustomization.yaml").write_text(text)
    deployment = of_kind(built(tmp_path / "manifests/overlays/mine"), "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    images = {item["value"] for item in container["env"] if item["name"].endswith("_IMAGE")}
    assert {image.partition("/")[0] for image in (container["image"], *images)} == {
        "mirror.example.internal"
    }
    assert len(images) == 2


@pytest.mark.parametrize("change", [None, "crds", "chart"])
def test_verify_finds_what_is_not_as_its_source_says(
    tmp_path: Path, helms: dict[str, Helm], change: str | None
) -> None:
    """The real generator with the real Helm, on a copy."""
    for name in ("crds", "docs", "manifests", "operator/localregistry"):
        source, target = REPOSITORY / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", str(source), str(target)], check=True)
    files = {"crds": "crds/localregistries.yaml", "chart": "manifests/chart/templates/role.yaml"}
    if change:
        with (tmp_path / files[change]).open("a") as file:
            file.write("# changed\n")
    command = [sys.executable, "manifests/generate.py", "--check"]
    command += ["--helm", str(helms["helm"].program)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == (1 if change else 0), done.stderr
    assert ("manifests/base/operator.yaml" in done.stderr) is bool(change)


def test_the_values_of_a_case_change_nothing_of_the_plain_files(helms: dict[str, Helm]) -> None:
    # Both are made with the chart's defaults alone.
    assert keyed(helms["helm"].template()) == keyed(helms["helm"].template(case("default")))
