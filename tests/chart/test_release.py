"""`make release`, twice: what it makes, and that it makes the same. It needs a package index."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from api.apiserver import REPOSITORY
from chart.helms import Helm
from localregistry.version import VERSION

pytestmark = pytest.mark.long

MADE = {
    "SHA256SUMS",
    "clean-nodes.yaml",
    "crd.yaml",
    "install.yaml",
    f"localregistry-{VERSION}.tgz",
    f"localregistry_operator-{VERSION}-py3-none-any.whl",
    f"localregistry_operator-{VERSION}.tar.gz",
    "sbom-agent.cdx.json",
    "sbom-operator.cdx.json",
    "uninstall.yaml",
}


def release(helm: Helm, target: Path) -> Path:
    command = [sys.executable, "manifests/release.py", "--output", str(target)]
    done = subprocess.run(
        [*command, "--helm", str(helm.program)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def dist(helms: dict[str, Helm], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(helms["helm"], tmp_path_factory.mktemp("release") / "one")


def test_a_release_holds_these_files(dist: Path) -> None:
    assert {path.name for path in dist.iterdir()} == MADE


def test_its_checksums_are_of_its_files(dist: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(command, cwd=dist, check=False).returncode == 0


@pytest.mark.parametrize("image", ["operator", "agent"])
def test_each_bill_names_versions_and_licences(dist: Path, image: str) -> None:
    bill = json.loads((dist / f"sbom-{image}.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == VERSION
    for component in bill["components"]:
        assert component["version"], component["name"]
        assert component["licenses"], component["name"]


def test_both_helms_install_from_the_package(dist: Path, helms: dict[str, Helm]) -> None:
    for helm in helms.values():
        package = dist / f"localregistry-{VERSION}.tgz"
        assert helm.template(chart=package) == helm.template()


def test_the_source_distribution_holds_the_licence_and_no_test(dist: Path) -> None:
    with tarfile.open(dist / f"localregistry_operator-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
    assert not [name for name in names if name.startswith("bench/")]


def test_a_second_run_makes_the_same(dist: Path, helms: dict[str, Helm]) -> None:
    again = release(helms["helm"], dist.parent / "two")
    assert (again / "SHA256SUMS").read_text() == (dist / "SHA256SUMS").read_text()
