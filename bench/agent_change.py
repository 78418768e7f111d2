"""From a change of trust to a proving pull on every node, drift, and that nothing was restarted.

    python -m bench.agent_change [--changes 30] [--json FILE]

Needs the tests' kind cluster, which it brings up. The LocalRegistry gets another host, again and
again, as fast as its operator writes the nodes' document without waiting (once in 2 s). All times
are the node's own: of its files, and of the agent's log lines as the runtime took them. Nodes and
this program share one clock, as kind's nodes are containers of this machine.

The control is what the kubelet alone takes, in the same run: an annotation of a bare pod on each
node is patched, and seen in the pod's downward volume.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from e2e.cluster import LREG, REGISTRIES, Cluster, Node, say

from . import changes, restarts
from .agent_idle import about
from .changes import Change, Watched
from .figures import Figure, median, percentile, publish
from .stage import NAME, Stage

CHANGE_SECONDS, DRIFT_SECONDS = 2.0, 10.0
LEAST_CHANGES = 20

# The operator writes the document at most every 2 s: what comes sooner would wait for that.
BETWEEN_SECONDS = 2.5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.agent_change", description=__doc__)
    parser.add_argument("--changes", type=int, default=30, help=f"at least {LEAST_CHANGES}")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.changes < LEAST_CHANGES:
        parser.error(f"at least {LEAST_CHANGES} changes are needed to speak of the slowest")
    stage = Stage.build()
    try:
        with changes.bare_pods(stage) as bare:
            before = restarts.look(stage.cluster)
            made, control = measure(stage, bare, options.changes)
            repairs = drift(stage.cluster)
            after = restarts.look(stage.cluster)
    finally:
        stage.close()
    figures = of_changes(made, control)
    figures.append(Figure("drift repaired, slowest", max(repairs), "s", DRIFT_SECONDS))
    figures.append(Figure("drift repaired, median", median(repairs), "s", None))
    for what, lines in restarts.compare(before, after).items():
        for line in lines:
            say(f"  restarted: {line}")
        figures.append(Figure(f"{what} restarts", len(lines), "", 0))
    return publish(figures, about=about(stage.cluster), target=options.json)


def measure(stage: Stage, bare: Sequence[Watched], count: int) -> tuple[list[Change], list[float]]:
    """Changes and controls by turns, so that both see the same machine."""
    made: list[Change] = []
    control: list[float] = []
    agents = changes.watched(stage)
    with closing(changes.Writes(stage.cluster)) as writes:
        for index in range(count):
            control.append(changes.nudge(stage.cluster, bare, f"value-{index}"))
            change = changes.move(stage, writes, agents, f"bench-{index}.example.internal")
            made.append(change)
            say(f"  {index + 1:3}: kubelet alone {control[-1]:.2f} s; {change}")
            time.sleep(BETWEEN_SECONDS)
    return made, control


def of_changes(made: Sequence[Change], control: Sequence[float]) -> list[Figure]:
    def both(what: str, values: Sequence[float], bar: float | None) -> list[Figure]:
        return [
            Figure(f"{what}, p50", percentile(values, 50), "s"),
            Figure(f"{what}, p99", percentile(values, 99), "s", bar, f"n = {len(values)}"),
        ]

    proved = [change.proved - change.written for change in made]
    whole = [change.proved - change.asked for change in made]
    arrived = [change.arrived - change.written for change in made]
    agents = [seconds for change in made for seconds in change.agents]
    ratio = median(proved) / median(control)
    return [
        *both("document written -> proved on every node", proved, CHANGE_SECONDS),
        *both("resource patched -> proved on every node", whole, None),
        *both("document written -> in every pod (kubelet's part)", arrived, None),
        *both("in the pod -> proved (agent's part, each node)", agents, None),
        *both("control: annotation patched -> in every bare pod", control, None),
        Figure("proved / control, medians", ratio, "x"),
    ]


def drift(cluster: Cluster) -> list[float]:
    """Seconds until what somebody took away on a node is back, twice on each: who undoes a file
    three times in ten minutes is told of, and not written against."""
    found = []
    host = cluster.get(LREG, NAME, "-n", REGISTRIES)["spec"]["host"]
    for node in cluster.nodes():
        undo, back = _undoing(node, host)
        for _ in range(2):
            text = node.run(
                f"{undo}; from=$(date +%s.%N); until {back}; do sleep 0.05; done; "
                "echo $from $(date +%s.%N)"
            )
            begun, ended = map(float, text.split())
            found.append(ended - begun)
            say(f"  {node.name}: drift repaired in {found[-1]:.2f} s")
            time.sleep(0.5)
    return found


def _undoing(node: Node, host: str) -> tuple[str, str]:
    """Shell commands that undo the agent's work, and that ask whether it is back."""
    if node.runtime == "docker":
        strip = "sed '/BEGIN localregistry/,/END localregistry/d' /etc/hosts >/tmp/hosts.bench"
        undo = f"{strip}; cat /tmp/hosts.bench >/etc/hosts; rm /tmp/hosts.bench"
        return undo, f"grep -qw {host} /etc/hosts"
    path = f"/etc/containerd/certs.d/{host}/hosts.toml"
    return f"rm {path}", f"[ -s {path} ]"


if __name__ == "__main__":
    sys.exit(main())
