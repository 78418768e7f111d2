"""What the agent does to real nodes: dockerd and containerd, their files, and their undoing."""

from __future__ import annotations

import json
import time

import pytest

from e2e import demo
from e2e.cluster import LREG, REGISTRIES, Cluster, Node, differences, wait_until
from e2e.images import Images

HOST = "registry.example.internal"

STARTED = (
    "docker ps -q | xargs -r docker inspect -f '{{.Name}} {{.State.StartedAt}} {{.State.Pid}}'"
)


def running(node: Node) -> dict[str, str]:
    """When each container of the node's dockerd was started, and as which process.

    But those of the volume provisioner's helper pods, which end by themselves.
    """
    lines = [line for line in node.run(STARTED).splitlines() if "_helper-pod-" not in line]
    return {line.split()[0]: line for line in lines}


def the_failing_node(cluster: Cluster, name: str) -> dict[str, str]:
    """The one node that the status names, as soon as it names any."""
    wait_until(
        lambda: bool(cluster.status(name).get("nodes", {}).get("failing")),
        timeout=60,
        what="the node to be named",
    )
    (failing,) = cluster.status(name)["nodes"]["failing"]
    found: dict[str, str] = failing
    return found


def insecure(node: Node) -> set[str]:
    """The hosts that the running dockerd takes for insecure."""
    info = json.loads(node.run("docker info --format '{{json .RegistryConfig.IndexConfigs}}'"))
    return {name for name, config in info.items() if not config["Secure"]}


def test_a_push_by_the_ingress_is_pulled_on_every_node_and_undone_to_the_byte(
    clean: Cluster, built: Images, docker_node: Node
) -> None:
    before = clean.files()
    pid = docker_node.run("pidof dockerd")
    containers = running(docker_node)
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    assert clean.status("dev")["nodes"] == {"desired": 3, "ready": 3, "summary": "3/3"}
    clean.wait_ready("dev", condition="Exposed")
    demo.push(built.app, f"{HOST}/app:1", host=HOST)
    demo.run_on_every_node(clean, f"{HOST}/app:1")
    assert HOST in insecure(docker_node)
    assert f"\t{HOST}\n" in docker_node.read("/etc/hosts")

    clean.kubectl("delete", "pods", "-l", "demo", "-n", REGISTRIES, "--timeout=60s")
    started = time.monotonic()
    clean.kubectl("delete", LREG, "dev", "-n", REGISTRIES, "--timeout=30s")
    assert time.monotonic() - started < 15
    assert differences(before, clean.files()) == []
    assert HOST not in insecure(docker_node), "the running daemon must forget too"
    assert docker_node.run("pidof dockerd") == pid, "dockerd was restarted"
    after = running(docker_node)
    assert {name: after.get(name) for name in containers} == containers

    # The claim was kept, and with it the images.
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    demo.run_on_every_node(clean, f"{HOST}/app:1")


def test_the_nodes_own_keys_in_daemon_json_and_their_order_survive(
    clean: Cluster, docker_node: Node
) -> None:
    path = "/etc/docker/daemon.json"
    before = docker_node.read(path)
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    after = docker_node.read(path)
    old, new = json.loads(before), json.loads(after)
    assert [key for key in new if key != "insecure-registries"] == list(old)
    assert {key: new[key] for key in old} == old
    assert set(new["insecure-registries"]) == {HOST, "127.0.0.0/8", "::1/128"}
    kept = [line for line in before.splitlines() if line.strip() not in ("{", "}")]
    assert all(line.rstrip(",") in after for line in kept), "formatting was changed"


