"""Where containerd reads its registry directories from, by its own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from localregistry.agent import containerdconfig
from localregistry.agent.containerdconfig import DEFAULT_LIST, Directory, Registry
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeResult

CERTS = "/etc/containerd/certs.d"
FILE = f"{CERTS}/registry.example.internal/hosts.toml"


def _files(tmp_path: Path, files: Mapping[str, str]) -> HostRoot:
    for path, content in files.items():
        target = tmp_path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return HostRoot(tmp_path)


MAIN = "/etc/containerd/config.toml"
V3 = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\n"
V2_PLUGIN = 'plugins."io.containerd.grpc.v1.cri"'
IMAGES = "[plugins.'io.containerd.cri.v1.images']\n"
V2 = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n'

EFFECTIVE: dict[str, tuple[str, dict[str, str], Registry]] = {
    "no file, 2.1": ("2.1.9", {}, Registry("", legacy=False)),
    "no file, 2.2": ("2.2.0", {}, Registry(DEFAULT_LIST, legacy=False)),
    "version 3": ("2.1.9", {MAIN: f"{V3}config_path = '/a'\n"}, Registry("/a", legacy=False)),
    "version 2": ("2.1.9", {MAIN: f"{V2}config_path = '/a'\n"}, Registry("/a", legacy=False)),
    "mirrors turn the default off": (
        "2.2.2",
        {MAIN: f"{V2}mirrors = {{'docker.io' = {{}}}}\n"},
        Registry("", legacy=True, local_pull=True),
    ),
    "credentials do not": (
        "2.2.2",
        {MAIN: f"{V3}configs = {{'h' = {{auth = {{}}}}}}\n"},
        Registry(DEFAULT_LIST, legacy=True, local_pull=True),
    ),
    "version 1": (
        "2.1.9",
        {MAIN: "[plugins.cri.registry]\nconfig_path = '/a'\n"},
        Registry("/a", legacy=False),
    ),
    "a local pull by version 3": (
        "2.1.9",
        {MAIN: f"{V3}config_path = '/a:/b'\n{IMAGES}discard_unpacked_layers = true\n"},
        Registry("/a:/b", legacy=False, local_pull=True),
    ),
    "a local pull by version 2": (
        "2.1.9",
        {MAIN: f"version = 2\n[{V2_PLUGIN}.containerd]\ndiscard_unpacked_layers = true\n"},
        Registry("", legacy=False, local_pull=True),
    ),
    "the default number of downloads is none": (
        "2.1.9",
        {MAIN: f"{IMAGES}max_concurrent_downloads = 3\n"},
        Registry("", legacy=False),
    ),
    "an import of 2.x adds": (
        "2.1.9",
        {
            MAIN: f"imports = ['/etc/more.toml']\n{V3}config_path = '/a'\n",
            "/etc/more.toml": f"{IMAGES}max_concurrent_downloads = 5\n",
        },
        Registry("/a", legacy=False, local_pull=True),
    ),
    "an import of 1.x replaces": (
        "1.7.24",
        {
            MAIN: f"imports = ['/etc/more.toml']\n{V2}config_path = '/a'\n",
            "/etc/more.toml": f"version = 2\n[{V2_PLUGIN}]\nsandbox_image = 'x'\n",
        },
        Registry("", legacy=False),
    ),
    "tables of another form are none": ("2.1.9", {MAIN: "plugins = 1\n"}, Registry("", False)),
    "an import wins": (
        "2.1.9",
        {
            MAIN: f"imports = ['conf.d/*.toml']\n{V3}config_path = '/a'\n",
            "/etc/containerd/conf.d/10.toml": f"{V3}config_path = '/b'\n",
            "/etc/containerd/conf.d/20.conf": f"{V3}config_path = '/c'\n",
        },
        Registry("/b", legacy=False),
    ),
    "an import of itself ends": (
        "2.1.9",
        {MAIN: f"imports = ['{MAIN}']\n{V3}config_path = '/a'\n"},
        Registry("/a", legacy=False),
    ),
    "another plugin's config_path is another": (
        "2.1.9",
        {MAIN: "[plugins.'io.containerd.transfer.v1.local']\nconfig_path = '/a'\n"},
        Registry("", legacy=False),
    ),
}


@pytest.mark.parametrize(("version", "files", "expected"), EFFECTIVE.values(), ids=EFFECTIVE.keys())
def test_the_effective_table_of_2x(
    tmp_path: Path, version: str, files: dict[str, str], expected: Registry
) -> None:
    host = _files(tmp_path, files)
    assert containerdconfig.from_files(host, MAIN, version) == expected


def test_a_broken_config_is_named(tmp_path: Path) -> None:
    host = _files(tmp_path, {MAIN: "imports = ["})
    with pytest.raises(ValueError, match=r"/etc/containerd/config\.toml"):
        containerdconfig.from_files(host, MAIN, "2.1.9")


@pytest.mark.parametrize("info", [{}, {"config": ""}, {"config": "[]"}, {"config": "{}"}])
def test_a_status_without_registry_table_is_no_answer(info: dict[str, str]) -> None:
    assert containerdconfig.from_status(info) is None


def _directory(table: Registry, version: str) -> Directory | NodeResult:
    return containerdconfig.directory(table, version=version, file=MAIN, table="[t]")


@pytest.mark.parametrize(
    ("version", "local_pull", "doubtful"),
    [("2.1.9", False, True), ("2.4.0", False, True), ("2.2.0", True, False), ("1.7", False, False)],
)
def test_the_first_of_a_list_is_written_to_with_a_hint_where_it_may_not_be_split(
    version: str, local_pull: bool, doubtful: bool
) -> None:
    found = _directory(Registry("/a:/b", legacy=False, local_pull=local_pull), version)
    assert isinstance(found, Directory)
    assert found.path == "/a"
    assert ("'/a:/b'" in found.hint and MAIN in found.hint) is doubtful


def test_legacy_mirrors_must_go_before_config_path_comes() -> None:
    result = _directory(Registry("", legacy=True), "2.0.1")
    assert isinstance(result, NodeResult)
    assert "mirrors" in result.message


def test_a_path_that_is_in_use_is_written_to_beside_credentials() -> None:
    assert _directory(Registry("/a", legacy=True), "1.7.24") == Directory("/a")


TABLES = {
    "no file, 1.7": (None, "1.7.24", 'version = 2 [plugins."io.containerd.grpc.v1.cri".registry]'),
    "no file, 2.1": (
        None,
        "2.1.9",
        "version = 3 [plugins.'io.containerd.cri.v1.images'.registry]",
    ),
    "version 2 under 2.1": (V2, "2.1.9", '[plugins."io.containerd.grpc.v1.cri".registry]'),
    "version 3": (V3, "2.1.9", "[plugins.'io.containerd.cri.v1.images'.registry]"),
    "no version is 1": ("root = '/x'\n", "1.7.24", "[plugins.cri.registry]"),
}


@pytest.mark.parametrize(("content", "version", "table"), TABLES.values(), ids=TABLES.keys())
def test_the_table_to_add_is_one_that_the_file_is_read_for(
    tmp_path: Path, content: str | None, version: str, table: str
) -> None:
    host = _files(tmp_path, {} if content is None else {MAIN: content})
    assert containerdconfig.table_of(host, MAIN, version) == table
