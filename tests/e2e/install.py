"""Installs and removes the operator as a user would, with this tree's images."""

from __future__ import annotations

import subprocess

from e2e.cluster import LREG, ROOT, SYSTEM, Cluster, run_kind
from e2e.images import Images

RELEASE = "localregistry"


def install(cluster: Cluster, images: Images, *values: str, stopped: bool = False) -> None:
    """`helm upgrade --install`; running it again changes nothing. `values` are `name=value`.

    `stopped`: after a removal that was not gone through with, which holds the operator at none.
    """
    cluster.kubectl(
        *("apply", "-f", "-"),
        input={
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": SYSTEM,
                "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
            },
        },
    )
    cluster.helm(
        *("upgrade", "--install", RELEASE, str(ROOT / "manifests/chart"), "-n", SYSTEM),
        *("--set", f"image.tag={images.tag}", "--set", f"agent.image.tag={images.tag}"),
        *(part for value in values for part in ("--set", value)),
        *(("--force-conflicts",) if stopped else ()),
        *("--wait", "--timeout", "120s"),
    )


def as_released(images: Images) -> None:
    """Loads this tree's images under the names that the plain manifests have, without a registry
    of images."""
    text = (ROOT / "manifests/install.yaml").read_text()
    for image in (images.operator, images.agent):
        released = next(
            word.strip('"')
            for word in text.split()
            if word.strip('"').startswith(image.rpartition(":")[0] + ":")
        )
        subprocess.run(["docker", "tag", image, released], check=True)
        run_kind("load", released)


def installed(cluster: Cluster) -> bool:
    return cluster.exists("deployment", RELEASE, "-n", SYSTEM)


def uninstall(cluster: Cluster) -> None:
    """All LocalRegistries first, so that nodes are restored while the operator runs; then all."""
    if cluster.exists("crd", LREG):
        cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=120s")
    if installed(cluster):
        cluster.helm("uninstall", RELEASE, "-n", SYSTEM, "--wait")
    cluster.kubectl("delete", "crd", LREG, "--ignore-not-found", "--timeout=60s")
    cluster.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=120s")
