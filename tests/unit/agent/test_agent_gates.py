"""What keeps dockerd alive."""

from __future__ import annotations

import pytest

from localregistry.agent import gates
from localregistry.agent.procs import parse_flags
from localregistry.agent.versions import release
from localregistry.trust import NodeReason


def _facts(
    content: str | None = None, *args: str, version: str = "26.1.5", store: bool = False
) -> gates.Facts:
    raw = content.encode() if content is not None else None
    return gates.Facts(parse_flags(args), version, store, "/etc/docker/daemon.json", raw)


INVALID, BLOCKED = NodeReason.FOREIGN_CONFIG_INVALID, NodeReason.RELOAD_BLOCKED
MIRROR = '{"registry-mirrors": ["http://m.example"]}'

CLOSED = {
    "an empty file": (_facts(""), INVALID, "empty"),
    "broken JSON, with its place": (_facts('{\n"a" 1}'), INVALID, "line 2 column 5"),
    "a byte order mark before 23.0": (
        _facts("\ufeff{}", version="20.10.24+dfsg1"),
        INVALID,
        "byte order mark",
    ),
    "an authorization plugin by flag": (
        _facts(None, "--authorization-plugin=opa"),
        BLOCKED,
        "'opa'",
    ),
    "an authorization plugin in the file": (
        _facts('{"authorization-plugins": ["opa"]}'),
        BLOCKED,
        "'opa'",
    ),
    "a mirror without scheme": (_facts('{"registry-mirrors": ["m.example"]}'), INVALID, "http://"),
    "an entry with a path": (_facts('{"insecure-registries": ["g/path"]}'), INVALID, "'g/path'"),
    "an empty entry": (_facts('{"insecure-registries": [""]}'), INVALID, "''"),
    "23.0.6 with mirrors": (_facts(MIRROR, version="23.0.6"), BLOCKED, "drops all"),
    "24.0.0 with mirrors by flag": (
        _facts(None, "--registry-mirror", "http://m", version="24.0.0"),
        BLOCKED,
        "drops all",
    ),
    "29.2 with dns": (_facts('{"dns": ["1.1.1.1"]}', version="29.2.1"), BLOCKED, "DNS"),
    "29.0 with a host gateway by flag": (
        _facts(None, "--host-gateway-ip", "10.0.0.1", version="29.0.0"),
        BLOCKED,
        "DNS",
    ),
    "a number of downloads by flag": (
        _facts("{}", "--max-concurrent-downloads", "7"),
        BLOCKED,
        '"max-concurrent-downloads"',
    ),
    "a number of uploads by flag": (
        _facts("{}", "--max-concurrent-uploads=1"),
        BLOCKED,
        "--max-concurrent-uploads 1",
    ),
    "a number of attempts by flag": (
        _facts(None, "--max-download-attempts", "9"),
        BLOCKED,
        "restart docker when it suits",
    ),
    "a feature by flag": (_facts(None, "--feature", "cdi=true"), BLOCKED, '"features"'),
    "NRI by flag": (_facts(None, "--nri-opts", "enable=true"), BLOCKED, '"nri-opts"'),
    "hosts in the file and -H": (_facts('{"hosts": []}', "-H", "fd://"), INVALID, '"hosts"'),
    "an option twice": (_facts('{"mtu": 1}', "--mtu", "2"), INVALID, '"mtu"'),
    "a list option twice": (_facts('{"exec-opts": []}', "--exec-opt=a=b"), INVALID, '"exec-opts"'),
}


@pytest.mark.parametrize(("facts", "reason", "words"), CLOSED.values(), ids=CLOSED.keys())
def test_a_gate_is_closed_to(facts: gates.Facts, reason: NodeReason, words: str) -> None:
    gate = gates.check_reload if reason is BLOCKED else gates.check
    result = gate(facts)
    assert result is not None
    assert result.reason is reason
    assert words in result.message
    assert "/etc/docker/daemon.json" in result.message or reason is BLOCKED


OPEN = {
    "either image store": _facts(None, store=True),
    "no file and no flag": _facts(None),
    "a file of many keys": _facts(
        '{"exec-opts": ["a"], "runtimes": {"x": {}}, "dns": ["1.1.1.1"]}'
    ),
    "socket activation": _facts("{}", "-H", "fd://", "--containerd=/run/containerd.sock"),
    "a byte order mark since 23.0": _facts("\ufeff{}", version="23.0.0"),
    "23.0.7 with mirrors": _facts(MIRROR, version="23.0.7"),
    "23.0.6 without mirrors": _facts("{}", version="23.0.6"),
    "24.0.1 with mirrors": _facts(MIRROR, version="24.0.1"),
    "29.3 with dns": _facts('{"dns": ["1.1.1.1"]}', version="29.3.0"),
    "29.2 without dns": _facts("{}", version="29.2.1"),
    "entries with scheme and CIDRs": _facts(
        '{"insecure-registries": ["http://h:5000", "10.0.0.0/8", "::1/128", "h:1"]}'
    ),
    "flags with the value that a reload sets": _facts(
        None, "--max-concurrent-downloads", "3", "--max-concurrent-uploads=5"
    ),
    "a number of downloads in the file": _facts('{"max-concurrent-downloads": 7}'),
    "an empty list of plugins": _facts('{"authorization-plugins": []}'),
    "another runtime by flag and in the file": _facts('{"runtimes": {}}', "--add-runtime", "x=/x"),
}


@pytest.mark.parametrize("facts", OPEN.values(), ids=OPEN.keys())
def test_the_gates_are_open_to(facts: gates.Facts) -> None:
    assert gates.check(facts) is None
    assert gates.check_reload(facts) is None


@pytest.mark.parametrize(
    ("args", "conflict"),
    [
        ((), False),
        (("--insecure-registry", "10.96.0.0/12"), False),
        (("--insecure-registry=a.example", "--insecure-registry", "b.example:1"), False),
        (("--insecure-registry", "a.example"), True),
        (("--insecure-registry", "10.0.0.0/16"), True),
    ],
    ids=["no flag", "a CIDR that covers", "both names", "one name of two", "another CIDR"],
)
def test_a_flag_of_our_key_is_a_conflict_unless_it_covers(
    args: tuple[str, ...], conflict: bool
) -> None:
    facts = _facts(None, *args)
    assert gates.check(facts) is None
    result = gates.flag_conflict(
        facts, address="10.96.0.7", registry_names=("a.example", "b.example:1")
    )
    assert (result is not None) is conflict
    if result is not None:
        assert result.reason is NodeReason.FLAG_CONFLICT
        assert "10.96.0.7" in result.message


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("29.0.0-rc.1", (29, 0, 0)),
        ("v1.7", (0, 7, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_versions_are_compared_as_numbers(version: str, numbers: tuple[int, int, int]) -> None:
    assert release(version) == numbers


def test_flags_are_read_in_every_spelling() -> None:
    parsed = parse_flags(
        ["-Hunix:///a", "--host", "tcp://b", "-D", "--icc=false", "-H", "fd://", "--tls"]
    )
    assert parsed == {
        "H": ("unix:///a", "fd://"),
        "host": ("tcp://b",),
        "D": ("true",),
        "icc": ("false",),
        "tls": ("true",),
    }
