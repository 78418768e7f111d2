"""`make demo` and `make demo-clean`: the whole story on a real cluster.

python -m e2e.demo up      cluster, operator, registry, push, a pod on every node
python -m e2e.demo down    removes it, and shows that each node is as it was before
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from e2e import images, install
from e2e.cluster import (
    LREG,
    REGISTRIES,
    ROOT,
    Cluster,
    Node,
    differences,
    run_kind,
    say,
    wait_until,
)
from kind import settings as kind_settings

SAMPLE = ROOT / "manifests" / "samples" / "minimal.yaml"
HOST = "registry.example.internal"
APP = f"{HOST}/app:1"
STEPS = 7


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    what = parser.parse_args().what
    started = time.monotonic()
    up() if what == "up" else down()
    say(f"\nDone in {time.monotonic() - started:.0f} s.")
    return 0


def up() -> None:
    say("A first run builds a cluster's parts (about 25 minutes); later ones take 1 to 3 minutes.")
    step(1, "a real cluster: one control plane, one Docker worker, one containerd worker")
    cluster = Cluster.up()
    step(2, "the images of operator and agent, and of an app to push")
    built = images.ensure()
    if not install.installed(cluster):
        _snapshot_file().write_text(json.dumps(cluster.files()))
    step(3, "helm install")
    install.install(cluster, built)
    step(4, f"kubectl apply -f {SAMPLE.relative_to(ROOT)}")
    cluster.kubectl("apply", "-f", "-", input=namespace(REGISTRIES))
    cluster.kubectl("apply", "-f", str(SAMPLE), "-n", REGISTRIES)
    for condition in ("Ready", "Exposed"):
        cluster.wait_ready("dev", condition=condition)
    step(5, f"push {APP} through the nginx Ingress, from a container that is no node")
    push(built.app, APP, host=HOST)
    step(6, "a pod of it on every node, pulled anew (imagePullPolicy: Always)")
    run_on_every_node(cluster, APP)
    step(7, "what the cluster says")
    say(cluster.kubectl("get", LREG, "-n", REGISTRIES).stdout)
    say(cluster.kubectl("get", "pods", "-n", REGISTRIES, "-l", "demo=app", "-o", "wide").stdout)
    settings = kind_settings.from_environment()
    say("Try next:")
    say(f'  export KUBECONFIG={settings.kubeconfig} PATH="{settings.bin}:$PATH"')
    say(f"  kubectl describe localregistry dev -n {REGISTRIES}")
    say("  docker exec localregistry-worker cat /etc/docker/daemon.json /etc/hosts")
    say("  docker exec localregistry-worker2 find /etc/containerd/certs.d -type f")
    say("  make demo-clean")


def down() -> None:
    cluster = Cluster.up()
    say("Removing the demo's pods, the LocalRegistries and the operator")
    if cluster.exists("namespace", REGISTRIES):
        cluster.kubectl("delete", "pods", "-l", "demo=app", "-n", REGISTRIES)
    install.uninstall(cluster)
    cluster.kubectl("delete", "namespace", REGISTRIES, "--ignore-not-found", "--timeout=120s")
    saved = _snapshot_file()
    if not saved.exists():
        say("There is no record of the nodes from before the demo: nothing to compare with.")
        return
    before, after = json.loads(saved.read_text()), cluster.files()
    if before.keys() != after.keys():
        say("The cluster was made anew since the demo: nothing to compare with.")
        return
    for node, files in sorted(after.items()):
        say(f"{node}:")
        for path, what in sorted(files.items()):
            same = "as before" if before[node].get(path) == what else "CHANGED"
            say(f"  {same}  {path}  {what}")
    changed = differences(before, after)
    if changed:
        raise SystemExit("Not as before:\n  " + "\n  ".join(changed))
    say("Every node's files are byte-identical to before.")


def push(image: str, reference: str, *, host: str) -> None:
    """Pushes an image of the engine under another name, as a client with only crane would."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        images.save(image, archive)
        say(f"{archive.stat().st_size / 1e6:.0f} MB")
        run_kind(
            *("client", "--host", host, "--mount", f"{archive}:/image.tar"),
            *("push", "--insecure", "/image.tar", reference),
        )


def run_on_every_node(cluster: Cluster, reference: str, *, label: str = "app") -> None:
    """One pod a node, placed by name (taints are tolerated), all Running."""
    nodes = cluster.nodes()
    cluster.kubectl(
        *("delete", "pods", "-l", f"demo={label}", "-n", REGISTRIES, "--ignore-not-found")
    )
    for node in nodes:
        cluster.kubectl("create", "-f", "-", input=pod(node, reference, label=label))

    def running() -> bool:
        items = cluster.get("pods", "-n", REGISTRIES, "-l", f"demo={label}")["items"]
        return len(items) == len(nodes) and all(p["status"]["phase"] == "Running" for p in items)

    try:
        wait_until(running, timeout=90, what="a running pod on every node")
    except AssertionError:
        say(cluster.kubectl("describe", "pods", "-n", REGISTRIES, "-l", f"demo={label}").stdout)
        raise


def pod(node: Node, reference: str, *, label: str = "app") -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{label}-{node.name}",
            "namespace": REGISTRIES,
            "labels": {"demo": label},
        },
        "spec": {
            "nodeName": node.name,
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 2,
            "containers": [
                {
                    "name": "app",
                    "image": reference,
                    "imagePullPolicy": "Always",
                    "env": [{"name": "NODE_NAME", "value": node.name}],
                }
            ],
        },
    }


def namespace(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def step(number: int, text: str) -> None:
    say(f"\n== {number}/{STEPS} {text}")


def _snapshot_file() -> Path:
    return kind_settings.from_environment().cache / "demo-nodes-before.json"


if __name__ == "__main__":
    sys.exit(main())