def test_an_administrators_own_entries_stay_when_ours_go(clean: Cluster, docker_node: Node) -> None:
    path = "/etc/docker/daemon.json"
    before = docker_node.read(path)
    theirs = before.replace("{", '{\n  "insecure-registries": ["theirs.example:5000"],', 1)
    docker_node.run(f"cat > {path} <<'EOF'\n{theirs}\nEOF\nkill -HUP $(pidof dockerd)")
    try:
        mine = docker_node.read(path)
        wait_until(lambda: "theirs.example:5000" in insecure(docker_node), timeout=15, what="HUP")
        clean.apply_registry("dev", host=HOST)
        clean.wait_ready("dev")
        assert {HOST, "theirs.example:5000"} <= insecure(docker_node)
        clean.kubectl("delete", LREG, "dev", "-n", REGISTRIES, "--timeout=30s")
        assert docker_node.read(path) == mine
        assert HOST not in insecure(docker_node)
        assert "theirs.example:5000" in insecure(docker_node)
    finally:
        # First an empty list of theirs, so that the running daemon forgets it, then the old bytes.
        emptied = theirs.replace('"theirs.example:5000"', '"127.0.0.0/8"')
        docker_node.run(f"cat > {path} <<'EOF'\n{emptied}\nEOF\nkill -HUP $(pidof dockerd)")
        wait_until(
            lambda: "theirs.example:5000" not in insecure(docker_node), timeout=15, what="HUP"
        )
        docker_node.run(f"cat > {path} <<'EOF'\n{before.rstrip()}\nEOF")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("{ this is no JSON", id="broken JSON"),
        # These on each docker of the tier `agent`.
        pytest.param('["a", "list"]', id="an array", marks=pytest.mark.long),
        pytest.param('{"debug": false, "debug": true}', id="a key twice", marks=pytest.mark.long),
    ],
)
def test_a_file_that_dockerd_could_not_start_with_is_left_alone_and_named(
    clean: Cluster, docker_node: Node, damage: str
) -> None:
    path = "/etc/docker/daemon.json"
    before = docker_node.read(path)
    docker_node.run(f"cat > {path} <<'EOF'\n{damage}\nEOF")
    try:
        damaged = docker_node.read(path)
        clean.apply_registry("dev", host=HOST)
        failing = the_failing_node(clean, "dev")
        assert (failing["name"], failing["reason"]) == (docker_node.name, "ForeignConfigInvalid")
        assert "daemon.json" in failing["message"]
        assert docker_node.read(path) == damaged
    finally:
        docker_node.run(f"cat > {path} <<'EOF'\n{before.rstrip()}\nEOF")
    clean.wait_ready("dev", timeout=60)
    assert clean.status("dev")["nodes"]["summary"] == "3/3"


def test_what_somebody_undoes_is_back_within_ten_seconds(
    clean: Cluster, docker_node: Node, containerd_node: Node
) -> None:
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    toml = f"/etc/containerd/certs.d/{HOST}/hosts.toml"
    containerd_node.run(f"rm {toml}")
    docker_node.run("sed '/BEGIN localregistry/,/END localregistry/d' /etc/hosts > /tmp/h")
    docker_node.run("cat /tmp/h > /etc/hosts; rm /tmp/h")
    wait_until(
        lambda: containerd_node.run(f"cat {toml} || true") != "", timeout=10, what="hosts.toml"
    )
    wait_until(lambda: HOST in docker_node.read("/etc/hosts"), timeout=10, what="the hosts block")


def test_a_foreign_hosts_toml_is_a_conflict_that_names_the_file(
    clean: Cluster, containerd_node: Node
) -> None:
    folder = f"/etc/containerd/certs.d/{HOST}"
    theirs = f'server = "https://{HOST}"\n'
    was_there = containerd_node.run("[ -d /etc/containerd/certs.d ] && echo yes || true")
    containerd_node.run(f"mkdir -p {folder}; printf '%s' '{theirs}' > {folder}/hosts.toml")
    try:
        clean.apply_registry("dev", host=HOST)
        failing = the_failing_node(clean, "dev")
        assert failing["name"] == containerd_node.name
        assert f"{folder}/hosts.toml" in failing["message"]
        clean.kubectl("delete", LREG, "dev", "-n", REGISTRIES, "--timeout=30s")
        assert containerd_node.read(f"{folder}/hosts.toml") == theirs
    finally:
        containerd_node.run(f"rm -r {folder}")
        if not was_there:
            containerd_node.run("rmdir /etc/containerd/certs.d")


def test_unmanaged_takes_the_trust_back_from_every_node(clean: Cluster) -> None:
    before = clean.files()
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    assert differences(before, clean.files()) != []
    clean.apply_registry("dev", host=HOST, nodes={"management": "Unmanaged"})
    wait_until(lambda: differences(before, clean.files()) == [], timeout=15, what="the withdrawal")
    # The status is told by itself, beside what nodes are told.
    wait_until(
        lambda: clean.status("dev")["nodes"]["summary"] == "-", timeout=15, what="the status"
    )


def test_the_agents_have_no_credential_of_the_cluster(cluster: Cluster) -> None:
    pods = cluster.get(
        "pods", "-n", "localregistry-system", "-l", "app.kubernetes.io/component=node-agent"
    )["items"]
    assert len(pods) == 3
    for pod in pods:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not any("projected" in volume for volume in pod["spec"]["volumes"])
