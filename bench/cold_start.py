"""From `kubectl apply` of a LocalRegistry to the first pull on every node.

P8, on the tests' kind cluster, with all images on the nodes. The control, by turns with it, is the
same children as bare manifests, from `kubectl apply` to an available Deployment: no operator, no
node that trusts anything, no pull.
"""

from __future__ import annotations

import time
from typing import Any

import yaml

from e2e.cluster import LREG, REGISTRIES, Cluster, say
from localregistry.render import render
from localregistry.resources.config import OperatorConfig
from localregistry.spec.registry import LocalRegistry

from . import changes
from .figures import Figure, median, spread
from .machine import of_cluster
from .plan import Size
from .stage import Stage

SECONDS = 10.0
UID = "00000000-0000-0000-0000-000000000001"
# The operator writes the nodes' document at most every 2 s, and removing the last registry was such
# a write.
REST_SECONDS = 5.0


def measure(_: frozenset[str], size: Size) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    stage = Stage.build()
    try:
        # That it could be Ready shows that all images are where they are needed.
        clear(stage.cluster)
        bare, proved, ready = [], [], []
        for index in range(size.starts):
            bare.append(control(stage, f"bare-{index}"))
            pulled, told = start(stage, f"cold-{index}")
            proved.append(pulled)
            ready.append(told)
            say(
                f"  {index + 1}/{size.starts}: bare manifests {bare[-1]:.2f} s; "
                f"pulled everywhere after {pulled:.2f} s, Ready after {told:.2f} s"
            )
        versions = of_cluster(stage.cluster)
    finally:
        stage.close()
    detail = f"{size.starts} starts; the control is the same children as bare manifests"
    return {
        "P8": [
            Figure(
                *("apply to the first pull on every node, p50", median(proved), "s", SECONDS),
                f"{detail}, until their Deployment is available",
                control=median(bare),
                spread=spread(proved),
            ),
            Figure("apply to the first pull on every node, slowest", max(proved), "s", SECONDS),
            Figure("apply to Ready in the status, p50", median(ready), "s", spread=spread(ready)),
        ]
    }, versions


def start(stage: Stage, name: str) -> tuple[float, float]:
    """Seconds until the last node has pulled, by its own log, and until the status says Ready."""
    cluster = stage.cluster
    agents = changes.watched(stage)
    asked = time.time()
    cluster.apply_registry(name, host=f"{name}.example.internal")
    cluster.wait_ready(name)
    told = time.time()
    body = cluster.get(LREG, name, "-n", REGISTRIES)
    everyone = f"{len(agents)}/{len(agents)}"
    if (summary := body["status"]["nodes"]["summary"]) != everyone:
        raise RuntimeError(f"{name} is Ready with {summary} nodes, not {everyone}")
    uid = body["metadata"]["uid"]
    proved = max(changes.proved(cluster, agent, uid, asked) for agent in agents)
    clear(cluster)
    return proved - asked, told - asked


def control(stage: Stage, name: str) -> float:
    """Seconds until the Deployment of bare manifests is available."""
    cluster, manifests = stage.cluster, bare_manifests(name, stage.images.agent)
    asked = time.time()
    cluster.kubectl("apply", "-f", "-", input=manifests)
    cluster.kubectl(
        *("wait", "--for=condition=Available", f"deployment/{name}-registry", "-n", REGISTRIES),
        "--timeout=120s",
    )
    seconds = time.time() - asked
    cluster.kubectl("delete", "-f", "-", "--timeout=120s", input=manifests)
    clear(cluster)
    return seconds


def bare_manifests(name: str, agent_image: str) -> str:
    """YAML of what the operator would apply, owned by nobody and of no operator's."""
    body: dict[str, Any] = {
        "metadata": {"name": name, "namespace": REGISTRIES, "uid": UID},
        "spec": {"host": f"{name}.example.internal", "storage": {"size": "1Gi"}},
    }
    text = render(LocalRegistry.from_body(body), OperatorConfig(agent_image=agent_image))
    children = list(yaml.safe_load_all(text))
    for child in children:
        child["metadata"].pop("ownerReferences", None)
        child["metadata"].pop("annotations", None) if child["kind"] != "Ingress" else None
        child["metadata"]["labels"].pop("app.kubernetes.io/managed-by", None)
    return yaml.safe_dump_all(children)


def clear(cluster: Cluster) -> None:
    """No LocalRegistry, no claim and no registry's pod is left; the machine has rested."""
    cluster.kubectl("delete", LREG, "--all", "-A", "--timeout=60s")
    # An idle registry has nothing to drain for.
    pods = ("pods", "--all", "-n", REGISTRIES)
    cluster.kubectl("delete", *pods, "--grace-period=1", "--ignore-not-found", "--timeout=90s")
    cluster.kubectl("delete", "pvc", "--all", "-n", REGISTRIES, "--timeout=60s")
    time.sleep(REST_SECONDS)
