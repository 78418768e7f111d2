"""A host that a LocalRegistry may have is one that runtimes take: ours against theirs.

One host that dockerd refuses keeps it from starting; one that containerd reads otherwise sends its
pulls elsewhere.
"""

from __future__ import annotations

import json

import pytest

from agent import hostnames
from agent.conftest import only
from agent.node import ADDRESS, Node, registry
from agent.runtimes import Containerd, Docker
from localregistry.agent import daemonjson, hostsdir, hoststoml, names, wire
from localregistry.agent.grpc import CallError
from unit.spec.host_table import GOOD_ADDRESSES

FEW, MANY = 200, 10_000
RELOAD_SECONDS = 5.0

# Of a reference's name with its host, up to containerd 1.6; `/x` is the shortest repository. Later
# ones find no directory for more.
LONGEST_REFERENCE = 255

# Their references cannot hold an address in brackets, whatever file stands for it.
WITHOUT_IPV6 = {"containerd-1.6"}


def _docker_takes(node: Node, hosts: tuple[str, ...]) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    expected = {*hosts, "127.0.0.0/8", "::1/128"}
    node.machine.write(docker.config_path, daemonjson.add(b"{}\n", hosts))
    if node.kind.name != "docker-20.10":  # which cannot be asked, but by starting
        program = "/usr/local/bin/dockerd" if node.kind.built else "/usr/sbin/dockerd"
        assert "configuration OK" in node.machine.run(program, "--validate")[1]
    node.machine.run("sh", "-c", f"kill -HUP {docker.pid}")
    node.until(lambda: expected <= docker.insecure(), RELOAD_SECONDS, "all hosts after a reload")
    docker.restart()
    assert expected <= docker.insecure()


def _pulls_arrive(node: Node, hosts: tuple[str, ...]) -> None:
    """A pull of what the registry does not have: only the registry itself can say so, and only the
    file that stands for the host leads there, as no name server knows it."""
    pullable = [host for host in hosts if len(f"{host}/x") <= LONGEST_REFERENCE]
    assert len(pullable) > len(hosts) * 0.9
    for host in pullable:
        endpoint = registry("u1", host, address=ADDRESS).endpoint(host)
        content = hoststoml.render(owner="ns/u1", uid="u1", endpoint=endpoint)
        path = node.machine.path(hostsdir.file(node.runtime.certs_path, host))
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    for host, words in _refusals(node, pullable).items():
        assert "not found" in words, host
        assert "no such host" not in words, host
        assert "lookup" not in words, host


def _refusals(node: Node, hosts: list[str]) -> dict[str, str]:
    """The runtime's words, by host, about an image that no registry has."""
    match node.runtime:
        case Docker() as docker:
            call = "/images/create?tag=none&fromImage="
            return {host: str(docker.api("POST", f"{call}{host}/x")[1]) for host in hosts}
        case Containerd() as containerd:
            return _by_cri(containerd, hosts)
    raise AssertionError(node.kind.name)


def _by_cri(containerd: Containerd, hosts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with containerd.channel() as call:
        for host in hosts:
            request = wire.message((1, wire.message((1, f"{host}/x:none"))))
            with pytest.raises(CallError) as caught:
                call("/runtime.v1.ImageService/PullImage", request, seconds=20)
            found[host] = caught.value.message
    return found


def test_the_agent_takes_every_host_that_the_operator_takes() -> None:
    for host in (*hostnames.accepted(FEW), *GOOD_ADDRESSES):
        assert names.check(host, ADDRESS, 80) is None, host


@pytest.mark.long
def test_the_agent_takes_ten_thousand_hosts_that_the_operator_takes() -> None:
    for host in hostnames.accepted(MANY):
        assert names.check(host, ADDRESS, 80) is None, host


@only("docker")
def test_docker_takes_every_host_that_is_accepted(node: Node) -> None:
    _docker_takes(node, hostnames.accepted(FEW))


@only("docker")
def test_docker_takes_every_address_that_an_alias_may_be(node: Node) -> None:
    _docker_takes(node, GOOD_ADDRESSES)


@pytest.mark.long
@only("docker")
def test_docker_takes_ten_thousand_hosts_that_are_accepted(node: Node) -> None:
    _docker_takes(node, hostnames.accepted(MANY))


@only("graphdriver")
def test_control_one_host_that_is_not_accepted_takes_all_others_along(node: Node) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    before = docker.insecure()
    hosts = [*hostnames.accepted(FEW)[:5], "registry.example/path"]
    node.machine.write(docker.config_path, json.dumps({"insecure-registries": hosts}))
    docker.stop()
    with pytest.raises(RuntimeError, match=r"registry\.example/path"):
        docker.start()
    node.machine.write(docker.config_path, None)
    docker.start()
    assert docker.insecure() == before


@only("docker-20.10")
def test_control_an_ipv6_address_without_its_port_keeps_an_old_daemon_from_starting(
    node: Node,
) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    node.machine.write(docker.config_path, json.dumps({"insecure-registries": ["[fd00::1]"]}))
    docker.stop()
    with pytest.raises(RuntimeError, match=r"\[fd00::1\]"):
        docker.start()
    node.machine.write(docker.config_path, None)
    docker.start()


@only("hosts.toml")
def test_pulls_of_every_host_that_is_accepted_go_where_its_file_says(node: Node) -> None:
    _pulls_arrive(node, hostnames.accepted(FEW))


@pytest.mark.long
@only("hosts.toml")
def test_pulls_of_ten_thousand_hosts_go_where_their_files_say(node: Node) -> None:
    _pulls_arrive(node, hostnames.accepted(MANY))


@only("hosts.toml")
def test_pulls_of_every_address_go_where_its_file_says(node: Node) -> None:
    hosts: tuple[str, ...] = GOOD_ADDRESSES
    if node.kind.name in WITHOUT_IPV6:
        hosts = tuple(host for host in hosts if not host.startswith("["))
        refused = [host for host in GOOD_ADDRESSES if host not in hosts]
        for host, words in _refusals(node, refused).items():
            assert "invalid reference format" in words, host
    _pulls_arrive(node, hosts)


@only("hosts.toml")
def test_control_without_its_file_a_pull_goes_astray(node: Node) -> None:
    host = "nobody-has-a-file.example"
    words = _refusals(node, [host])[host]
    assert "no such host" in words or "lookup" in words
