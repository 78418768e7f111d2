"""Somebody else's hands on the same files, on real runtimes: what is his stays, and who undoes ours
again and again is named and left alone."""

from __future__ import annotations

import json
import os
import time
from functools import partial

from agent.admin import MINE, Admin
from agent.conftest import only
from agent.node import NAME, Node, registry
from agent.runtimes import Docker
from localregistry.trust import NodeReason, NodeResult

# Seen within 5 s, written a second later, on a machine that is busy.
REPAIR_SECONDS = 20.0

# More than the time in which each undoing before was repaired.
LEFT_ALONE_SECONDS = 8.0

LABELS = {"security.selinux": b"system_u:object_r:etc_t:s0", "user.label": b"his"}


def contended(node: Node) -> NodeResult:
    """What the agent says after the third undoing; the first two it repairs."""
    assert node.apply(registry()).exceptions == {}
    for _ in range(2):
        Admin(node).undo_ours()
        node.until(partial(_there, node), REPAIR_SECONDS, "repair")
    Admin(node).undo_ours()

    def told() -> NodeResult | None:
        report = node.report()
        return report.exceptions.get("u1") if report else None

    result = node.until(told, REPAIR_SECONDS, "the report")
    assert result.reason is NodeReason.CONTENDED
    assert result.message.startswith(f"{node.trust_file} was undone 3 times within ten minutes, ")
    undone = node.machine.read(node.trust_file)
    time.sleep(LEFT_ALONE_SECONDS)
    assert node.machine.read(node.trust_file) == undone
    assert not _there(node)
    return result


def _there(node: Node) -> bool:
    content = node.machine.read(node.trust_file) or b""
    # A hosts.toml has the name in its path alone.
    return NAME.encode() in content if node.kind.graphdriver else bool(content)


def _peace(node: Node) -> None:
    """A registry more is another goal, and withdrawal leaves nothing, as ever."""
    assert node.apply(registry(), registry("u2", "peace.example")).exceptions == {}
    assert node.trusts()
    assert node.apply().exceptions == {}


@only("graphdriver")
def test_who_undoes_daemon_json_three_times_is_named_and_left_alone(node: Node) -> None:
    assert "last by a program that runs as UID 0, at " in contended(node).message
    _peace(node)
    assert node.changes() == {}


@only("hosts.toml")
def test_who_removes_hosts_toml_three_times_is_named_and_left_alone(node: Node) -> None:
    backup = node.machine.path(f"{node.runtime.certs_path}/_backup")
    backup.mkdir(parents=True)
    node.pristine = node.machine.files()
    words = f"likely by Spegel, whose _backup directory is in {node.runtime.certs_path}"
    assert words in contended(node).message
    _peace(node)
    assert node.changes() == {}


@only("graphdriver")
def test_a_name_that_the_administrator_lists_himself_stays_when_ours_goes(node: Node) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    his = f'{{"debug": false,\n "insecure-registries" : ["{NAME}" ,"{MINE}"] }}'.encode()
    node.machine.write(docker.config_path, his)
    docker.restart()
    node.pristine = node.machine.files()
    other = registry("u2", "other.example")
    assert node.apply(registry(), other).exceptions == {}
    assert node.trusts()
    listed = json.loads(node.machine.read(docker.config_path) or b"")["insecure-registries"]
    assert listed == [NAME, MINE, "other.example"]
    assert node.apply().exceptions == {}
    assert node.changes() == {}
    assert {NAME, MINE} <= docker.insecure()
    assert "other.example" not in docker.insecure()
    docker.restart()
    assert {NAME, MINE} <= docker.insecure()


@only("graphdriver")
def test_the_administrators_labels_and_mode_stay_on_his_file(node: Node) -> None:
    """SELinux's label among them. To set it needs a right on most kernels that have no SELinux; one
    that may not be set is tested on its own."""
    node.machine.write(node.runtime.config_path, '{"debug": false}')
    path = node.machine.path(node.runtime.config_path)
    for name, value in LABELS.items():
        os.setxattr(path, name, value)
    path.chmod(0o640)
    node.pristine = node.machine.files()
    node.privileged = True
    inode = path.stat().st_ino
    for wanted in ([registry()], []):
        assert node.apply(*wanted).exceptions == {}
        assert path.stat().st_ino != inode, "it was not replaced"
        inode = path.stat().st_ino
        assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == LABELS
        assert path.stat().st_mode & 0o7777 == 0o640
    assert node.changes() == {}
