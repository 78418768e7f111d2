"""Whatever happens in whatever order: the administrator's edits are all there at the end, the node
trusts what the document says, and its runtime starts anew and runs a container.

`AGENT_SEED` is the first seed, `AGENT_INTERLEAVINGS` the number of those of the long part.
"""

from __future__ import annotations

import os

import pytest

from agent.interleavings import Story
from agent.node import Node

SEED = int(os.environ.get("AGENT_SEED", "1"))
LONG = int(os.environ.get("AGENT_INTERLEAVINGS", "200"))

# Enough that each step is seen on some runtime; the rest is the long part's.
SHORT = 2


def test_some_interleavings_end_well(node: Node) -> None:
    play(node, range(SEED, SEED + SHORT))


@pytest.mark.long
def test_many_interleavings_end_well(node: Node) -> None:
    play(node, range(SEED, SEED + LONG))


def play(node: Node, seeds: range) -> None:
    files = {path: node.machine.read(path) for path in ("/etc/hosts", node.runtime.config_path)}
    for seed in seeds:
        story = Story(node, seed)
        story.play()
        story.clean()
        for path, content in files.items():
            node.machine.write(path, content)
        if not node.kind.graphdriver:
            node.machine.run("sh", "-c", f"rm -rf {node.runtime.certs_path}/mine-*")
