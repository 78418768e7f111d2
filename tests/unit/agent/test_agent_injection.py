"""Names that would be more than a name, in a document that no CRD has checked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.agent import cridropin, daemonjson, endpoint, hoststoml, names
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason, TrustDocument

from .labs import KINDS, NAME, RuntimeLab, peer
from .standins import registry

TOML = 'x"]\n[host."http://evil"]\ncapabilities=["pull"]'
JSON = 'x","0.0.0.0/0'
HOSTS = "x\n10.0.0.66 registry.k8s.io"
TEMPLATES = (
    "{{ .Values }}",
    "{% raw %}",
    "$(reboot)",
    "`reboot`",
    "${IFS}",
    "%2e%2e",
    "a;b",
    "a\0b",
)
PATHS = ("", ".", "..", "../../../cron.d/x", "a/b", "a/../../x", "/etc/cron.d/x", "_default", "*")
ADDRESSES = ("0.0.0.0/0", "10.0.0.0/8", "::/0", "169.254.169.254/32")
EVIL = (TOML, JSON, HOSTS, *TEMPLATES, *PATHS, *ADDRESSES)

HOSTS_TOML = [label for label, kind in KINDS.items() if "hosts.toml" in kind.file]

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, request.param)
    yield made
    made.close()


def test_no_writer_changes_a_byte_for_such_a_name(lab: RuntimeLab) -> None:
    for name in EVIL:
        document = TrustDocument((registry("u1", name),))
        (read,) = TrustDocument.from_json(document.to_json()).registries
        result = lab.bring(read)["u1"]
        assert result.reason is NodeReason.UNSUPPORTED, name
        assert lab.node.snapshot() == lab.before, name
    assert lab.signals == 0


def test_no_writer_changes_a_byte_for_such_an_address(lab: RuntimeLab) -> None:
    for address in (TOML, JSON, HOSTS, *TEMPLATES, *ADDRESSES):
        assert lab.bring(registry("u1", address=address))["u1"].reason is NodeReason.UNSUPPORTED
        assert lab.node.snapshot() == lab.before, address


def test_an_owner_is_told_in_a_comment_that_it_cannot_leave(lab: RuntimeLab) -> None:
    lab.bring(registry(TOML))
    added = [c for path, c in lab.node.snapshot().items() if lab.before.get(path) != c]
    assert added
    assert b'evil"' not in b"".join(added)
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


# Behind the check of names: each renderer and each path on its own.


@given(ANY, ANY, ANY)
def test_hosts_toml_reads_back_as_what_was_meant(owner: str, uid: str, url: str) -> None:
    read = tomllib.loads(hoststoml.render(owner=owner, uid=uid, endpoint=url).decode())
    assert read == {"server": url, "host": {url: {"capabilities": ["pull", "resolve"]}}}


@pytest.mark.parametrize("name", EVIL)
def test_daemon_json_reads_back_as_what_was_meant(name: str) -> None:
    edited = daemonjson.add(b'{"debug": false}', [name])
    assert json.loads(edited) == {
        "debug": False,
        daemonjson.KEY: [*daemonjson.LOOPBACK, name],
    }
    assert json.loads(daemonjson.drop(edited, [name], whole_key=True)) == {"debug": False}


@given(ANY)
def test_a_drop_in_reads_back_as_what_was_meant_or_is_not_made(name: str) -> None:
    try:
        content = cridropin.render(registry("u1", name), name)
    except ValueError:
        return
    (entry,) = tomllib.loads(content.decode())["registry"]
    assert entry == {"prefix": name, "location": "10.96.0.7:80", "insecure": True}


@pytest.mark.parametrize("lab", HOSTS_TOML, indirect=True)
def test_without_the_check_of_names_a_path_stays_in_the_registry_directory(
    lab: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "check", lambda *_, **__: None)
    directory = lab.kind.file.removesuffix(f"/{NAME}/hosts.toml")
    for name in EVIL:
        lab.bring(registry("u1", name))
        now = lab.node.snapshot()
        changed = [f"/{path}" for path in now if lab.before.get(path) != now[path]]
        inside = f"{directory}/{name}"
        assert all(f"{inside}/hosts.toml".startswith(path) for path in changed), name
        lab.bring()
        assert lab.node.snapshot() == lab.before, name


# Links


def test_plain_names_lie_in_the_directory_and_links_do_not(tmp_path: Path) -> None:
    host = HostRoot(tmp_path)
    (tmp_path / "real/plain").mkdir(parents=True)
    (tmp_path / "certs.d").symlink_to("/real")
    (tmp_path / "real/away").symlink_to("/etc")
    (tmp_path / "real/beside").symlink_to("plain")
    (tmp_path / "real/circle").symlink_to("circle")
    (tmp_path / "real/plain/dangling").symlink_to("/etc/cron.d/x")
    assert host.holds("/certs.d", "plain", "hosts.toml")
    assert host.holds("/certs.d", "not-there-yet", "hosts.toml")
    for path in (
        ("away", "x"), ("beside", "x"), ("circle", "x"), ("plain", "dangling"),
        ("..", "x"), (".", "x"), ("", "x"), ("a/b", "x"), ("a\0", "x"),
    ):  # fmt: skip
        assert not host.holds("/certs.d", *path), path


@pytest.mark.parametrize("lab", HOSTS_TOML, indirect=True)
def test_a_file_that_is_a_dangling_link_is_not_made_elsewhere(lab: RuntimeLab) -> None:
    lab.path(lab.kind.file).parent.mkdir(parents=True, exist_ok=True)
    lab.path(lab.kind.file).symlink_to("/etc/cron.d/x")
    before = lab.node.snapshot()
    assert lab.bring(registry())["u1"].reason is NodeReason.CONTENDED
    assert lab.node.snapshot() == before


@pytest.mark.parametrize("lab", HOSTS_TOML, indirect=True)
def test_a_link_that_comes_between_plan_and_write_is_not_followed(lab: RuntimeLab) -> None:
    found = lab.writer.detect()
    plan = lab.writer.plan([registry()], found)
    folder = lab.path(lab.kind.file).parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to("/etc")
    before = lab.node.snapshot()
    assert lab.writer.apply(plan, found)["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == before
    assert lab.bring(registry())["u1"].reason is NodeReason.CONTENDED


@pytest.mark.parametrize("lab", HOSTS_TOML, indirect=True)
def test_a_name_that_is_too_long_for_a_directory_is_told_as_such(lab: RuntimeLab) -> None:
    longest = ".".join(["a" * 63, "a" * 63, "a" * 63, "b" * 61])
    for name in (longest, f"{longest[1:]}:1"):
        assert lab.bring(registry("u1", name)) == {}
        lab.bring()
    # containerd looks for a spelling first that is longer by one.
    result = lab.bring(registry("u1", f"{longest}:1"))["u1"]
    assert result.reason is NodeReason.UNSUPPORTED
    assert "longer than" in result.message
    assert lab.node.snapshot() == lab.before
