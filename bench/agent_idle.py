"""An idle agent on real nodes: memory, CPU, threads and connections, and its image's size.

P5, on the tests' kind cluster. Each node's agent is looked at every five seconds for a minute in
which nothing changes; what counts is the median over the nodes, and for the connections the largest
number seen anywhere.
"""

from __future__ import annotations

import subprocess
import time
import zlib
from collections.abc import Sequence

from e2e.cluster import Cluster, Node, say

from . import procfs
from .figures import Figure, median, spread
from .machine import of_cluster
from .plan import Size
from .procfs import Sample
from .stage import Stage

# What the last change left under way is over by then: an agent looks at its runtime anew after a
# failed pull, and the operator asks agents often while anything is new.
REST_SECONDS = 30.0
EVERY_SECONDS = 5.0

RSS_MIB, ANONYMOUS_MIB, CPU_MILLICORES, IMAGE_MB = 20, 10, 1, 30


def measure(_: frozenset[str], size: Size) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    stage = Stage.build()
    try:
        figures = of_counts(stage, size.trusted, size.window)
        megabytes = image_bytes(stage.images.agent) / 1e6
        versions = of_cluster(stage.cluster)
    finally:
        stage.close()
    figures.append(Figure("image, compressed", megabytes, "MB", IMAGE_MB))
    return {"P5": figures}, versions


def of_counts(stage: Stage, counts: Sequence[int], seconds: float) -> list[Figure]:
    figures: list[Figure] = []
    rest = min(REST_SECONDS, seconds / 2)
    for count in counts:
        with stage.trusting(count):
            say(f"at rest for {rest:.0f} s, then watched for {seconds:.0f} s")
            time.sleep(rest)
            figures += of_window(watch(stage.cluster, seconds), api_peers(stage.cluster), count)
    return figures


def watch(cluster: Cluster, seconds: float) -> dict[Node, list[tuple[float, Sample]]]:
    """Samples of every node's agent, each with its time in seconds."""
    nodes = cluster.nodes()
    found: dict[Node, list[tuple[float, Sample]]] = {node: [] for node in nodes}
    started = time.monotonic()
    while True:
        begun = time.monotonic()
        for node in nodes:
            found[node].append((time.monotonic(), procfs.read(node.run(procfs.SCRIPT))))
        if begun - started >= seconds:
            return found
        time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - begun)))


def of_window(
    samples: dict[Node, list[tuple[float, Sample]]], api: set[tuple[str, int]], count: int
) -> list[Figure]:
    rss, anonymous, cpu, helpers, threads, connections = [], [], [], [], [], 0
    for node, series in samples.items():
        (since, first), (until, last) = series[0], series[-1]
        if first.pid != last.pid:
            raise SystemExit(f"{node.name}: the agent was restarted while it was measured")
        span = until - since
        rss.append(max(sample.rss for _, sample in series) / 1024)
        anonymous.append(max(sample.anonymous for _, sample in series) / 1024)
        cpu.append(procfs.millicores(first.ticks, last.ticks, span))
        helpers.append(procfs.millicores(first.children, last.children, span))
        threads.append(max(sample.threads for _, sample in series))
        open_to_api = max(len([p for p in sample.peers if p in api]) for _, sample in series)
        connections = max(connections, open_to_api)
        say(
            f"  {node.name} ({node.runtime}): RSS {rss[-1]:.2f} MiB, anonymous "
            f"{anonymous[-1]:.2f} MiB, {cpu[-1]:.2f} m (helpers {helpers[-1]:.2f} m), "
            f"{threads[-1]} threads, {open_to_api} connections to the API"
        )
    on = f"{count} registries" if count > 1 else "1 registry"
    return [
        Figure(f"RSS, {on}", median(rss), "MiB", RSS_MIB, spread=spread(rss)),
        Figure(
            *(f"anonymous RSS, {on}", median(anonymous), "MiB", ANONYMOUS_MIB),
            spread=spread(anonymous),
        ),
        Figure(f"CPU, {on}", median(cpu), "m", CPU_MILLICORES, spread=spread(cpu)),
        Figure(f"CPU of helper processes, {on}", median(helpers), "m"),
        Figure(f"API connections, {on}", connections, "", 0),
        Figure(f"threads, {on}", median(threads), ""),
    ]


def api_peers(cluster: Cluster) -> set[tuple[str, int]]:
    """Where the API server can be reached: its Service and what is behind it."""
    service = cluster.get("service", "kubernetes", "-n", "default")["spec"]
    found = {(str(ip), int(p["port"])) for ip in service["clusterIPs"] for p in service["ports"]}
    selector = "kubernetes.io/service-name=kubernetes"
    for part in cluster.get("endpointslices", "-n", "default", "-l", selector)["items"]:
        addresses = [address for e in part["endpoints"] for address in e["addresses"]]
        found |= {(str(ip), int(port["port"])) for ip in addresses for port in part["ports"]}
    return found


def image_bytes(reference: str) -> int:
    """As `docker save` and gzip -6 make it: about what a registry sends."""
    packer, total = zlib.compressobj(6), 0
    with subprocess.Popen(["docker", "save", reference], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        while piece := saving.stdout.read(1 << 20):
            total += len(packer.compress(piece))
    if saving.returncode:
        raise SystemExit(f"docker save {reference} failed")
    return total + len(packer.flush())
