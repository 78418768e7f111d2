"""The cluster as the measurements need it: this tree's operator and agents, and one registry."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from e2e import images, install
from e2e.cluster import LREG, REGISTRIES, SYSTEM, Cluster, say, wait_until
from e2e.demo import namespace
from e2e.images import Images
from localregistry.trust import (
    AGENT_PORT,
    DOCUMENT_KEY,
    TASK_ANNOTATION,
    Report,
    Task,
    TrustDocument,
    TrustedRegistry,
)

AGENTS = "app.kubernetes.io/component=node-agent"
DOCUMENT = "node-trust"
NAME, HOST = "bench", "bench.example.internal"
SETTLE_SECONDS = 180.0

# Of 100 registries that share one probe image; seen: two to three minutes.
TOGETHER_SECONDS = 600.0

Body = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A cluster with one ready LocalRegistry and nothing else of ours."""

    cluster: Cluster
    images: Images

    @classmethod
    def build(cls) -> Stage:
        """Makes what is missing; minutes on a fresh machine. From now on a SIGTERM takes back what
        is under way: an operator that is away, say."""
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        cluster = Cluster.up()
        built = images.ensure()
        cluster.kubectl("apply", "-f", "-", input=namespace(REGISTRIES))
        install.install(cluster, built)
        cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=60s")
        cluster.apply_registry(NAME, host=HOST)
        cluster.wait_ready(NAME)
        cluster.kubectl("rollout", "status", "daemonset/node-agent", "-n", SYSTEM, "--timeout=60s")
        return cls(cluster, built)

    def close(self) -> None:
        """Takes the registry and its claim away; the operator stays for who runs next."""
        self.cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=60s")
        self.cluster.kubectl("delete", "pvc", "--all", "-n", REGISTRIES, "--timeout=60s")

    def agents(self) -> list[Body]:
        """The agents' pods, by node."""
        pods = self.cluster.get("pods", "-n", SYSTEM, "-l", AGENTS)["items"]
        running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return sorted(running, key=lambda pod: str(pod["spec"]["nodeName"]))

    def document(self) -> TrustDocument:
        body = self.cluster.get("configmap", DOCUMENT, "-n", SYSTEM)
        return TrustDocument.from_json(body["data"][DOCUMENT_KEY])

    def report(self, pod: str) -> Report:
        """What an agent answers. Raises AssertionError where it does not."""
        path = f"/api/v1/namespaces/{SYSTEM}/pods/{pod}:{AGENT_PORT}/proxy/status"
        return Report.from_json(self.cluster.kubectl("get", "--raw", path).stdout)

    def settle(self, revision: str, *, timeout: float = SETTLE_SECONDS) -> None:
        """Waits until every node has proved all of a revision."""
        for pod in self.agents():
            name = pod["metadata"]["name"]

            def settled(name: str = name) -> bool:
                report = self.report(name)
                return report.revision == revision and not report.exceptions

            wait_until(settled, timeout=timeout, what=f"{name} to prove {revision}")

    @contextmanager
    def trusting(self, count: int) -> Iterator[None]:
        """The nodes trust so many registries: the one under so many names. The operator, which
        would take the others back, is away meanwhile.

        All at once, as an agent tells dockerd of no more than six changes a minute. They have one
        probe image, so that pulls at the same time may remove it from under each other: those are
        made again.
        """
        (registry,) = self.document().registries
        scale = ("scale", "deployment", "localregistry", "-n", SYSTEM)
        self.cluster.kubectl(*scale, "--replicas=0")
        self.cluster.kubectl(
            *("wait", "--for=delete", "pod", "-n", SYSTEM, "--timeout=60s"),
            *("-l", "app.kubernetes.io/component=operator"),
        )
        try:
            document = TrustDocument(tuple(_renamed(registry, at) for at in range(count)))
            self._tell(document)
            self.settle(document.revision, timeout=TOGETHER_SECONDS)
            say(f"{count} {'registry' if count == 1 else 'registries'} proved on every node")
            yield
        finally:
            self.cluster.kubectl(*scale, "--replicas=1")
            wait_until(
                lambda: [r.uid for r in self.document().registries] == [registry.uid],
                timeout=SETTLE_SECONDS,
                what="the operator's own document",
            )
            self.settle(self.document().revision)

    def _tell(self, document: TrustDocument) -> None:
        """As the operator does it: the document for all, and each pod's task."""
        patch = json.dumps({"data": {DOCUMENT_KEY: document.to_json()}})
        arguments = ("patch", "configmap", DOCUMENT, "-n", SYSTEM, "--type=merge", "-p")
        self.cluster.kubectl(*arguments, patch)
        for pod in self.agents():
            annotations = pod["metadata"]["annotations"]
            task = Task.from_json(annotations[TASK_ANNOTATION])
            told = {TASK_ANNOTATION: replace(task, revision=document.revision).to_json()}
            patch = json.dumps({"metadata": {"annotations": told}})
            name = pod["metadata"]["name"]
            self.cluster.kubectl("patch", "pod", name, "-n", SYSTEM, "--type=merge", "-p", patch)


def _renamed(registry: TrustedRegistry, index: int) -> TrustedRegistry:
    """The same registry under a name, and with an identity, of its own."""
    old, new = registry.names[0], f"bench-{index}.example.internal"
    image = registry.probe.image.replace(old, new, 1)
    return replace(
        registry,
        uid=f"bench-{index}",
        names=(new,),
        probe=replace(registry.probe, image=image),
    )
