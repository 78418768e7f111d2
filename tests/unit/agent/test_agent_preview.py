"""What a plan shows of itself: our own lines, and nothing else of the files they stand in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import endpoint
from localregistry.agent.preview import preview, shortened
from localregistry.agent.writer import Change, Plan

from .labs import KINDS, NAME, RuntimeLab, peer
from .standins import registry

HEADER = "+ # Managed by localregistry for ns/u1 (uid u1); do not edit."
HOSTS_TOML = [
    HEADER,
    '+ server = "http://10.96.0.7"',
    '+ [host."http://10.96.0.7"]',
    '+   capabilities = ["pull", "resolve"]',
]

EXPECTED = {
    "docker, graphdriver store": [
        "--- /etc/hosts",
        "+ # BEGIN localregistry",
        f"+ 10.96.0.7\t{NAME}",
        "+ # END localregistry",
        "--- /etc/docker/daemon.json",
        '+ "insecure-registries": "127.0.0.0/8"',
        '+ "insecure-registries": "::1/128"',
        f'+ "insecure-registries": "{NAME}"',
        "! SIGHUP dockerd",
    ],
    "CRI-O": [
        f"--- {KINDS['CRI-O'].file}",
        HEADER,
        "+ [[registry]]",
        f'+ prefix = "{NAME}"',
        '+ location = "10.96.0.7:80"',
        "+ insecure = true",
        "! SIGHUP crio",
    ],
}


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, request.param)
    yield made
    made.close()


def test_what_comes_is_shown_and_then_goes_by_the_same_lines(lab: RuntimeLab) -> None:
    expected = EXPECTED.get(lab.label, [f"--- {lab.kind.file}", *HOSTS_TOML])
    assert preview(lab.plan(registry())) == expected
    lab.bring(registry())
    assert preview(lab.plan(registry())) == []
    assert preview(lab.plan()) == [line.replace("+", "-", 1) for line in expected]


def test_a_new_address_is_only_the_lines_with_it(lab: RuntimeLab) -> None:
    lab.bring(registry())
    lines = [line for line in preview(lab.plan(registry(address="10.96.0.99"))) if line[1] == " "]
    assert lines
    for line in lines:
        assert ("10.96.0.7" if line[0] == "-" else "10.96.0.99") in line or line[0] == "!"


def test_nothing_of_the_administrators_is_shown(tmp_path: Path) -> None:
    lab = RuntimeLab(tmp_path, "docker, graphdriver store")
    secret = '"proxies": {"http-proxy": "http://user:hunter2@proxy"}'
    lab.node.write("/etc/docker/daemon.json", f'{{{secret}, "insecure-registries": ["his"]}}')
    lab.node.write("/etc/hosts", "127.0.0.1 localhost\n10.1.1.1 vault.hunter2.example\n")
    for wanted in ((registry(),), (registry("u2", "b.example"),), ()):
        text = "\n".join(preview(lab.plan(*wanted)))
        assert text
        assert "hunter2" not in text
        assert "his" not in text
        assert "localhost" not in text
        lab.bring(*wanted)
        if not wanted:
            break
    lab.close()


def test_what_somebody_wrote_into_a_file_of_ours_is_not_shown() -> None:
    ours = "# Managed by localregistry for a/b (uid u); do not edit.\n"
    added = '[host."https://x".header]\n  authorization = "Basic c2VjcmV0"\n'
    change = Change("/c/hosts.toml", f'{ours}server = "http://1"\n{added}'.encode(), None)
    assert preview(Plan((change,))) == [
        "--- /c/hosts.toml",
        "- # Managed by localregistry for a/b (uid u); do not edit.",
        '- server = "http://1"',
    ]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"insecure-registries": 1}', b"\xff\xfe{"])
def test_a_file_that_cannot_be_read_shows_nothing(content: bytes) -> None:
    assert preview(Plan((Change("/etc/docker/daemon.json", content, None),))) == []
    assert preview(Plan()) == []


@pytest.mark.parametrize(
    ("lines", "limit", "kept"),
    [
        ([], 100, ()),
        (["a" * 49, "b" * 49], 100, ("a" * 49, "b" * 49)),
        (["a" * 40, "b" * 60], 100, ("a" * 40,)),
        (["ä" * 100], 100, ("ä" * 28,)),
        (["ä" * 100, "b"], 101, ("ä" * 28,)),
    ],
)
def test_lines_are_kept_as_far_as_they_fit(
    lines: list[str], limit: int, kept: tuple[str, ...]
) -> None:
    result = shortened(lines, limit)
    assert sum(len(line.encode()) + 1 for line in result) <= limit
    if len(kept) == len(lines) and list(kept) == lines:
        assert result == kept
    else:
        assert result[:-1] == kept
        assert "left out" in result[-1]
