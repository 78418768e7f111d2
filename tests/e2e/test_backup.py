"""A backup brought back on real nodes: the LocalRegistry, its claim and the volume with images."""

from __future__ import annotations

import json

import pytest

from api.test_backup import exported
from e2e import demo
from e2e.cluster import LREG, REGISTRIES, Cluster, Node, wait_until
from e2e.pulls import PULL
from e2e.pushes import REPOSITORY, Pushes, lost, push
from e2e.test_node_lifecycle import HOST, NAME, ingress

CLAIM = ("pvc", f"{NAME}-registry", "-n", REGISTRIES)

pytestmark = pytest.mark.lifecycle


def patch_volume(cluster: Cluster, name: str, spec: dict[str, object]) -> None:
    cluster.kubectl("patch", "pv", name, "--type=merge", "-p", json.dumps({"spec": spec}))


@pytest.mark.long
def test_images_are_pulled_again_after_the_namespace_was_lost_and_restored(
    clean: Cluster, docker_node: Node, containerd_node: Node
) -> None:
    clean.apply_registry(NAME, host=HOST)
    clean.wait_ready(NAME)
    clean.wait_ready(NAME, condition="Exposed")
    digest = push(ingress(clean), "kept")
    saved, claim = clean.get(LREG, NAME, "-n", REGISTRIES), clean.get(*CLAIM)
    volume = claim["spec"]["volumeName"]
    # The volume's content is the backup tool's part; here it is the same volume.
    patch_volume(clean, volume, {"persistentVolumeReclaimPolicy": "Retain"})
    clean.kubectl("delete", "namespace", REGISTRIES, "--timeout=60s")
    patch_volume(clean, volume, {"claimRef": None})
    try:
        clean.kubectl("apply", "-f", "-", input=demo.namespace(REGISTRIES))
        for body in (claim, saved):
            clean.kubectl("create", "-f", "-", input=exported(body))
        clean.wait_ready(NAME)
        clean.wait_ready(NAME, condition="Exposed")
        found = clean.get(LREG, NAME, "-n", REGISTRIES)
        assert found["metadata"]["uid"] != saved["metadata"]["uid"]
        assert found["status"]["nodes"]["summary"] == "3/3"
        wait_until(
            lambda: lost(ingress(clean), Pushes({"kept": digest})) == [],
            timeout=30,
            what="the image by the Ingress",
        )
        for node in (docker_node, containerd_node):
            node.run(PULL[node.runtime].format(reference=f"{HOST}/{REPOSITORY}:kept"))
    finally:
        patch_volume(clean, volume, {"persistentVolumeReclaimPolicy": "Delete"})
