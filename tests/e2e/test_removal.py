"""Nobody can tell that it was there: each way to remove the operator, on real nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from documented.runner import Documented
from e2e import demo, install
from e2e.cluster import LREG, REGISTRIES, ROOT, SYSTEM, Cluster, Node, differences, say
from e2e.documented import shell
from e2e.images import Images
from e2e.test_nodes import insecure, running

HOST = "registry.example.internal"
MANIFESTS = ROOT / "manifests"
# A namespace with LocalRegistries in it goes within this time.
NAMESPACE_SECONDS = 60

Before = tuple[dict[str, dict[str, str]], dict[str, str]]

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def before(clean: Cluster, built: Images, docker_node: Node) -> Iterator[Before]:
    """The nodes' files and the Docker node's containers before; a registry is Ready meanwhile."""
    files, containers = clean.files(), running(docker_node)
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    assert HOST in insecure(docker_node)
    assert differences(files, clean.files()) != []
    yield files, containers
    clean.kubectl("delete", "namespace", "localregistry-clean", "--ignore-not-found")
    if not clean.exists("namespace", REGISTRIES):
        clean.kubectl("apply", "-f", "-", input=demo.namespace(REGISTRIES))
    install.install(clean, built, stopped=True)


def as_before(cluster: Cluster, docker_node: Node, before: Before) -> None:
    """Every file byte by byte, what the running daemon knows, and that no container was touched."""
    files, containers = before
    assert differences(files, cluster.files()) == []
    say(f"{sum(map(len, files.values()))} paths of {len(files)} nodes are as before")
    assert HOST not in insecure(docker_node), "the running daemon must forget too"
    kept = {name: line for name, line in containers.items() if SYSTEM not in name}
    now = running(docker_node)
    assert {name: now.get(name) for name in kept} == kept


def finalizers(cluster: Cluster) -> list[Any]:
    return [item["metadata"].get("finalizers") for item in cluster.get(LREG, "-A")["items"]]


def the_namespace_goes(cluster: Cluster) -> None:
    started = time.monotonic()
    cluster.kubectl("delete", "namespace", REGISTRIES, f"--timeout={NAMESPACE_SECONDS}s")
    seconds = time.monotonic() - started
    say(f"the namespace of the registries went in {seconds:.0f} s")
    assert seconds < NAMESPACE_SECONDS


def test_helm_uninstall_leaves_the_nodes_as_they_were(
    clean: Cluster, docker_node: Node, before: Before, documented: Documented
) -> None:
    """With a LocalRegistry still there, which nobody has to delete first."""
    documented.run(shell(clean))
    as_before(clean, docker_node, before)
    left = clean.kubectl("get", "all,configmaps,leases,roles,serviceaccounts", "-n", SYSTEM)
    assert "localregistry" not in left.stdout
    assert "node-" not in left.stdout
    assert finalizers(clean) == [None]
    the_namespace_goes(clean)


@pytest.mark.long
def test_uninstall_yaml_does_the_same_without_helm(
    clean: Cluster, built: Images, docker_node: Node, before: Before, documented: Documented
) -> None:
    install.as_released(built)
    documented.run(shell(clean))
    as_before(clean, docker_node, before)
    assert not clean.exists("crd", LREG)
    left = clean.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name").stdout
    # What the cluster itself is made of has other names: localregistry-test:pod-network.
    ours = [name for name in left.split() if "localregistry" in name]
    assert [name for name in ours if "localregistry-test:" not in name] == []
    assert not clean.exists("namespace", SYSTEM)
    the_namespace_goes(clean)


@pytest.mark.long
def test_nodes_whose_operator_was_deleted_first_are_cleaned_by_their_own_journals(
    clean: Cluster, built: Images, docker_node: Node, before: Before, documented: Documented
) -> None:
    install.as_released(built)
    clean.kubectl("delete", "namespace", SYSTEM, "--timeout=120s")
    assert HOST in insecure(docker_node), "nobody has told the nodes yet"
    documented.run(shell(clean))
    as_before(clean, docker_node, before)
    assert finalizers(clean) == [None]
    the_namespace_goes(clean)


@pytest.mark.long
def test_a_node_that_does_not_answer_stops_the_removal_and_is_named(
    clean: Cluster, built: Images, docker_node: Node, before: Before, documented: Documented
) -> None:
    """The agent of one node is stopped: nobody can say that this node is clean."""
    process = "pgrep -f 'localregistry.* agent$'"
    docker_node.run(f"kill -STOP $({process})")
    try:
        install.as_released(built)
        text = (MANIFESTS / "uninstall.yaml").read_text()
        quick = text.replace("- restore\n", "- restore\n        - --seconds=8\n")
        assert quick != text
        clean.kubectl("apply", "-f", "-", input=quick)
        job = ("job/localregistry-restore", "-n", SYSTEM)
        clean.kubectl("wait", "--for=condition=failed", *job, "--timeout=120s")
        [ran] = documented.run(shell(clean))
        assert f"{docker_node.name} has not answered" in ran.said
        assert clean.exists("daemonset", "node-agent", "-n", SYSTEM)
        assert HOST in insecure(docker_node)
    finally:
        docker_node.run(f"kill -CONT $({process})")
    clean.kubectl("delete", *job, "--timeout=60s")
    clean.kubectl("apply", "-f", str(MANIFESTS / "uninstall.yaml"))
    clean.kubectl("wait", "--for=condition=complete", *job, "--timeout=180s")
    as_before(clean, docker_node, before)
    clean.kubectl("delete", "-f", str(MANIFESTS / "uninstall.yaml"))
