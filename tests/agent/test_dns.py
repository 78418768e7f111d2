"""Registries whose name the node resolves itself, on real daemons with a real name server."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from agent.conftest import only
from agent.node import ADDRESS, NAME, OTHER_ADDRESS, SETTLE_SECONDS, Node, registry
from localregistry.trust import NodeReason

SOME = only(
    "docker-20.10",
    "docker-26.1",
    "docker-28.5-store",
    "docker-29",
    "docker-29-store",
    "containerd-1.7",
    "containerd-2.4",
)

BY_DNS = replace(registry(), dns=True)
HOSTS = "/etc/hosts"


def serve_names(node: Node, **names: str) -> None:
    """The node's name server answers from now on."""
    server = Path(__file__).with_name("nameserver.py")
    pairs = [f"{name}={address}" for name, address in names.items()]
    argv = [sys.executable, "-I", str(server), *pairs]
    node.machine.spawn(argv, log="names", chroot=False)
    # A question that comes before it listens is answered by nobody, and the pull fails.
    node.until(lambda: "serving" in node.machine.log("names"), SETTLE_SECONDS, "the name server")


def wait_for_proof(node: Node) -> None:
    """Of what failed until now: the agent tries it again, after growing pauses."""
    revision = node.trust(BY_DNS)

    def proved() -> bool:
        report = node.report()
        return report is not None and report.revision == revision and not report.exceptions

    node.until(proved, 40, "proof")


@SOME
def test_a_name_that_the_node_resolves_is_pulled_from_where_it_leads(node: Node) -> None:
    serve_names(node, **{NAME: OTHER_ADDRESS})
    hosts = node.machine.read(HOSTS)
    # Only the way that the name leads answers.
    node.machine.remove_address(ADDRESS)
    assert node.apply(BY_DNS).exceptions == {}
    assert node.trusts()
    assert node.machine.read(HOSTS) == hosts
    assert ADDRESS.encode() not in (node.machine.read(node.trust_file) or b"")
    assert node.apply().exceptions == {}
    assert node.changes() == {}
    assert not node.trusts()


@only("docker-26.1", "docker-28.5-store", "containerd-1.7", "containerd-2.1")
def test_a_name_that_the_node_does_not_resolve_is_told_and_then_found(node: Node) -> None:
    result = node.apply(BY_DNS).exceptions["u1"]
    assert result.reason is NodeReason.PULL_FAILED
    words = f"This node does not resolve {NAME}: add it to your DNS, or use resolve: ClusterIP."
    assert result.message.startswith(words)
    # The administrator gives it an address: his line is not ours, and no conflict.
    line = f"127.0.0.1\tlocalhost\n{ADDRESS}\t{NAME}\n"
    node.machine.write(HOSTS, line)
    wait_for_proof(node)
    assert node.trusts()
    assert node.machine.read(HOSTS) == line.encode()


@SOME
def test_a_live_registry_goes_from_one_way_to_the_other(node: Node) -> None:
    assert node.apply(registry()).exceptions == {}
    # No name server yet: what the runtime remembers of the old way proves nothing.
    result = node.apply(BY_DNS).exceptions["u1"]
    assert result.reason is NodeReason.PULL_FAILED
    assert "add it to your DNS" in result.message
    assert NAME.encode() not in (node.machine.read(HOSTS) or b"")
    assert not node.trusts()
    serve_names(node, **{NAME: OTHER_ADDRESS})
    wait_for_proof(node)
    assert node.trusts()
    # And back.
    assert node.apply(registry()).exceptions == {}
    if node.kind.graphdriver:
        assert f"{ADDRESS}\t{NAME}".encode() in (node.machine.read(HOSTS) or b"")
    assert node.apply().exceptions == {}
    assert node.changes() == {}


@only("docker-20.10", "docker-26.1", "docker-29")
def test_only_the_name_as_a_flag_covers_what_dns_leads_to(node: Node) -> None:
    serve_names(node, **{NAME: ADDRESS})
    node.runtime.flags = ["--insecure-registry=10.96.0.0/12"]
    node.runtime.restart()
    node.pristine = node.machine.files()
    result = node.apply(BY_DNS).exceptions["u1"]
    assert result.reason is NodeReason.FLAG_CONFLICT
    assert f"--insecure-registry {NAME}" in result.message
    assert node.changes() == {}
    node.stop_agent()
    # The administrator does as he is told.
    node.runtime.flags = ["--insecure-registry=10.96.0.0/12", f"--insecure-registry={NAME}"]
    node.runtime.restart()
    assert node.apply(BY_DNS).exceptions == {}
    assert node.trusts()
    assert node.machine.read(node.runtime.config_path) is None
