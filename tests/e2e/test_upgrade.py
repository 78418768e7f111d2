"""Upgrades with live registries: pulls go on on every node, and no registry is restarted."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Iterator

import pytest

from e2e import demo, install
from e2e.cluster import REGISTRIES, SYSTEM, Body, Cluster, run_kind, say, wait_until
from e2e.images import Images
from e2e.pulls import pulling

HOST = "registry.example.internal"
AGENTS = ("daemonset", "node-agent", "-n", SYSTEM)

pytestmark = pytest.mark.lifecycle


@pytest.fixture
def live(clean: Cluster, built: Images) -> Iterator[str]:
    """The reference of an image in a registry that is Ready."""
    clean.apply_registry("dev", host=HOST)
    clean.wait_ready("dev")
    clean.wait_ready("dev", condition="Exposed")
    reference = f"{HOST}/app:1"
    demo.push(built.app, reference, host=HOST)
    yield reference
    install.install(clean, built)
    clean.kubectl("rollout", "status", *AGENTS, "--timeout=120s")


@pytest.fixture(scope="session")
def other(built: Images) -> Images:
    """The same programs as another release: under a tag of their own, all that is rolled rolls."""
    version = dataclasses.replace(built, tag=f"{built.tag}-other")
    for mine, theirs in ((built.operator, version.operator), (built.agent, version.agent)):
        subprocess.run(["docker", "tag", mine, theirs], check=True)
        run_kind("load", theirs)
    return version


def registry_pod(cluster: Cluster) -> tuple[str, int]:
    """UID and restarts of the one pod that serves the registry."""
    selector = "app.kubernetes.io/managed-by=localregistry-operator"
    (pod,) = cluster.get("pods", "-n", REGISTRIES, "-l", selector)["items"]
    statuses = pod["status"]["containerStatuses"]
    return pod["metadata"]["uid"], sum(status["restartCount"] for status in statuses)


def agents_run(cluster: Cluster, images: Images) -> bool:
    """Whether every agent is of these images, and each one is Ready."""
    body: Body = cluster.get(*AGENTS)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    status = body["status"]
    return bool(
        container["image"] == images.agent
        and status.get("observedGeneration") == body["metadata"]["generation"]
        and status.get("updatedNumberScheduled") == status["desiredNumberScheduled"]
        and status.get("numberReady") == status["desiredNumberScheduled"]
    )


def test_an_upgrade_and_the_way_back_fail_no_pull_and_restart_no_registry(
    clean: Cluster, built: Images, other: Images, live: str
) -> None:
    pod = registry_pod(clean)
    started = time.monotonic()
    with pulling(clean.nodes(), live) as pulls:
        for images in (other, built):
            install.install(clean, images)
            wait_until(
                lambda images=images: agents_run(clean, images),  # type: ignore[misc]
                timeout=120,
                what=f"the agents of {images.tag}",
            )
            clean.wait_ready("dev")
        seconds = time.monotonic() - started
    say(
        f"{pulls.fewest} pulls on each node at least in {seconds:.0f} s, {len(pulls.failed)} failed"
    )
    assert pulls.failed == []
    assert pulls.fewest > seconds / 3, "a pull and a second's pause, on a busy machine"
    assert registry_pod(clean) == pod
    assert clean.status("dev")["nodes"]["summary"] == "3/3"


@pytest.mark.long
def test_a_broken_agent_image_stops_at_the_first_node_and_takes_nothing_from_the_others(
    clean: Cluster, built: Images, live: str
) -> None:
    before = clean.files()
    with pulling(clean.nodes(), live) as pulls:
        install.install(clean, built, "agent.image.tag=broken")
        wait_until(
            lambda: clean.get(*AGENTS)["status"].get("updatedNumberScheduled") == 1,
            timeout=60,
            what="the first wave",
        )
        # It would have gone on within seconds: the pods of a wave are replaced at once.
        time.sleep(20)
        status = clean.get(*AGENTS)["status"]
        assert status["updatedNumberScheduled"] == 1
        assert status["numberReady"] == 2
        assert clean.files() == before
    say(f"{pulls.fewest} pulls on each node at least, {len(pulls.failed)} failed")
    assert pulls.failed == []
    install.install(clean, built)
    wait_until(lambda: agents_run(clean, built), timeout=120, what="the agents that work")
