"""Which versions of Kubernetes the tests run on, and that they are those that users are told of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kind import build, gotools, settings, shell
from kind.settings import KUBERNETES, OTHERS, Settings, minor

OTHER = OTHERS[0]


def chosen(version: str) -> Settings:
    return settings.from_environment({"HOME": "/home/x", "KUBERNETES": version})


def places(version: str) -> dict[str, Path]:
    """Where each program is kept."""
    read = chosen(version)
    return {name: build.keyed(read, tool) for name, tool in gotools.of(read).items()}


@pytest.mark.parametrize("version", [KUBERNETES, *OTHERS])
def test_all_modules_of_a_version_are_of_that_version(version: str) -> None:
    text = (Path(gotools.of(chosen(version))["kubectl"].module_dir) / "go.mod").read_text()
    assert re.findall(r"\tk8s.io/kubernetes (\S+)", text) == [version]
    staging = re.findall(r"\tk8s.io/[a-z-]+ => k8s.io/[a-z-]+ (\S+)", text)
    assert len(staging) > 20
    assert set(staging) == {version.replace("v1.", "v0.")}


@pytest.mark.parametrize("written", ["1.34", "v1.34", OTHER, OTHER.removeprefix("v")])
def test_a_version_is_chosen_by_its_minor_version_or_whole(written: str) -> None:
    assert chosen(written).kubernetes == OTHER


@pytest.mark.parametrize("written", ["1.3", "1.34.999", "latest", "1"])
def test_a_version_without_modules_is_refused_and_the_others_named(written: str) -> None:
    with pytest.raises(shell.Failed, match=re.escape(", ".join((KUBERNETES, *OTHERS)))):
        chosen(written)


def test_without_a_choice_all_is_the_default() -> None:
    read = settings.from_environment({"HOME": "/home/x"})
    assert read == chosen(KUBERNETES)
    assert (read.kubernetes, read.other, read.apart) == (KUBERNETES, None, "")
    assert (read.cluster, read.bin.name) == ("localregistry", "bin")


def test_another_version_has_its_own_cluster_and_programs_and_shares_the_rest() -> None:
    default, other = chosen(KUBERNETES), chosen(OTHER)
    for place in ("cluster", "kubeconfig", "control_plane", "bin", "apart"):
        assert getattr(default, place) != getattr(other, place), place
    before, after = places(KUBERNETES), places(OTHER)
    apart = {name for name in before if before[name] != after[name]}
    assert apart == {tool.name for tool in gotools.of(other).values() if tool.apart}
    assert {"kube-apiserver", "kubelet"} < apart
    assert {after[name].parent for name in apart} == {before["etcd"].parent / "1.34"}


def test_they_are_the_oldest_and_the_newest_that_users_are_told_of(root: Path) -> None:
    oldest, newest = map(minor, OTHERS)
    chart = yaml.safe_load((root / "manifests/chart/Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={oldest}.0-0"
    for page in ("README.md", "docs/how-to/install.md", "manifests/chart/README.md"):
        text = (root / page).read_text()
        assert re.findall(r"Kubernetes (1\.\d+) or newer", text) == [oldest], page
    assert int(oldest[2:]) < int(minor(KUBERNETES)[2:]) < int(newest[2:])
