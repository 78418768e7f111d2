"""A registry's pod that is rolled out anew, or whose node is lost, on a volume for one node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from e2e import demo
from e2e.cluster import REGISTRIES, Cluster, Node, say, wait_until
from e2e.images import Images

HOST = "moves.example.internal"
NAME, CHILD = "dev", "dev-registry"
# The bars of a roll-out, and of the status after a node is lost: Kubernetes itself takes up to 50 s
# until it calls a node not Ready.
GAP_SECONDS, TOLD_SECONDS = 30.0, 60.0

pytestmark = pytest.mark.lifecycle


@dataclass
class Gap:
    """The longest time without an answer, in seconds; `asked` counts the questions."""

    longest: float = 0.0
    asked: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self, answers: Callable[[], bool]) -> None:
        last = time.monotonic()
        while not self._stop.is_set():
            self.asked += 1
            good = answers()
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now if good else last
            self._stop.wait(0.2)

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def asking(node: Node, url: str) -> Iterator[Gap]:
    """GET by the Service, again and again, from a node."""
    script = f"curl -fs -o /dev/null -m 2 {url} && echo yes || true"
    gap = Gap()
    thread = threading.Thread(target=gap.watch, args=(lambda: "yes" in node.run(script),))
    thread.start()
    try:
        yield gap
    finally:
        gap.stop()
        thread.join(30)


def pod(cluster: Cluster) -> dict[str, str]:
    """Name and node of the registry's one pod that is not going."""
    labels = f"app.kubernetes.io/name=registry,app.kubernetes.io/instance={NAME}"
    items = cluster.get("pods", "-n", REGISTRIES, "-l", labels)["items"]
    (one,) = [item for item in items if not item["metadata"].get("deletionTimestamp")]
    return {"name": one["metadata"]["name"], "node": one["spec"].get("nodeName", "")}


def available(cluster: Cluster) -> dict[str, str]:
    return cluster.condition(NAME, "RegistryAvailable")


@pytest.mark.long
def test_a_new_pod_template_replaces_the_pod_on_its_volume_within_the_gap(
    clean: Cluster, built: Images, containerd_node: Node
) -> None:
    clean.apply_registry(NAME, host=HOST)
    clean.wait_ready(NAME)
    clean.wait_ready(NAME, condition="Exposed")
    demo.push(built.app, f"{HOST}/app:1", host=HOST)
    service = clean.get("service", CHILD, "-n", REGISTRIES)
    deployment = clean.get("deployment", CHILD, "-n", REGISTRIES)
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
    claim, before = clean.get("pvc", CHILD, "-n", REGISTRIES), pod(clean)
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    with asking(containerd_node, f"http://{service['spec']['clusterIP']}/v2/") as gap:
        wait_until(lambda: gap.asked > 3, timeout=30, what="answers before")
        requests = {"requests": {"cpu": "60m", "memory": "128Mi"}}
        clean.apply_registry(NAME, host=HOST, resources=requests)
        wait_until(
            lambda: (
                clean.get("deployment", CHILD, "-n", REGISTRIES)["metadata"]["generation"]
                > deployment["metadata"]["generation"]
            ),
            timeout=15,
            what="the change of the Deployment",
        )
        rolled = ("rollout", "status", f"deployment/{CHILD}", "-n", REGISTRIES)
        clean.kubectl(*rolled, "--timeout=120s")
        clean.wait_ready(NAME)
    say(f"no answer for {gap.longest:.1f} s, {gap.asked} questions")
    assert gap.longest <= GAP_SECONDS
    assert pod(clean)["name"] != before["name"]
    assert clean.get("pvc", CHILD, "-n", REGISTRIES)["metadata"]["uid"] == claim["metadata"]["uid"]
    events = clean.get("events", "-n", REGISTRIES)["items"]
    assert not [event for event in events if "Multi-Attach" in event.get("message", "")]
    demo.run_on_every_node(clean, f"{HOST}/app:1")


@pytest.mark.long
def test_a_lost_node_is_named_and_the_registry_is_ready_when_it_is_back(clean: Cluster) -> None:
    clean.apply_registry(NAME, host=HOST)
    clean.wait_ready(NAME)
    name = pod(clean)["node"]
    (node,) = [found for found in clean.nodes() if found.name == name]
    words = f"Node {name}, for which the volume was made, is not Ready"
    node.run("systemctl stop kubelet")
    try:
        seconds = wait_until(
            lambda: available(clean).get("message", "").startswith(words),
            timeout=TOLD_SECONDS,
            what="the node to be named",
        )
        say(f"named after {seconds:.0f} s")
        assert available(clean)["status"] == "False"
    finally:
        node.run("systemctl start kubelet")
        clean.kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=120s")
    clean.wait_ready(NAME, timeout=60)
    assert words not in available(clean)["message"]
