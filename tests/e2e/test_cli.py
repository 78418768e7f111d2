"""The command line on real nodes: what it shows, and what `doctor` says of a fault and after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from e2e import demo
from e2e.cluster import LREG, REGISTRIES, ROOT, Cluster, Node, wait_until
from e2e.images import Images

pytestmark = pytest.mark.ux

HOST = "cli.example.internal"
FOLDER = f"/etc/containerd/certs.d/{HOST}"
BINDING = "clusterrolebinding/localregistry"


def run(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As the administrator, on this machine."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}"}
    environment["KUBECONFIG"] = str(cluster.kubeconfig)
    command = [sys.executable, "-m", "localregistry.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=180, env=environment
    )


def errors(cluster: Cluster) -> dict[str, str]:
    """Cures by sentences, of what `doctor` calls broken."""
    done = run(cluster, "doctor", "-n", REGISTRIES, "-o", "json")
    found = json.loads(done.stdout)
    broken = {one["sentence"]: one["cure"] for one in found if one["severity"] == "error"}
    assert done.returncode == 1 if broken else done.returncode in (0, 3), done
    return broken


def told(cluster: Cluster, words: str) -> bool:
    return any(words in sentence and cure for sentence, cure in errors(cluster).items())


@pytest.fixture
def ready(clean: Cluster) -> Cluster:
    """With one LocalRegistry that every node can pull from, and that `doctor` finds no fault in."""
    apply(clean)
    done = run(clean, "wait", "dev", "-n", REGISTRIES, "--timeout", "3m")
    assert done.returncode == 0, done.stderr
    clean.wait_ready("dev", condition="Exposed")
    assert errors(clean) == {}
    return clean


def apply(cluster: Cluster, **spec: Any) -> None:
    cluster.apply_registry("dev", host=HOST, **spec)


def test_all_of_a_registry_is_shown(ready: Cluster, built: Images) -> None:
    demo.push(built.app, f"{HOST}/app:1", host=HOST)
    done = run(ready, "status", "dev", "-n", REGISTRIES, "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    nodes = {node["name"]: node for node in found["nodes"]["items"]}
    assert {name: node["runtime"] for name, node in nodes.items()} == {
        node.name: node.runtime for node in ready.nodes()
    }
    assert {node["reason"] for node in nodes.values()} == {"Configured"}
    [tag] = found["catalogue"]["tags"]
    assert (tag["repository"], tag["tag"]) == ("app", "1")
    assert tag["size"] > 1000
    assert tag["pushed"]
    same = run(ready, "diff", "dev", "-n", REGISTRIES)
    assert (same.returncode, same.stdout) == (0, ""), same.stderr


# Makes a fault, and returns what its finding's cure says.
Cure = Callable[[], object]
Break = Callable[[Cluster, Node], Cure]


def patch(cluster: Cluster, spec: dict[str, Any]) -> None:
    body = json.dumps({"spec": spec})
    cluster.kubectl("patch", LREG, "dev", "-n", REGISTRIES, "--type=merge", "-p", body)


def changed(before: dict[str, Any], after: dict[str, Any]) -> Break:
    """A fault of the spec, and the spec as it was."""

    def breaks(cluster: Cluster, _: Node) -> Cure:
        patch(cluster, after)
        return lambda: patch(cluster, before)

    return breaks


def foreign_file(cluster: Cluster, node: Node) -> Cure:
    patch(cluster, {"nodes": {"management": "Unmanaged"}})
    gone = f"[ -e {FOLDER}/hosts.toml ] || echo gone"
    wait_until(lambda: node.run(gone) != "", timeout=30, what="the withdrawal")
    node.run(f"mkdir -p {FOLDER}; echo 'server = \"https://x.example\"' > {FOLDER}/hosts.toml")
    patch(cluster, {"nodes": {"management": "Managed"}})
    return lambda: node.run(f"rm -r {FOLDER}")


def without_rights(cluster: Cluster, _: Node) -> Cure:
    found = cluster.get(BINDING)
    meta = {key: found["metadata"].get(key) for key in ("name", "labels", "annotations")}
    kept = {key: found[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
    cluster.kubectl("delete", BINDING)
    return lambda: cluster.kubectl("create", "-f", "-", input=kept | {"metadata": meta})


def without_443(cluster: Cluster, _: Node) -> Cure:
    patch(cluster, {"suspend": True})
    ports = cluster.get("service", "dev-registry", "-n", REGISTRIES)["spec"]["ports"]
    kept = json.dumps({"spec": {"ports": [port for port in ports if port["port"] != 443]}})
    command = ("patch", "service", "dev-registry", "-n", REGISTRIES, "--type=merge", "-p", kept)
    cluster.kubectl(*command)
    return lambda: patch(cluster, {"suspend": False})


BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"
FAULTS: dict[str, tuple[str, Break]] = {
    "foreign hosts.toml": ("cannot be pulled from on this node: Contended", foreign_file),
    "DNS missing on nodes": (
        "cannot be pulled from on this node: PullFailed",
        changed({"nodes": {"resolve": "ClusterIP"}}, {"nodes": {"resolve": "DNS"}}),
    ),
    "ingress without body size": (
        "limits the size of what is sent (413)",
        changed(
            {"ingress": {"annotations": None}}, {"ingress": {"annotations": {BODY_SIZE: "1m"}}}
        ),
    ),
    "registry image missing": (
        "RegistryAvailable says ImagePullFailed",
        changed({"image": None}, {"image": "localregistry.dev/no/such:image"}),
    ),
    "port 443 of the Service gone": ("Service dev-registry has lost port 443", without_443),
    "API rights missing": ("The operator lacks rights in the API", without_rights),
}


# A minute each, so that one stands for all in a run of every day.
DAILY = ("ingress without body size",)
CASES = [pytest.param(f, marks=() if f in DAILY else pytest.mark.long) for f in FAULTS]


@pytest.mark.parametrize("name", CASES)
def test_doctor_names_the_fault_and_after_its_cure_says_that_all_is_well(
    ready: Cluster, containerd_node: Node, name: str
) -> None:
    words, breaks = FAULTS[name]
    cure = breaks(ready, containerd_node)
    try:
        wait_until(lambda: told(ready, words), timeout=90, what=words, interval=2)
    finally:
        cure()
    wait_until(lambda: errors(ready) == {}, timeout=120, what="all to be well", interval=2)
