"""One change of trust, followed to every node by the times of its files and log lines."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from e2e.cluster import LREG, REGISTRIES, SYSTEM, Cluster, Node, wait_until
from localregistry.trust import DOCUMENT_KEY

from .stage import DOCUMENT, NAME, Stage

ANNOTATION = "bench.localregistry.dev/value"
_VOLUMES = "/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~{kind}/{name}"

# A kubelet that missed the moment looks at a volume again after a minute or more: seen on a loaded
# machine, and to be counted, not to end the run.
PATIENCE_SECONDS = 150.0


@dataclass(frozen=True)
class Watched:
    """A pod on a node, and the directories of its volumes on it."""

    node: Node
    pod: str
    volumes: tuple[str, ...]

    def swapped(self) -> float:
        """When the kubelet last gave one of the volumes new content, in seconds since 1970: it
        makes the link `..data` anew."""
        paths = " ".join(f"{volume}/..data" for volume in self.volumes)
        return max(float(line) for line in self.node.run(f"stat -c %.9Y {paths}").split())


@dataclass(frozen=True)
class Change:
    """Times in seconds since 1970: the resource patched, the document written, the kubelets' last
    volume new, the last node's pull done. `agents` are each agent's seconds in between."""

    asked: float
    written: float
    arrived: float
    proved: float
    agents: tuple[float, ...]

    def __str__(self) -> str:
        own = ", ".join(f"{seconds:.2f}" for seconds in self.agents)
        return (
            f"proved {self.proved - self.written:.2f} s after the write, "
            f"{self.proved - self.asked:.2f} s after the patch (agents: {own})"
        )


def watched(stage: Stage) -> list[Watched]:
    """The agents."""
    nodes = {node.name: node for node in stage.cluster.nodes()}
    return [
        Watched(
            nodes[pod["spec"]["nodeName"]],
            pod["metadata"]["name"],
            (
                _VOLUMES.format(uid=pod["metadata"]["uid"], kind="configmap", name="trust"),
                _VOLUMES.format(uid=pod["metadata"]["uid"], kind="downward-api", name="pod"),
            ),
        )
        for pod in stage.agents()
    ]


def move(stage: Stage, writes: Writes, agents: Sequence[Watched], host: str) -> Change:
    """Gives the LocalRegistry another host, and waits until every node has proved it."""
    cluster = stage.cluster
    (registry,) = stage.document().registries
    patch = json.dumps({"spec": {"host": host}})
    asked = time.time()
    cluster.kubectl("patch", LREG, NAME, "-n", REGISTRIES, "--type=merge", "-p", patch)
    written = writes.of(host)
    stage.settle(stage.document().revision)
    ended = [proved(cluster, agent, registry.uid, written) for agent in agents]
    arrived = [agent.swapped() for agent in agents]
    own = [done - came for done, came in zip(ended, arrived, strict=True)]
    return Change(asked, written, max(arrived), max(ended), tuple(own))


def proved(cluster: Cluster, agent: Watched, uid: str, since: float) -> float:
    """When the agent said that it is done: the time that the runtime gave the line."""

    def times() -> list[float]:
        log = cluster.kubectl(
            *("logs", agent.pod, "-n", SYSTEM, "--timestamps", "--tail=50")
        ).stdout
        lines = re.findall(rf"^(\S+) {uid}: done$", log, re.MULTILINE)
        return [seconds for seconds in map(_seconds, lines) if seconds > since]

    wait_until(lambda: bool(times()), timeout=PATIENCE_SECONDS, what=f"{agent.pod} to be done")
    return min(times())


def _seconds(text: str) -> float:
    """Of RFC 3339 with nanoseconds, in UTC or with an offset."""
    # datetime keeps six digits of nine.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


class Writes:
    """A watch of the nodes' document: when which content came."""

    def __init__(self, cluster: Cluster) -> None:
        template = f'{{{{index .data "{DOCUMENT_KEY}" | printf "%q"}}}}{{{{"\\n"}}}}'
        self._process = subprocess.Popen(
            [
                *(str(cluster.bin / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)),
                *("get", "configmap", DOCUMENT, "-n", SYSTEM, "--watch"),
                *("-o", f"go-template={template}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._seen: list[tuple[float, str]] = []
        threading.Thread(target=self._follow, daemon=True).start()
        wait_until(lambda: bool(self._seen), timeout=30, what="the watch of the document")

    def of(self, host: str) -> float:
        """When the document with this host came, in seconds since 1970. Waits for it."""

        def found() -> list[float]:
            return [seconds for seconds, text in list(self._seen) if host in text]

        wait_until(lambda: bool(found()), timeout=PATIENCE_SECONDS, what="the document")
        return found()[0]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._seen.append((time.time(), line))


@contextmanager
def bare_pods(stage: Stage) -> Iterator[list[Watched]]:
    """On each node a pod that only sleeps, with an annotation in a downward volume."""
    cluster = stage.cluster
    volume = {"path": "value", "fieldRef": {"fieldPath": f"metadata.annotations['{ANNOTATION}']"}}
    nodes = cluster.nodes()
    for node in nodes:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"bench-{node.name}", "namespace": SYSTEM},
            "spec": {
                "nodeName": node.name,
                "tolerations": [{"operator": "Exists"}],
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 0,
                "containers": [
                    {
                        "name": "sleep",
                        "image": stage.images.agent,
                        "command": ["/opt/localregistry/bin/python3", "-I", "-OO", "-c"],
                        "args": ["import time; time.sleep(86400)"],
                        "volumeMounts": [{"name": "pod", "mountPath": "/pod"}],
                    }
                ],
                "volumes": [{"name": "pod", "downwardAPI": {"items": [volume]}}],
            },
        }
        cluster.kubectl("apply", "-f", "-", input=body)
    names = [f"bench-{node.name}" for node in nodes]
    try:
        found = []
        for node, name in zip(nodes, names, strict=True):
            cluster.kubectl(
                *("wait", "--for=condition=Ready", f"pod/{name}", "-n", SYSTEM, "--timeout=60s")
            )
            uid = cluster.get("pod", name, "-n", SYSTEM)["metadata"]["uid"]
            path = _VOLUMES.format(uid=uid, kind="downward-api", name="pod")
            found.append(Watched(node, name, (path,)))
        yield found
    finally:
        cluster.kubectl("delete", "pod", *names, "-n", SYSTEM, "--ignore-not-found")


def nudge(cluster: Cluster, pods: Sequence[Watched], value: str) -> float:
    """Seconds from the patch of all pods' annotations until the last of their volumes is new."""
    before = [pod.swapped() for pod in pods]
    asked = time.time()
    names = [pod.pod for pod in pods]
    told = f"{ANNOTATION}={value}"
    cluster.kubectl("annotate", "pod", *names, "-n", SYSTEM, "--overwrite", told)

    def arrived() -> bool:
        return all(pod.swapped() > was for pod, was in zip(pods, before, strict=True))

    wait_until(arrived, timeout=PATIENCE_SECONDS, what="the bare pods' volumes")
    return max(pod.swapped() for pod in pods) - asked
