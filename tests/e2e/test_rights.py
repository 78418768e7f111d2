"""The agent without any privilege: what the processes on the nodes may do, and that it is enough.

The last of the tier: the agents' way back to the default is not waited for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e import install
from e2e.cluster import LREG, REGISTRIES, SYSTEM, Body, Cluster, Node, differences, wait_until
from e2e.images import Images

HOST = "registry.example.internal"
MOVED = "moved.example.internal:5000"

# In words of /proc: the node's own process namespace has one PID in NSpid.
AGENT = """
for folder in /proc/[0-9]*; do
  if tr '\\0' ' ' <$folder/cmdline 2>/dev/null | grep -q '[l]ocalregistry.* agent *$'; then
    grep -E '^(Uid|NSpid|Cap...|NoNewPrivs|Seccomp):' $folder/status
    grep -E '^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / ' $folder/mountinfo | sed 's/^/Root: /'
    grep -c serviceaccount $folder/mountinfo | sed 's/^/Tokens: /'
  fi
done
"""
TRUSTED = "docker info --format '{{json .RegistryConfig.IndexConfigs}}'"


@pytest.fixture(scope="module")
def least(cluster: Cluster, built: Images) -> Iterator[Cluster]:
    """The running operator is switched over by Helm, and the agents are rolled out anew."""
    install.install(cluster, built, "agent.privileged=false")
    yield cluster
    install.install(cluster, built)


def rights(node: Node) -> dict[str, str]:
    """Of the one agent on a node, as the kernel tells them."""
    lines = node.run(AGENT).splitlines()
    found = {name: " ".join(value.split()) for name, _, value in (s.partition(":") for s in lines)}
    assert len(found) == len(lines), f"one agent on {node.name}: {lines}"
    return found


def settled(cluster: Cluster) -> bool:
    """Whether the status is of the last change, and all nodes have proved it by a pull."""
    body = cluster.get(LREG, "dev", "-n", REGISTRIES)
    status = body.get("status", {})
    found = [c for c in status.get("conditions", []) if c["type"] == "NodesReady"]
    ready: Body = found[0] if found else {}
    return bool(
        ready.get("status") == "True"
        and ready.get("observedGeneration") == body["metadata"]["generation"]
        and status["nodes"]["summary"] == "3/3"
    )


def test_without_any_privilege_nodes_are_configured_repaired_and_restored(
    least: Cluster, clean: Cluster, docker_node: Node, containerd_node: Node
) -> None:
    before = clean.files()
    clean.apply_registry("dev", host=HOST)

    def switched() -> bool:
        agents = clean.kubectl("get", "ds/node-agent", "-n", SYSTEM, "-o", "json", check=False)
        return '"privileged": false' in agents.stdout

    wait_until(switched, timeout=30, what="the DaemonSet")
    clean.kubectl("rollout", "status", "ds/node-agent", "-n", SYSTEM, "--timeout=120s")
    wait_until(lambda: settled(clean), timeout=60, what="the nodes")

    for node in clean.nodes():
        found = rights(node)
        no_capability = {name: found[name] for name in found if name.startswith("Cap")}
        assert set(no_capability.values()) == {"0000000000000000"}, node.name
        assert len(no_capability) == 5
        assert found["Uid"] == "0 0 0 0"
        assert len(found["NSpid"].split()) == 1, "it signals dockerd, so it sees the node's PIDs"
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        assert found["Root"].split()[5].startswith("ro"), found["Root"]
        assert found["Tokens"] == "0"

    toml = f"/etc/containerd/certs.d/{HOST}/hosts.toml"
    assert f'"{HOST}"' in docker_node.read("/etc/docker/daemon.json")
    assert f"\t{HOST}\n" in docker_node.read("/etc/hosts")
    assert HOST in docker_node.run(TRUSTED), "dockerd took the signal"

    docker_node.run("sed '/BEGIN localregistry/,/END localregistry/d' /etc/hosts > /tmp/h")
    docker_node.run("cat /tmp/h > /etc/hosts; rm /tmp/h")
    wanted = containerd_node.read(toml)
    containerd_node.run(f"rm {toml}")
    wait_until(lambda: HOST in docker_node.read("/etc/hosts"), timeout=10, what="the hosts block")
    wait_until(
        lambda: containerd_node.run(f"cat {toml} || true") == wanted, timeout=10, what="the file"
    )

    clean.apply_registry("dev", host=MOVED)
    wait_until(lambda: settled(clean), timeout=30, what="the nodes with the new host")
    assert f'"{MOVED}"' in docker_node.read("/etc/docker/daemon.json")
    assert HOST not in docker_node.read("/etc/docker/daemon.json")
    assert HOST not in docker_node.run(TRUSTED)
    assert containerd_node.run("ls /etc/containerd/certs.d").split() == [MOVED]

    clean.kubectl("delete", LREG, "dev", "-n", REGISTRIES, "--timeout=30s")
    assert differences(before, clean.files()) == []
    assert MOVED not in docker_node.run(TRUSTED), "the running daemon must forget too"
