"""Registries in Preview, on real daemons: what would be done is told, and nothing is touched."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.admin import Admin
from agent.conftest import only
from agent.node import ADDRESS, NAME, OTHER_ADDRESS, OTHER_NAME, SETTLE_SECONDS, Node, registry
from agent.runtimes import Docker
from localregistry.trust import NodeReason, Report, TrustedRegistry

SOME = only(
    "docker-20.10",
    "docker-26.1",
    "docker-28.5-store",
    "docker-29-store",
    "containerd-1.7",
    "containerd-2.4",
)

MEMORY = "var/lib/localregistry"

# Longer than an agent's look at its previews, which come every 30 s.
LOOK_SECONDS = 32


def looked_at(entry: TrustedRegistry) -> TrustedRegistry:
    return replace(entry, preview=True)


def all_of_it(node: Node, *, memory: bool = True) -> dict[str, tuple[object, ...]]:
    """Everything on the node that outlives it: names, contents, modes, owners, inodes, and the
    times of the last change of either; without the agent's `memory` only what is others'."""
    found: dict[str, tuple[object, ...]] = {}
    for top in (node.machine.seen / "upper", node.machine.path("/etc")):
        for parent, folders, files in os.walk(top):
            for name in [*folders, *files]:
                path = Path(parent) / name
                where = str(path.relative_to(top))
                if not memory and (where.startswith(MEMORY) or MEMORY.startswith(where)):
                    continue
                status = path.lstat()
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                found[f"{top.name}/{where}"] = (
                    *(status.st_mode, status.st_uid, status.st_gid, status.st_ino),
                    *(status.st_mtime_ns, status.st_ctime_ns, content),
                )
    return found


def pulls(node: Node) -> int:
    """Connections to the Services of this node so far."""
    rules = node.machine.run("iptables", "-t", "nat", "-vxnL", "OUTPUT", chroot=False)[1]
    counted = re.search(r"^\s*(\d+)\s+\d+\s+REDIRECT", rules, re.MULTILINE)
    assert counted, rules
    return int(counted[1])


def signals(node: Node) -> int:
    return node.runtime.signals() if isinstance(node.runtime, Docker) else 0


@SOME
def test_a_preview_leaves_the_whole_node_as_it_is(node: Node) -> None:
    Admin(node).settle_in()
    before, asked, told = all_of_it(node), pulls(node), signals(node)
    report = node.apply(looked_at(registry()))
    assert report.exceptions == {}
    lines = report.previews["u1"]
    text = "\n".join(lines)
    assert f"--- {node.trust_file}" in lines
    assert ADDRESS in text
    assert ("! SIGHUP dockerd" in lines) is node.kind.graphdriver
    assert not [line for line in lines if line.startswith("- ")]
    node.stop_agent()
    assert (all_of_it(node), pulls(node), signals(node)) == (before, asked, told)
    assert not node.trusts()
    # What was shown is what is done.
    assert node.apply(registry()).exceptions == {}
    for line in lines:
        if line.startswith("+ ") and "insecure" not in line:
            written = (node.machine.read("/etc/hosts") or b"") if node.kind.graphdriver else b""
            written += node.machine.read(node.trust_file) or b""
            assert line[2:].encode() in written


@only("docker-26.1", "docker-28.5-store", "containerd-2.1")
def test_each_further_look_leaves_the_node_as_it_is_too(node: Node) -> None:
    before, asked = all_of_it(node), pulls(node)
    report = node.apply(looked_at(registry()))
    node.machine.write("/etc/hosts", f"127.0.0.1 localhost\n10.1.2.3 {NAME}\n")
    time.sleep(LOOK_SECONDS)
    if node.kind.graphdriver:
        # The look itself may take long on a busy machine.
        node.until(partial(_other_than, node, report), SETTLE_SECONDS, "another preview")
    changed = node.report()
    assert changed is not None
    assert changed.exceptions == {}
    # The node is another one now for docker's own store: the administrator's line is in the way.
    assert (changed.previews != report.previews) is node.kind.graphdriver
    node.machine.write("/etc/hosts", "127.0.0.1\tlocalhost\n")
    node.stop_agent()
    after = all_of_it(node)
    for theirs in ("upper/etc/hosts", "etc/hosts", "upper/etc"):
        before.pop(theirs, None)
        after.pop(theirs, None)
    assert (after, pulls(node)) == (before, asked)


def _other_than(node: Node, before: Report) -> bool:
    report = node.report()
    return report is not None and report.previews != before.previews


@SOME
def test_a_preview_beside_a_managed_registry_shows_its_own_lines(node: Node) -> None:
    served = registry("u2", OTHER_NAME, address=OTHER_ADDRESS, port=5000)
    assert node.apply(served).exceptions == {}
    before, told = all_of_it(node, memory=False), signals(node)
    report = node.apply(served, looked_at(registry()))
    assert report.exceptions == {}
    text = "\n".join(report.previews["u1"])
    assert NAME in text
    assert OTHER_NAME not in text
    assert OTHER_ADDRESS not in text
    assert (all_of_it(node, memory=False), signals(node)) == (before, told)


@SOME
def test_a_registry_that_turns_to_preview_goes_on_as_it_was(node: Node) -> None:
    assert node.apply(registry()).exceptions == {}
    before, asked, told = all_of_it(node, memory=False), pulls(node), signals(node)
    moved = replace(registry(), address=OTHER_ADDRESS, names=(NAME, OTHER_NAME))
    for _ in range(2):
        report = node.apply(looked_at(moved))
        assert report.exceptions == {}
        text = "\n".join(report.previews["u1"])
        assert OTHER_NAME in text
        assert OTHER_ADDRESS in text
        node.stop_agent()
    assert (all_of_it(node, memory=False), pulls(node), signals(node)) == (before, asked, told)
    assert node.trusts()
    assert node.apply(moved).exceptions == {}
    assert (node.trusts(), node.trusts(OTHER_NAME)) == (True, True)
    assert node.apply().exceptions == {}
    assert node.changes() == {}


@SOME
def test_what_would_be_refused_is_told(node: Node) -> None:
    foreign = "/etc/hosts" if node.kind.graphdriver else node.trust_file
    node.machine.write(foreign, f"10.1.2.3 {NAME}\n" if node.kind.graphdriver else "server = ''\n")
    before = all_of_it(node)
    report = node.apply(looked_at(registry()))
    (line,) = report.previews["u1"]
    assert line.startswith(f"! {NodeReason.CONTENDED}: {foreign}")
    assert report.exceptions == {}
    node.stop_agent()
    assert all_of_it(node) == before
