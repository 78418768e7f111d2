"""Registries whose names the node resolves itself: what is written, and what no longer is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import cridropin, endpoint, gates, hostsblock, names, words
from localregistry.agent.words import Failure
from localregistry.trust import NodeReason

from .labs import KINDS, NAME, RuntimeLab, peer
from .standins import registry

HOSTS = "/etc/hosts"


@pytest.fixture(params=KINDS)
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RuntimeLab]:
    monkeypatch.setattr(endpoint, "peer", peer)
    made = RuntimeLab(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[RuntimeLab]:
    made = RuntimeLab(tmp_path, "docker, graphdriver store")
    yield made
    made.close()


def written(lab: RuntimeLab) -> str:
    path = lab.kind.file or "/etc/docker/daemon.json"
    return lab.node.read(path).decode()


def test_the_name_is_the_endpoint_and_the_hosts_file_the_administrators(lab: RuntimeLab) -> None:
    lab.node.write(HOSTS, f"127.0.0.1 localhost\n192.0.2.1 {NAME}\n")
    before = lab.node.snapshot()
    assert lab.bring(registry(dns=True)) == {}
    text = written(lab)
    assert "10.96.0.7" not in text
    match lab.label:
        case "docker, graphdriver store":
            assert NAME in json.loads(text)["insecure-registries"]
        case "CRI-O":
            assert f'location = "{NAME}:80"' in text
        case _:
            assert f'server = "http://{NAME}"' in text
            assert f'[host."http://{NAME}"]' in text
    assert lab.node.read(HOSTS) == before["etc/hosts"]
    assert lab.plan(registry(dns=True)).idle
    assert lab.bring() == {}
    assert lab.node.snapshot() == before
    assert lab.journal.empty


def test_a_live_registry_goes_from_one_way_to_the_other(lab: RuntimeLab) -> None:
    lab.bring(registry())
    first = lab.node.snapshot()
    proof = lab.plan(registry()).entries["u1"]
    assert lab.bring(registry(dns=True)) == {}
    assert b"10.96.0.7" not in b"".join(lab.node.snapshot().values())
    assert lab.plan(registry(dns=True)).entries["u1"] != proof
    signals = lab.signals
    assert lab.bring(registry()) == {}
    assert lab.node.snapshot() == first
    # Docker trusts the name in both ways; CRI-O reads its drop-in anew.
    assert lab.signals - signals == (lab.label == "CRI-O")
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before


def test_the_service_is_of_no_account(lab: RuntimeLab) -> None:
    assert lab.bring(registry(address="", port=0, dns=True)) == {}
    assert lab.plan(registry(address="", port=0, dns=True)).entries.keys() == {"u1"}


@pytest.mark.parametrize("name", ["..", "a/b", "docker.io", "localhost", "UPPER"])
def test_a_bad_name_is_refused_all_the_same(lab: RuntimeLab, name: str) -> None:
    assert lab.bring(registry("u1", name, dns=True))["u1"].reason is NodeReason.UNSUPPORTED
    assert lab.node.snapshot() == lab.before


def test_what_others_wrote_for_the_name_in_the_runtimes_own_files_stays(lab: RuntimeLab) -> None:
    match lab.label:
        case "docker, graphdriver store":  # its list is shared
            path, content = "/etc/docker/daemon.json", f'{{"insecure-registries": ["{NAME}"]}}'
        case "CRI-O":
            path = lab.kind.file.replace("50-localregistry-", "95-")
            content = f'[[registry]]\nlocation = "{NAME}"\n'
        case _:
            path, content = lab.kind.file, 'server = "https://his"\n'
    lab.node.write(path, content)
    results = lab.bring(registry(dns=True))
    assert lab.node.read(path) == content.encode()
    if lab.dockerd is not None and not lab.kind.store:
        assert results == {}
        return
    assert results["u1"].reason is NodeReason.CONTENDED
    assert path in results["u1"].message


def test_dockers_hosts_line_of_another_registry_stays(docker: RuntimeLab) -> None:
    other = registry("u2", "other.example")
    docker.bring(registry(), other)
    docker.bring(registry(dns=True), other)
    hosts = docker.node.read(HOSTS).decode()
    assert "other.example" in hosts
    assert NAME not in hosts


def test_only_a_line_that_goes_makes_pulls_wait(docker: RuntimeLab) -> None:
    assert docker.plan(registry(dns=True)).lag == 0
    docker.bring(registry(), registry("u2", "other.example"))
    lag = docker.plan(registry(dns=True), registry("u2", "other.example")).lag
    assert lag == hostsblock.REMEMBERED_SECONDS > 5
    assert docker.plan(registry("u2", "other.example")).lag == 0  # nobody is to be proved
    docker.bring(registry(dns=True))
    assert docker.plan(registry()).lag == 0  # a line that comes is found, or the pull fails


def test_the_line_is_there_before_docker_is_told_and_goes_after(
    docker: RuntimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert docker.dockerd is not None
    seen: list[bool] = []
    reload = docker.dockerd.reload

    def look() -> None:
        seen.append(NAME.encode() in docker.node.read(HOSTS))
        reload()

    monkeypatch.setattr(docker.dockerd, "reload", look)
    docker.bring(registry("u1", NAME, "new.example"))
    docker.bring(registry("u1", NAME, "newer.example", dns=True))
    assert seen == [True, True]
    assert NAME.encode() not in docker.node.read(HOSTS)


@pytest.mark.parametrize(
    ("flags", "address", "fits"),
    [
        ([], None, True),
        ([NAME], None, True),
        ([NAME, "10.0.0.0/8"], None, True),
        (["10.96.0.0/12"], None, False),
        ([f"{NAME}:5000"], None, False),
        (["10.96.0.0/12"], "10.96.0.7", True),
    ],
)
def test_by_dns_only_the_name_itself_is_covered_by_a_flag(
    flags: list[str], address: str | None, fits: bool
) -> None:
    given = {"insecure-registry": flags} if flags else {}
    facts = gates.Facts(given, "26.1.5", False, "/etc/docker/daemon.json", None)
    result = gates.flag_conflict(facts, address=address, registry_names=[NAME])
    assert (result is None) is fits
    if result is not None:
        assert result.reason is NodeReason.FLAG_CONFLICT
        assert f"--insecure-registry {NAME}" in result.message
        assert "DNS" in result.message
        assert "None" not in result.message


def test_the_name_that_no_flag_covers_is_named() -> None:
    facts = gates.Facts({"insecure-registry": [NAME]}, "26.1.5", False, "/x", None)
    result = gates.flag_conflict(facts, address=None, registry_names=[NAME, "b.example"])
    assert result is not None
    assert "Add --insecure-registry b.example " in result.message


def test_a_docker_with_the_name_as_flag_needs_nothing(docker: RuntimeLab) -> None:
    assert docker.dockerd is not None
    docker.dockerd.start("--insecure-registry", NAME)
    plan = docker.plan(registry(dns=True))
    assert plan.idle
    assert plan.entries.keys() == {"u1"}
    refused = docker.bring(registry("u2", "b.example", dns=True))
    assert refused["u2"].reason is NodeReason.FLAG_CONFLICT
    assert docker.node.snapshot() == docker.before


@pytest.mark.parametrize(
    ("name", "location"),
    [
        (NAME, f"{NAME}:80"),
        (f"{NAME}:5000", f"{NAME}:5000"),
        ("10.100.0.1:30500", "10.100.0.1:30500"),
        ("5000", "5000:80"),
    ],
)
def test_cri_o_asks_the_names_own_port(name: str, location: str) -> None:
    text = cridropin.render(registry("u1", name, dns=True), name).decode()
    assert f'prefix = "{name}"\nlocation = "{location}"\ninsecure = true\n' in text


@pytest.mark.parametrize(
    ("address", "location"), [("10.96.0.7", "10.96.0.7:80"), ("fd00::7", "[fd00::7]:80")]
)
def test_cri_o_is_told_the_services_port_without_dns(address: str, location: str) -> None:
    text = cridropin.render(registry(address=address), NAME).decode()
    assert f'location = "{location}"' in text


@pytest.mark.parametrize("address", ["", "nonsense", "0.0.0.0"])
def test_an_address_counts_only_where_it_is_used(address: str) -> None:
    assert names.check(NAME, address, 80) is not None
    assert names.check(NAME, address, 80, dns=True) is None


def said(message: str, *, dns: str = NAME) -> Failure:
    return words.failure({"kind": "call", "message": message}, dns=dns)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            f"dial tcp: lookup {NAME} on 127.0.0.1:53: no such host",
            f"This node does not resolve {NAME}: add it to your DNS, or use resolve: ClusterIP.",
        ),
        (
            f"dial tcp: lookup {NAME}: Temporary failure in name resolution",
            f"This node does not resolve {NAME}: add it to your DNS, or use resolve: ClusterIP.",
        ),
        ("dial tcp 192.0.2.1:80: connect: connection refused", "Nothing answers at the address"),
        ("dial tcp 192.0.2.1:80: i/o timeout", "No answer in time from the address"),
        ("tls: failed to verify certificate: x509: unknown authority", f"What {NAME} leads to"),
        ("error parsing HTTP 404 response body: invalid character 'p'", f"What {NAME} leads to"),
    ],
)
def test_a_pull_that_fails_says_what_to_do_about_the_name(message: str, sentence: str) -> None:
    failure = said(message)
    assert failure.sentence.startswith(sentence)
    assert message in failure.sentence
    assert not failure.settled


def test_a_registry_without_the_probe_is_the_same_in_both_ways() -> None:
    assert said("manifest unknown").settled
    assert said("manifest unknown") == said("manifest unknown", dns="")


def test_without_dns_the_words_are_those_of_the_service() -> None:
    assert "add it to your DNS" not in said("no such host", dns="").sentence
