"""When somebody else keeps undoing what is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localregistry.agent.contention import PAUSE_SECONDS, WINDOW_SECONDS, Contention, suspect
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeReason

from .standins import Clock, Node

PATH = "/etc/containerd/certs.d/r.example/hosts.toml"


class Fight:
    """One side of it: what the agent does about a file that is undone again and again."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.node = Node(directory)
        self.guest = Guest(HostRoot(self.node.root), Journal(directory / "state"))
        self.contention = Contention(self.clock, self.guest)

    def repairs(self, path: str = PATH, goal: object = "goal") -> bool:
        held = self.contention.review(goal, [path])
        if not held:
            self.contention.in_order([path])
        return not held


@pytest.fixture
def fight(tmp_path: Path) -> Fight:
    return Fight(tmp_path)


def test_the_third_undoing_is_the_last_that_is_looked_at(fight: Fight) -> None:
    assert [fight.repairs() for _ in range(5)] == [True, True, True, False, False]


def test_after_ten_minutes_there_is_one_more_try(fight: Fight) -> None:
    while fight.repairs():
        pass
    for _ in range(3):
        fight.clock.now += PAUSE_SECONDS - 1
        assert not fight.repairs()
        fight.clock.now += 1
        assert fight.repairs()
        assert not fight.repairs()


def test_a_try_that_holds_is_peace(fight: Fight) -> None:
    while fight.repairs():
        pass
    fight.clock.now += PAUSE_SECONDS
    assert fight.repairs()
    fight.clock.now += WINDOW_SECONDS
    assert [fight.repairs() for _ in range(3)] == [True, True, False]


def test_undoings_now_and_then_are_repaired_for_ever(fight: Fight) -> None:
    for _ in range(20):
        assert fight.repairs()
        fight.clock.now += WINDOW_SECONDS / 2


def test_one_undoing_is_counted_once_however_often_it_is_looked_at(fight: Fight) -> None:
    assert fight.repairs()
    for _ in range(10):
        assert not fight.contention.review("goal", [PATH])


def test_a_file_is_not_blamed_for_another(fight: Fight) -> None:
    while fight.repairs():
        pass
    assert fight.repairs("/etc/hosts")


def test_another_goal_is_written_at_once(fight: Fight) -> None:
    while fight.repairs():
        pass
    assert fight.repairs(goal="another")
    assert [fight.repairs(goal="another") for _ in range(3)] == [True, True, False]


def test_the_first_writing_is_no_undoing(fight: Fight) -> None:
    for goal in range(10):
        assert fight.repairs(goal=goal)


def test_the_result_says_who_and_what_to_do(fight: Fight) -> None:
    fight.node.write(PATH, "his")
    os.utime(fight.node.root / PATH[1:], (3600.0, 3600.0))
    while fight.repairs():
        pass
    result = fight.contention.review("goal", [PATH])[PATH]
    assert result.reason is NodeReason.CONTENDED
    assert result.message == (
        f"{PATH} was undone 3 times within ten minutes, last by a program that runs as UID "
        f"{os.geteuid()}, at 01:00:00 UTC. It is left alone for ten minutes and then tried once: "
        "keep that writer from it, or leave this node out by the node selector."
    )


def test_spegel_is_known_by_its_backup_directory(fight: Fight) -> None:
    (fight.node.root / "etc/containerd/certs.d/_backup").mkdir(parents=True)
    assert suspect(fight.guest, PATH) == (
        "likely by Spegel, whose _backup directory is in /etc/containerd/certs.d"
    )
    assert "Spegel" not in suspect(fight.guest, "/etc/hosts")


def test_who_removes_is_known_by_the_time_alone(fight: Fight) -> None:
    (fight.node.root / PATH[1:]).parent.mkdir(parents=True)
    os.utime((fight.node.root / PATH[1:]).parent, (7261.0, 7261.0))
    assert suspect(fight.guest, PATH) == "last by a program that removed it at 02:01:01 UTC"


def test_who_removes_the_directory_too_leaves_no_time(fight: Fight) -> None:
    assert suspect(fight.guest, PATH) == (
        "likely by what removes /etc/containerd/certs.d/r.example"
    )
