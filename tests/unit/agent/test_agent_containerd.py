"""The containerd writer, and where it learns its directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import containerdconfig, endpoint
from localregistry.agent.containerd import Containerd
from localregistry.agent.containerdconfig import DEFAULT_LIST, Directory, Registry
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

from .standins import Calls, Node, listen, registry

CERTS = "/etc/containerd/certs.d"
FILE = f"{CERTS}/registry.example.internal/hosts.toml"


class Lab:
    """A node with a containerd 1.7 and the writer for it."""

    def __init__(self, directory: Path, config_path: str = CERTS, **registry_table: Any) -> None:
        self.directory = directory
        self.node = Node(directory)
        self.node.process(77, "/usr/bin/containerd")
        self.socket = listen(self.node.root / "run/containerd/containerd.sock")
        table = {"configPath": config_path, **registry_table}
        self.calls = Calls("containerd", "1.7.24", {"registry": table})
        self.restart_agent()
        self.before = self.node.snapshot()

    def restart_agent(self) -> None:
        self.journal = Journal(self.directory / "state")
        guest = Guest(HostRoot(self.node.root), self.journal)
        self.writer = Containerd(guest, self.node.processes, self.calls)

    def bring(self, *wanted: TrustedRegistry) -> Mapping[str, NodeResult]:
        found = self.writer.detect()
        plan = self.writer.plan(wanted, found)
        failed = {} if plan.idle else self.writer.apply(plan, found)
        return {**plan.refused, **failed}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    made = Lab(tmp_path)
    yield made
    made.socket.close()


def test_a_registry_comes_and_goes_without_a_trace(lab: Lab) -> None:
    wanted = registry("u1", "registry.example.internal", "a.example:5000", port=5000)
    assert lab.bring(wanted) == {}
    assert b'server = "http://10.96.0.7:5000"\n' in lab.node.read(FILE)
    assert lab.node.read(f"{CERTS}/a.example:5000/hosts.toml") == lab.node.read(FILE)
    assert lab.writer.plan([wanted], lab.writer.detect()).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


def test_directories_of_others_stay(lab: Lab) -> None:
    lab.node.write(f"{CERTS}/docker.io/hosts.toml", "server = 'x'\n")
    (lab.node.root / FILE.lstrip("/")).parent.mkdir()
    before = lab.node.snapshot()
    assert lab.bring(registry(), registry("u2", "b.example")) == {}
    assert lab.bring(registry("u2", "b.example")) == {}
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_new_address_and_an_edit_are_written_over(lab: Lab) -> None:
    lab.bring(registry())
    good = lab.node.read(FILE)
    lab.node.write(FILE, good + b"  skip_verify = true\n")
    assert lab.bring(registry()) == {}
    assert lab.node.read(FILE) == good
    assert lab.bring(registry(address="fd00::7")) == {}
    assert b'[host."http://[fd00::7]"]' in lab.node.read(FILE)


def test_a_cleared_directory_is_filled_again(lab: Lab) -> None:
    lab.bring(registry())
    good = lab.node.snapshot()
    for path in sorted((lab.node.root / CERTS.lstrip("/")).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() == good
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


@pytest.mark.parametrize("wanted", [(), (registry("u1", "other.example"),)])
def test_without_a_journal_our_header_tells(lab: Lab, wanted: tuple[TrustedRegistry, ...]) -> None:
    lab.bring(registry())
    (lab.directory / "state/journal.json").unlink()
    lab.restart_agent()
    assert lab.bring(*wanted) == {}
    assert not (lab.node.root / FILE.lstrip("/")).parent.exists()


def test_a_foreign_file_for_the_name_is_a_conflict_that_names_it(lab: Lab) -> None:
    lab.node.write(FILE, 'server = "https://his"\n')
    before = lab.node.snapshot()
    result = lab.bring(registry(), registry("u2", "b.example"))
    assert result.keys() == {"u1"}
    assert result["u1"].reason is NodeReason.CONTENDED
    assert FILE in result["u1"].message
    assert lab.bring() == {}
    assert lab.node.snapshot() == before


def test_a_directory_that_hides_ours_is_a_conflict(lab: Lab) -> None:
    lab.node.write(f"{CERTS}/a.example_5000_/hosts.toml", "")
    result = lab.bring(registry("u1", "a.example:5000"))
    assert result["u1"].reason is NodeReason.CONTENDED
    assert "a.example_5000_" in result["u1"].message


def test_a_link_out_of_the_directory_is_not_followed(lab: Lab) -> None:
    (lab.node.root / CERTS.lstrip("/")).mkdir()
    (lab.node.root / FILE.lstrip("/")).parent.symlink_to("/etc")
    before = lab.node.snapshot()
    assert lab.bring(registry())["u1"].reason is NodeReason.CONTENDED
    assert lab.node.snapshot() == before


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "_default", "*", "UPPER", ""])
def test_a_bad_name_changes_nothing(lab: Lab, name: str) -> None:
    assert lab.bring(registry("u1", name))["u1"].reason is NodeReason.UNSUPPORTED
    assert lab.node.snapshot() == lab.before


def test_no_config_path_is_reported_with_the_line_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    lab = Lab(tmp_path, "")
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.CONFIG_PATH_MISSING
    assert '[plugins."io.containerd.grpc.v1.cri".registry]' in result.message
    assert 'config_path = "/etc/containerd/certs.d"' in result.message
    assert "/etc/containerd/config.toml" in result.message
    assert lab.node.snapshot() == lab.before


def test_what_was_written_goes_even_if_config_path_went_before(lab: Lab) -> None:
    lab.bring(registry())
    lab.calls.answers["status"] = Calls("", "", {"registry": {}}).answers["status"]
    assert lab.bring(registry())["u1"].reason is NodeReason.CONFIG_PATH_MISSING
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_a_containerd_that_is_down_hinders_no_withdrawal(lab: Lab) -> None:
    lab.bring(registry())
    lab.calls.answers["version"] = {"error": {"message": "connection refused"}}
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.read(FILE)
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_dockers_containerd_is_not_the_kubelets(lab: Lab) -> None:
    lab.node.process(9, "/usr/bin/kubelet", "--container-runtime-endpoint=unix:///run/x.sock")
    other = listen(lab.node.root / "run/x.sock")
    found = lab.writer.detect()
    assert not isinstance(found, NodeResult)
    assert found.cri == lab.node.root / "run/x.sock"
    other.close()


def test_a_nested_containerd_is_not_this_nodes(lab: Lab) -> None:
    lab.node.process(77, "/usr/bin/containerd", nspid="77\t5")
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before


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


def test_two_containerds_that_answer_are_not_chosen_from(lab: Lab) -> None:
    other = listen(lab.node.root / "run/k0s/containerd.sock")
    before = lab.node.snapshot()
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "/run/containerd/containerd.sock, /run/k0s/containerd.sock" in result.message
    assert lab.node.snapshot() == before
    lab.node.write(
        "/var/lib/kubelet/c.yaml",
        'a: 1\ncontainerRuntimeEndpoint: "unix:///run/k0s/containerd.sock"\n',
    )
    lab.node.process(9, "/usr/bin/kubelet", "--config=/var/lib/kubelet/c.yaml")
    found = lab.writer.detect()
    assert not isinstance(found, NodeResult)
    assert found.cri == lab.node.root / "run/k0s/containerd.sock"
    other.close()
