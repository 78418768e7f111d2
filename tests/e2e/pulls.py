"""Pulls of one image on every node, about one a second, while something else goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e.cluster import Node

# By the runtime's own resolver and the files that the agent writes. A pull of what is there already
# still asks the registry for the tag, by the name that the node was made to trust.
PULL = {
    "docker": "docker pull -q {reference}",
    "containerd": (
        "ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d --skip-verify {reference}"
    ),
}
# Ends by itself after ten minutes, whatever becomes of the tests.
LOOP = """
rm -f /run/stop-pulls
for n in $(seq 600); do
  [ -e /run/stop-pulls ] && break
  if words=$({pull} 2>&1); then echo ok; else echo "$(date +%T)" $words; fi
  sleep 1
done
"""


@dataclass
class Pulls:
    """`results` of each node: `ok`, or the words of a pull that failed. Filled in at the end."""

    results: dict[str, list[str]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        return [f"{node}: {r}" for node, found in self.results.items() for r in found if r != "ok"]

    @property
    def fewest(self) -> int:
        """How many pulls the node with the fewest of them made."""
        return min(len(found) for found in self.results.values())


@contextmanager
def pulling(nodes: list[Node], reference: str) -> Iterator[Pulls]:
    """Pulls on each of the nodes until the block ends; then the results are in what it yields."""
    pulls = Pulls()
    running = {
        node: subprocess.Popen(
            [
                "docker",
                "exec",
                node.name,
                "sh",
                "-c",
                LOOP.replace("{pull}", _pull(node, reference)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in nodes
    }
    try:
        yield pulls
    finally:
        for node, process in running.items():
            node.run("touch /run/stop-pulls")
            output = process.communicate(timeout=60)[0]
            pulls.results[node.name] = output.split("\n")[:-1]
            node.run("rm -f /run/stop-pulls")


def _pull(node: Node, reference: str) -> str:
    return PULL[node.runtime].format(reference=reference)
