"""Where the documentation's commands run on the cluster: as its administrator, or on a node."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from documented.runner import Shell
from e2e.cluster import ROOT, Cluster, Node


def shell(cluster: Cluster, folder: Path = ROOT, path: Sequence[Path] = ()) -> Shell:
    """kubectl and helm of the cluster; `path` comes before them."""
    return Shell((*path, cluster.bin), {"KUBECONFIG": str(cluster.kubeconfig)}, folder)


def on_node(node: Node) -> Shell:
    """A root's shell on the node itself."""
    return Shell(prefix=("docker", "exec", node.name))


def docker_of(node: Node, folder: Path) -> Path:
    """A folder with a `docker` in it that is the node's, where /run/build is the current folder.

    The node plays the laptop that pushes: its daemon lists the host as insecure, as a laptop's has
    to. It finds the host in its /etc/hosts, and so pushes to the Service; the way through the
    Ingress is that of the demo's push.
    """
    folder.mkdir()
    real = shutil.which("docker")
    assert real is not None
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec {real} exec -i -w /run/build {node.name} docker "$@"\n')
    program.chmod(0o755)
    return folder
