"""What a bare cluster lacks: working DNS in pods, an ingress controller; and the wait for all."""

import ipaddress
import json
import re
import time
from pathlib import Path
from typing import Any

from kind import build, engine, progress, shell
from kind.settings import HERE, INGRESS_IMAGE, INGRESS_UPSTREAM, NETWORK, Settings

_WAIT_SECONDS = 120


def apply(settings: Settings) -> None:
    """Apply the add-ons and wait until every Deployment and DaemonSet of the cluster is ready.

    Does nothing, and quickly, where all is there already.
    """
    report = progress.Progress(2)
    if _ready(settings) and _ingress_there(settings):
        report.cached("add-ons")
        return
    with report.step("cluster DNS and ingress-nginx", "applying"):
        if not settings.stock_image:
            _mend_dns(settings)
        manifest = (HERE / "addons" / "ingress-nginx.yaml").read_text()
        if settings.stock_image:
            # Where node images can be pulled, so can the controller's own image.
            manifest = manifest.replace(INGRESS_IMAGE, INGRESS_UPSTREAM)
        _kubectl(settings, "apply", "--server-side", "--filename=-", stdin=manifest)
    with report.step("add-ons", "waiting until they are ready", seconds=30):
        _wait(settings)


def _kubectl(settings: Settings, *argv: str, stdin: str | None = None) -> str:
    command: list[str | Path] = [
        build.have(settings, "kubectl"),
        "--kubeconfig",
        settings.kubeconfig,
        *argv,
    ]
    return shell.run(command, timeout=60, stdin=stdin)


def _mend_dns(settings: Settings) -> None:
    """Forward foreign names to the machine's own resolver and drop the loop check.

    A node's resolver is the engine's, at 127.0.0.11: inside CoreDNS's pod that address is CoreDNS
    itself. Another resolvConf for the kubelet is no cure, since kube-proxy needs the engine's.
    """
    current = json.loads(
        _kubectl(settings, "get", "configmap", "coredns", "-n", "kube-system", "-o", "json")
    )
    corefile = mended(current["data"]["Corefile"], _resolver())
    if corefile == current["data"]["Corefile"]:
        return
    patch = json.dumps({"data": {"Corefile": corefile}})
    target = ("configmap", "coredns", "-n", "kube-system")
    _kubectl(settings, "patch", *target, "--type=merge", "--patch", patch)
    # Its pods have crashed or read the old file; new ones are quicker than the back-off.
    _kubectl(
        settings, "delete", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--wait=false"
    )


def mended(corefile: str, resolver: str) -> str:
    """Return a Corefile without the loop plugin that forwards to ``resolver``."""
    without_loop = re.sub(r"(?m)^\s*loop\s*\n", "", corefile)
    return re.sub(r"forward \. \S+", f"forward . {resolver}", without_loop)


def _resolver() -> str:
    """First resolver of this machine that a pod can reach, else the network's gateway.

    Nobody may listen on the gateway: then foreign names fail after five seconds, not at once.
    """
    for line in Path("/etc/resolv.conf").read_text().splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            address = ipaddress.ip_address(words[1].partition("%")[0])
            if address.version == 4 and not address.is_loopback:
                return str(address)
    return _gateway()


def _gateway() -> str:
    configured = json.loads(
        engine.docker("network", "inspect", NETWORK, "--format", "{{json .IPAM.Config}}")
    )
    for entry in configured:
        gateway = str(entry.get("Gateway", ""))
        if "." in gateway:
            return gateway
    raise shell.Failed(f"the network {NETWORK} has no IPv4 gateway: {configured}")


def _workloads(settings: Settings) -> list[dict[str, Any]]:
    kinds = "nodes,deployments,daemonsets"
    answer = _kubectl(settings, "get", kinds, "--all-namespaces", "--output=json")
    ours = {None, "kube-system", "local-path-storage", "ingress-nginx"}
    items: list[dict[str, Any]] = json.loads(answer)["items"]
    return [item for item in items if item["metadata"].get("namespace") in ours]


def waiting_for(items: list[dict[str, Any]]) -> list[str]:
    """Name the nodes that are not Ready and the workloads that are not rolled out completely."""
    pending = []
    for item in items:
        status, meta = item.get("status", {}), item["metadata"]
        if item["kind"] == "Node":
            if not node_ready(item):
                pending.append(f"node {meta['name']}")
            continue
        if item["kind"] == "Deployment":
            want, have = item["spec"]["replicas"], status.get("availableReplicas", 0)
        else:
            want, have = status.get("desiredNumberScheduled", -1), status.get("numberAvailable", 0)
        observed = status.get("observedGeneration") == meta["generation"]
        if have != want or not observed:
            pending.append(f"{meta['namespace']}/{meta['name']} {have}/{want}")
    return pending


def node_ready(node: dict[str, Any]) -> bool:
    """Tell whether a node's Ready condition is True."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in node.get("status", {}).get("conditions", [])
    )


def _ready(settings: Settings) -> bool:
    return not waiting_for(_workloads(settings))


def _ingress_there(settings: Settings) -> bool:
    return any(
        item["metadata"].get("namespace") == "ingress-nginx" for item in _workloads(settings)
    )


def _wait(settings: Settings) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    pending = ["?"]
    while time.monotonic() < deadline:
        pending = waiting_for(_workloads(settings))
        if not pending:
            return
        time.sleep(0.5)
    raise shell.Failed(f"not ready after {_WAIT_SECONDS} s: {', '.join(pending)}")
