"""The configuration that kind reads: three nodes and what this machine needs of kubeadm."""

import json
from typing import Any

# Traffic to these ranges never leaves the nodes untranslated (node/common/kind/entrypoint).
POD_SUBNET = "10.244.0.0/16"
SERVICE_SUBNET = "10.96.0.0/16"

_CRI_DOCKERD = "unix:///run/cri-dockerd.sock"


def render(
    *, cluster: str, containerd: str, docker: str | None, legacy_cgroups: bool, own_cni: bool
) -> str:
    """Return kind's configuration as JSON, which is YAML too.

    ``docker`` is the image of the Docker worker; None makes a second containerd worker in its
    place (stock images have no Docker). ``own_cni`` is False where the image brings its network.
    """
    workers: list[dict[str, Any]] = [{"role": "worker", "image": docker or containerd}]
    if docker:
        patch = {
            "kind": "JoinConfiguration",
            "nodeRegistration": {"criSocket": _CRI_DOCKERD},
        }
        workers[0]["kubeadmConfigPatches"] = [json.dumps(patch)]
    workers.append({"role": "worker", "image": containerd})
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": cluster,
        "nodes": [{"role": "control-plane", "image": containerd}, *workers],
    }
    if own_cni:
        config["networking"] = {"podSubnet": POD_SUBNET, "serviceSubnet": SERVICE_SUBNET}
    if legacy_cgroups:
        kubelet = {
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            # Since 1.35 the kubelet refuses cgroup v1 unless told otherwise.
            "failCgroupV1": False,
        }
        config["kubeadmConfigPatches"] = [json.dumps(kubelet)]
    return json.dumps(config, indent=2)
