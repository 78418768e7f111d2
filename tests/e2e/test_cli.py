"""The command line on real nodes: what it shows, and what `doctor` says of a fault and after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from e2e import demo, faults, faultsofnodes
from e2e.cluster import REGISTRIES, ROOT, Cluster, say, wait_until
from e2e.faults import HOST, NAME, Fault, changed
from e2e.images import Images

pytestmark = pytest.mark.ux


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


def told(cluster: Cluster, words: str) -> dict[str, str]:
    return {sentence: cure for sentence, cure in errors(cluster).items() if words in sentence}


@pytest.fixture
def ready(clean: Cluster) -> Cluster:
    """With one LocalRegistry that every node can pull from, and that `doctor` finds no fault in."""
    clean.apply_registry(NAME, host=HOST)
    done = run(clean, "wait", NAME, "-n", REGISTRIES, "--timeout", "3m")
    assert done.returncode == 0, done.stderr
    clean.wait_ready(NAME, condition="Exposed")
    assert errors(clean) == {}
    return clean


def test_all_of_a_registry_is_shown(ready: Cluster, built: Images) -> None:
    demo.push(built.app, f"{HOST}/app:1", host=HOST)
    done = run(ready, "status", NAME, "-n", REGISTRIES, "-o", "json")
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
    same = run(ready, "diff", NAME, "-n", REGISTRIES)
    assert (same.returncode, same.stdout) == (0, ""), same.stderr


BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"
# What `doctor` says of it, words of the one line that mends it, and how to make it.
FAULTS: dict[str, tuple[str, str, Fault]] = {
    "DNS missing on nodes": (
        "cannot be pulled from on this node: PullFailed",
        "or use resolve: ClusterIP",
        changed({"nodes": {"resolve": "ClusterIP"}}, {"nodes": {"resolve": "DNS"}}),
    ),
    "port 443 of the Service gone": (
        "Service dev-registry has lost port 443",
        "kubectl delete service dev-registry",
        faults.without_443,
    ),
    "config_path unset": (
        "cannot be pulled from on this node: ConfigPathMissing",
        'config_path = "/etc/containerd/certs.d"',
        faultsofnodes.without_config_path,
    ),
    "foreign hosts.toml": (
        "cannot be pulled from on this node: Contended",
        "/hosts.toml",
        faultsofnodes.foreign_file,
    ),
    "flag conflict": (
        "cannot be pulled from on this node: FlagConflict",
        f"Add --insecure-registry {HOST}",
        faultsofnodes.started_with_a_flag,
    ),
    "ingress without body size": (
        "limits the size of what is sent (413)",
        f'{BODY_SIZE}: "0"',
        changed(
            {"ingress": {"annotations": None}}, {"ingress": {"annotations": {BODY_SIZE: "1m"}}}
        ),
    ),
    "volume full": (
        "StorageReady says StorageFull: The volume is full",
        "kubectl patch pvc small",
        faultsofnodes.full_volume,
    ),
    "registry image missing": (
        "RegistryAvailable says ImagePullFailed",
        "in spec.image",
        changed({"image": None}, {"image": "localregistry.dev/no/such:image"}),
    ),
    "agent blocked": (
        "Pod Security (baseline) lets no node agent run here",
        "kubectl label namespace localregistry-system",
        faults.blocked_agents,
    ),
    "API rights missing": (
        "The operator lacks rights in the API",
        "helm upgrade localregistry",
        faults.without_rights,
    ),
}


# A minute each, so that one stands for all in a run of every day.
DAILY = ("ingress without body size",)
CASES = [pytest.param(f, marks=() if f in DAILY else pytest.mark.long) for f in FAULTS]


@pytest.mark.parametrize("name", CASES)
def test_doctor_names_the_fault_and_after_its_cure_says_that_all_is_well(
    ready: Cluster, name: str
) -> None:
    words, mends, fault = FAULTS[name]
    with fault(ready) as cure:
        seconds = wait_until(lambda: bool(told(ready, words)), timeout=90, what=words, interval=2)
        sentence, line = next(iter(told(ready, words).items()))
        say(f"{name}, after {seconds:.0f} s: {sentence} -> {line}")
        assert mends in line
        cure(line)
        seconds = wait_until(
            lambda: errors(ready) == {}, timeout=120, what="all to be well", interval=2
        )
        say(f"{name}: all is well {seconds:.0f} s after its cure")
