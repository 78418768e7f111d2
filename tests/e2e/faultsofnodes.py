"""Faults of nodes, their runtimes and their disks, for `doctor` to name.

Whatever happens in between, a node's files are in the end what they were, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.cluster import LREG, REGISTRIES, Cluster, Node, differences, wait_until
from e2e.faults import HOST, Cure, patch

FOLDER = "/etc/containerd/certs.d"
CERTS = f"{FOLDER}/{HOST}"
CONTAINERD = "/etc/containerd/config.toml"
# Debian's unit reads $DOCKER_OPTS from it.
DOCKER = "/etc/default/docker"
# A private range that no Service of the cluster is in.
FLAG = "--insecure-registry 10.250.0.0/16"
# The agent's, where it is told of anything.
STATE = "/var/lib/localregistry"
# A runtime that was started anew has to prove itself anew.
PROOFS = f"{STATE}/proofs.json"

SMALL, VOLUME = "small", "/var/lib/volume-of-the-test"
# The engine's own files take some kilobytes of it.
FULL_MIB, CURED_MIB = 16, 64


def worker(cluster: Cluster, runtime: str) -> Node:
    return next(
        node
        for node in cluster.nodes()
        if node.runtime == runtime and "control-plane" not in node.name
    )


@contextmanager
def as_before(cluster: Cluster, node: Node) -> Iterator[None]:
    """What the agent wrote is back as well, as soon as it has seen that the fault is gone."""
    before = {node.name: node.files()}
    yield
    found: list[str] = []

    def same() -> bool:
        found[:] = differences(before, {node.name: node.files()})
        return all(PROOFS in line for line in found)

    try:
        wait_until(same, timeout=90, what="the node's files", interval=1)
    except AssertionError as error:
        raise AssertionError(f"{error}: {found}") from None


@contextmanager
def kept(node: Node, file: str, unit: str) -> Iterator[None]:
    """A file that is what it was before, and so is the daemon that was started with it.

    What a run that was cut off has kept is what it was before.
    """
    copy = f"/var/lib/kept-by-the-test-{unit}"
    node.run(f"[ -e {copy} ] || cp -p {file} {copy}")
    what = "sha256sum < {0}; stat -c '%a %u:%g %Y' {0}"
    before = node.run(what.format(copy))
    try:
        yield
    finally:
        node.run(f"cp -p {copy} {file}; rm {copy}")
        restart(node, unit)
        assert node.run(what.format(file)) == before


def restart(node: Node, unit: str) -> None:
    """However often it was started in the last minute: systemd lets nobody do so a fourth time."""
    node.run(f"systemctl reset-failed {unit}; systemctl restart {unit}")


@contextmanager
def foreign_file(cluster: Cluster) -> Iterator[Cure]:
    node = worker(cluster, "containerd")
    with as_before(cluster, node):
        withdraw(cluster, node)
        # The agent takes away what it made, and leaves what was there.
        mine = node.run(f"[ -d {FOLDER} ] || echo no folder")
        remove = f"rm -r {CERTS}" + (f"; rmdir {FOLDER}" if mine else "")
        node.run(f"mkdir -p {CERTS}; echo 'server = \"https://x.example\"' > {CERTS}/hosts.toml")
        try:
            patch(cluster, {"nodes": {"management": "Managed"}})

            def cure(line: str) -> None:
                assert f"{CERTS}/hosts.toml" in line
                node.run(remove)

            yield cure
        finally:
            patch(cluster, {"nodes": {"management": "Managed"}})
            node.run(f"if grep -qs x.example {CERTS}/hosts.toml; then {remove}; fi")


@contextmanager
def without_config_path(cluster: Cluster) -> Iterator[Cure]:
    node = worker(cluster, "containerd")

    def cure(line: str) -> None:
        """The table is there, so only the key is added."""
        found = re.search(rf'Add to {CONTAINERD}: (\[\S+\]) (config_path = "\S+") .*restart', line)
        assert found, line
        table, key = found.groups()
        text = node.read(CONTAINERD)
        assert text.count(table) == 1, text
        text = text.replace(table, f"{table}\n    {key}")
        node.run(f"cat > {CONTAINERD} <<'EOF'\n{text}EOF")
        restart(node, "containerd")

    with as_before(cluster, node), kept(node, CONTAINERD, "containerd"):
        node.run(f"sed -i /config_path/d {CONTAINERD}")
        restart(node, "containerd")
        yield cure


@contextmanager
def started_with_a_flag(cluster: Cluster) -> Iterator[Cure]:
    """Before the node is told of the registry: dockerd would not start with key and flag both."""
    node = worker(cluster, "docker")

    def start_with(*flags: str) -> None:
        options = f'DOCKER_OPTS="{" ".join(flags)}"'
        node.run(f"echo '{options}' >> {DOCKER}")
        restart(node, "docker")

    def cure(line: str) -> None:
        assert "to its command line" in line
        start_with(FLAG, *re.findall(r"Add (--insecure-registry \S+) \(or", line))

    with as_before(cluster, node), kept(node, DOCKER, "docker"):
        try:
            withdraw(cluster, node)
            start_with(FLAG)
            patch(cluster, {"nodes": {"management": "Managed"}})
            yield cure
        finally:
            patch(cluster, {"nodes": {"management": "Managed"}})


@contextmanager
def full_volume(cluster: Cluster) -> Iterator[Cure]:
    """Another registry, on a volume of its own, which somebody else's file fills."""
    node = worker(cluster, "containerd")
    where = ("-n", REGISTRIES)
    node.run(f"mkdir {VOLUME}; mount -t tmpfs -o size={FULL_MIB}m,mode=1777 {SMALL} {VOLUME}")

    def cure(line: str) -> None:
        """By who made the volume: no driver is behind it that could."""
        assert f"kubectl patch pvc {SMALL} -n {REGISTRIES}" in line
        node.run(f"mount -o remount,size={CURED_MIB}m {VOLUME}")

    try:
        for body in volume(node):
            cluster.kubectl("apply", "-f", "-", input=body)
        claim = {"existingClaim": SMALL}
        cluster.apply_registry(SMALL, host="small.example.internal", storage=claim)
        cluster.wait_ready(SMALL)
        node.run(f"head -c {2 * FULL_MIB}M /dev/zero > {VOLUME}/filler || true")
        yield cure
    finally:
        cluster.kubectl("delete", LREG, SMALL, *where, "--ignore-not-found", "--timeout=60s")
        cluster.kubectl("delete", "pvc", SMALL, *where, "--ignore-not-found", "--timeout=60s")
        cluster.kubectl("delete", "pv", SMALL, "--ignore-not-found", "--timeout=60s")
        node.run(f"umount {VOLUME}; rmdir {VOLUME}")


def volume(node: Node) -> list[dict[str, Any]]:
    """The folder of this node as a volume, and the claim that has it."""
    size = {"storage": f"{FULL_MIB}Mi"}
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name]}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": SMALL},
            "spec": common
            | {
                "capacity": size,
                "local": {"path": VOLUME},
                "nodeAffinity": {
                    "required": {"nodeSelectorTerms": [{"matchExpressions": [there]}]}
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": SMALL, "namespace": REGISTRIES},
            "spec": common | {"volumeName": SMALL, "resources": {"requests": size}},
        },
    ]


def withdraw(cluster: Cluster, node: Node) -> None:
    """Until the agent has taken back all that it wrote, and with it the journal of that."""
    patch(cluster, {"nodes": {"management": "Unmanaged"}})
    gone = f"[ -e {STATE} ] || echo gone"
    wait_until(lambda: node.run(gone) != "", timeout=30, what="the withdrawal")
