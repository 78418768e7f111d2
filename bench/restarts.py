"""When each runtime and each container of a cluster was started, to tell what started anew."""

from __future__ import annotations

from e2e.cluster import Cluster

# What is a pod of the control plane's static files, or comes and goes by itself, counts as well:
# no container that was there before may be another one after.
_DAEMONS = "for name in dockerd containerd kubelet cri-dockerd; do "
_DAEMONS += 'for pid in $(pidof $name); do echo "$name $pid $(cut -d" " -f22 /proc/$pid/stat)"; '
_DAEMONS += "done; done"

Looked = dict[str, dict[str, str]]


def look(cluster: Cluster) -> Looked:
    """`runtime` and `container` -> what it is called -> which start of it."""
    runtimes = {
        f"{node.name} {line.split()[0]} {line.split()[1]}": line
        for node in cluster.nodes()
        for line in node.run(_DAEMONS).splitlines()
    }
    containers = {}
    for pod in cluster.get("pods", "-A")["items"]:
        for status in pod.get("status", {}).get("containerStatuses", []):
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}/{status['name']}"
            started = status.get("state", {}).get("running", {}).get("startedAt", "")
            containers[name] = f"{status['restartCount']} {started} {status.get('containerID')}"
    return {"runtime": runtimes, "container": containers}


def compare(before: Looked, after: Looked) -> dict[str, list[str]]:
    """A line for each that is another start, or gone."""
    return {
        what: [
            f"{name}: {start} -> {after[what].get(name, 'gone')}"
            for name, start in sorted(before[what].items())
            if after[what].get(name) != start
        ]
        for what in before
    }
