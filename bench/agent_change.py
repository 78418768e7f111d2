"""From a change of trust to a proving pull on every node, drift, and that nothing was restarted.

P6, on the tests' kind cluster. The LocalRegistry gets another host, again and again, as fast as its
operator writes the nodes' document without waiting (once in 2 s). All times are the node's own: of
its files, and of the agent's log lines as the runtime took them. Nodes and this program share one
clock, as kind's nodes are containers of this machine.

The control is what the kubelet alone takes, in the same run: an annotation of a bare pod on each
node is patched, and seen in the pod's downward volume.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

from e2e.cluster import LREG, REGISTRIES, Cluster, Node, say

from . import changes, restarts
from .changes import Change, Watched
from .figures import Figure, median, percentile, spread
from .machine import of_cluster
from .plan import Size
from .stage import NAME, Stage

CHANGE_SECONDS, DRIFT_SECONDS = 2.0, 10.0

# The operator writes the document at most every 2 s: what comes sooner would wait for that.
BETWEEN_SECONDS = 2.5


def measure(_: frozenset[str], size: Size) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    stage = Stage.build()
    try:
        with changes.bare_pods(stage) as bare:
            before = restarts.look(stage.cluster)
            made, control = by_turns(stage, bare, size.changes)
            repairs = drift(stage.cluster)
            after = restarts.look(stage.cluster)
        versions = of_cluster(stage.cluster)
    finally:
        stage.close()
    figures = of_changes(made, control)
    figures.append(
        Figure(
            *("drift repaired, slowest", max(repairs), "s", DRIFT_SECONDS),
            f"median {median(repairs):.2f} s of {len(repairs)}",
        )
    )
    for what, lines in restarts.compare(before, after).items():
        for line in lines:
            say(f"  restarted: {line}")
        figures.append(Figure(f"{what} restarts", len(lines), "", 0))
    return {"P6": figures}, versions


def by_turns(stage: Stage, bare: Sequence[Watched], count: int) -> tuple[list[Change], list[float]]:
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
    return [
        Figure(
            *("document written to proved on every node, p50", median(proved), "s"),
            detail="control: an annotation patched until it is in every bare pod's volume",
            control=median(control),
            spread=spread(proved),
        ),
        Figure(
            *("document written to proved on every node, p99", percentile(proved, 99), "s"),
            bar=CHANGE_SECONDS,
            detail=f"of {len(proved)} changes: the slowest, and so of the controls",
            control=percentile(control, 99),
        ),
        *both("resource patched to proved on every node", whole, None),
        *both("document written to in every pod (the kubelet's part)", arrived, None),
        *both("in the pod to proved (the agent's part, each node)", agents, None),
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
