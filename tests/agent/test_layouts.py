"""Where a runtime's files are elsewhere, shown on real daemons: Docker's two image stores one after
the other, and containerd as k3s starts it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping

import pytest

from agent.conftest import only
from agent.node import NAME, SETTLE_SECONDS, Node, registry
from agent.runtimes import Containerd, Docker
from localregistry.trust import NodeReason, NodeResult, Report

STORE = {"containerd-snapshotter": True}
HOSTS_TOML = f"/etc/docker/certs.d/{NAME}/hosts.toml"

K3S = "/var/lib/rancher/k3s/agent/etc/containerd"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
SOCKET = "/run/k3s/containerd/containerd.sock"


def restarted(node: Node, features: Mapping[str, bool]) -> Docker:
    """The administrator changes the store in daemon.json as it is, and restarts dockerd."""
    docker = node.runtime
    assert isinstance(docker, Docker)
    config = json.loads(node.machine.read(docker.config_path) or b"{}")
    config["features"] = features
    node.machine.write(docker.config_path, json.dumps(config))
    docker.restart()
    return docker


@only("docker-28.5")
def test_a_dockerd_that_changes_its_store_is_brought_over_and_forgets_the_other_way(
    node: Node,
) -> None:
    assert node.apply(registry()).exceptions == {}
    docker = restarted(node, STORE)
    assert NAME in docker.insecure()
    node.until(lambda: NAME not in docker.insecure(), 20, "the daemon forgets")
    node.until(lambda: b"localregistry" not in _hosts(node), 20, "the hosts block goes")
    assert node.machine.read(HOSTS_TOML)
    assert json.loads(node.machine.read(docker.config_path) or b"") == {"features": STORE}
    assert node.settle(node.trust(registry())).exceptions == {}
    assert node.trusts()

    restarted(node, {})
    node.until(lambda: NAME in docker.insecure(), 20, "the daemon learns")
    node.until(lambda: node.machine.read(HOSTS_TOML) is None, 20, "the other way goes")
    assert node.settle(node.trust(registry())).exceptions == {}
    assert node.trusts()

    assert node.apply().exceptions == {}
    assert not node.machine.path("/etc/docker/certs.d").exists()
    assert json.loads(node.machine.read(docker.config_path) or b"") == {"features": {}}
    assert node.changes() == {"docker/daemon.json": "new"}


@only("docker-28.5")
def test_what_a_reload_that_is_blocked_leaves_of_the_other_way_is_told(node: Node) -> None:
    assert node.apply(registry()).exceptions == {}
    node.runtime.flags = ["--max-concurrent-downloads=7"]  # a reload would reset it
    docker = restarted(node, STORE)
    revision = node.trust(registry())

    def told() -> NodeResult | None:
        result = (node.report() or Report("")).exceptions.get("u1")
        return result if result and result.reason is not NodeReason.PENDING else None

    result = node.until(told, SETTLE_SECONDS, "the report")
    assert result.reason is NodeReason.RELOAD_BLOCKED
    assert result.message.startswith("Pulls work, but")
    assert node.trusts()
    assert NAME in docker.insecure()
    docker.flags = []
    docker.restart()
    node.until(lambda: NAME not in docker.insecure(), SETTLE_SECONDS, "the daemon forgets")
    done = Report(revision, node.reported)
    node.until(lambda: node.report() == done, SETTLE_SECONDS, "nothing to be told")
    node.apply()
    restarted(node, {})
    node.machine.write(docker.config_path, None)


def _hosts(node: Node) -> bytes:
    return node.machine.read("/etc/hosts") or b""


@pytest.fixture
def k3s(node: Node) -> Node:
    """containerd with the flags, files and socket that k3s gives it."""
    containerd = node.runtime
    assert isinstance(containerd, Containerd)
    containerd.stop()
    config = containerd.config([f'config_path = "{K3S}/certs.d"'])
    node.machine.write(f"{K3S}/config.toml", config)
    containerd.flags = ["-c", f"{K3S}/config.toml", "--address", SOCKET]
    containerd.socket = SOCKET
    path = node.machine.path(Containerd.socket)
    path.unlink(missing_ok=True)
    path.symlink_to(SOCKET)  # ctr asks there
    containerd.start()
    node.pristine = node.machine.files()
    node.reported = f"containerd://{containerd.version()}-k3s1"
    return node


@only("containerd-1.6", "containerd-1.7", "containerd-2.1", "containerd-2.4")
def test_what_k3s_generates_is_written_into_and_put_back(k3s: Node) -> None:
    assert k3s.apply(registry()).exceptions == {}
    assert k3s.trusts()
    certs = k3s.machine.path(f"{K3S}/certs.d")
    assert certs.stat().st_mode & 0o777 == 0o700
    # A start of older releases removes the directory.
    shutil.rmtree(certs)
    assert not k3s.trusts()
    k3s.runtime.restart()
    file = f"{K3S}/certs.d/{NAME}/hosts.toml"
    k3s.until(lambda: k3s.machine.read(file) is not None, 10, "put back")
    assert k3s.settle(k3s.trust(registry())).exceptions == {}
    assert k3s.trusts()
    assert k3s.apply().exceptions == {}
    assert k3s.changes() == {}


@only("containerd-1.7", "containerd-2.4")
def test_a_name_of_registries_yaml_is_left_to_the_administrator(k3s: Node) -> None:
    k3s.machine.write(REGISTRIES, f'mirrors:\n  "{NAME}":\n    endpoint: ["https://his"]\n')
    k3s.pristine = k3s.machine.files()
    result = k3s.apply(registry()).exceptions["u1"]
    assert result.reason is NodeReason.CONTENDED
    assert REGISTRIES in result.message
    assert k3s.changes() == {}
