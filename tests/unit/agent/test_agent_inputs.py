"""What the agent is told, however it arrives."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from localregistry.agent.inputs import Goal, Inputs, freeze
from localregistry.trust import Damaged, Task, TrustDocument, TrustedRegistry

from .standins import registry

ONE = TrustDocument((registry(),))
TWO = TrustDocument((registry(), registry("u2", "b.example")))


class Volumes:
    """Two mounted volumes, changed as the kubelet does it: by swapping a link."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self.inputs = Inputs(directory / "trust.json", directory / "task")

    def put(self, name: str, content: str) -> None:
        self._count += 1
        target = self._directory / f"..{self._count}"
        target.write_text(content)
        link = self._directory / f"..new{self._count}"
        link.symlink_to(target.name)
        link.rename(self._directory / name)

    def trust(self, document: TrustDocument) -> None:
        self.put("trust.json", document.to_json())

    def task(self, document: TrustDocument, *excluded: str) -> None:
        self.put("task", Task(document.revision, "docker://26.1.5", excluded).to_json())


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path)


@pytest.mark.parametrize("order", [("trust", "task"), ("task", "trust")])
def test_the_two_files_arrive_in_either_order(volumes: Volumes, order: tuple[str, str]) -> None:
    getattr(volumes, order[0])(ONE)
    assert not volumes.inputs.poll()
    getattr(volumes, order[1])(ONE)
    assert volumes.inputs.poll()
    assert volumes.inputs.goal is not None
    assert volumes.inputs.goal.registries == ONE.registries
    assert volumes.inputs.goal.runtime == "docker://26.1.5"
    assert not volumes.inputs.poll()


def test_without_a_task_nothing_is_done(volumes: Volumes) -> None:
    volumes.trust(ONE)
    volumes.put("task", "")
    assert not volumes.inputs.poll()
    assert volumes.inputs.goal is None


def test_the_old_goal_stays_while_the_two_do_not_fit(volumes: Volumes) -> None:
    volumes.trust(ONE)
    volumes.task(ONE)
    assert volumes.inputs.poll()
    volumes.trust(TWO)
    assert not volumes.inputs.poll()
    assert volumes.inputs.goal is not None
    assert volumes.inputs.goal.revision == ONE.revision
    volumes.task(TWO)
    assert volumes.inputs.poll()
    assert volumes.inputs.goal.revision == TWO.revision


def test_an_excluded_registry_is_not_wanted(volumes: Volumes) -> None:
    volumes.trust(TWO)
    volumes.task(TWO, "u1")
    assert volumes.inputs.poll()
    assert volumes.inputs.goal is not None
    assert [r.uid for r in volumes.inputs.goal.registries] == ["u2"]
    volumes.task(TWO)
    assert volumes.inputs.poll()


def test_no_registries_is_a_goal(volumes: Volumes) -> None:
    volumes.trust(TrustDocument())
    volumes.task(TrustDocument())
    assert volumes.inputs.poll()
    assert volumes.inputs.goal is not None
    assert volumes.inputs.goal.registries == ()


DAMAGED = {
    "empty": "",
    "half": ONE.to_json()[:100],
    "another revision inside": ONE.to_json().replace("10.96.0.7", "10.96.0.8"),
    "another format": ONE.to_json().replace('"format": 1', '"format": 2'),
    "not an object": "[]",
    "too large": " " * 1_000_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_document_changes_nothing_and_is_reported(volumes: Volumes, content: str) -> None:
    volumes.trust(ONE)
    volumes.task(ONE)
    volumes.inputs.poll()
    volumes.put("trust.json", content)
    assert not volumes.inputs.poll()
    assert volumes.inputs.complaint
    assert volumes.inputs.goal is not None
    assert volumes.inputs.goal.registries == ONE.registries
    volumes.trust(ONE)
    volumes.inputs.poll()
    assert not volumes.inputs.complaint


def test_a_damaged_task_and_a_missing_document_are_reported(volumes: Volumes) -> None:
    volumes.put("task", "{")
    volumes.inputs.poll()
    assert volumes.inputs.complaint
    volumes.task(ONE)
    volumes.inputs.poll()
    assert "trust.json" in volumes.inputs.complaint


def test_an_old_time_stamp_is_news_all_the_same(volumes: Volumes, tmp_path: Path) -> None:
    volumes.trust(ONE)
    volumes.task(ONE)
    volumes.inputs.poll()
    volumes.trust(TWO)
    volumes.task(TWO)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert volumes.inputs.poll()


LAST = Goal("r0", "containerd://1.7.24", ONE.registries)


def _with_last(volumes: Volumes, tmp_path: Path) -> Inputs:
    volumes.inputs = Inputs(tmp_path / "trust.json", tmp_path / "task", LAST)
    return volumes.inputs


@pytest.mark.parametrize("content", [None, *DAMAGED.values()], ids=["missing", *DAMAGED])
def test_at_a_start_with_a_damaged_document_the_last_goal_holds(
    volumes: Volumes, tmp_path: Path, content: str | None
) -> None:
    inputs = _with_last(volumes, tmp_path)
    volumes.task(TWO)
    if content is not None:
        volumes.put("trust.json", content)
    assert inputs.poll()
    # The runtime is that of now: the node may have got another one meanwhile.
    assert inputs.goal == Goal("r0", "docker://26.1.5", ONE.registries)
    assert "nothing is changed" in inputs.complaint
    assert not inputs.poll()
    volumes.trust(TWO)
    assert inputs.poll()
    assert inputs.goal is not None
    assert inputs.goal.revision == TWO.revision
    assert not inputs.complaint


def test_the_last_goal_holds_while_the_two_do_not_fit(volumes: Volumes, tmp_path: Path) -> None:
    inputs = _with_last(volumes, tmp_path)
    volumes.trust(ONE)
    volumes.task(TWO)
    assert inputs.poll()
    assert inputs.goal is not None
    assert inputs.goal.revision == "r0"
    assert not inputs.complaint


def test_an_excluded_registry_is_not_of_the_last_goal(volumes: Volumes, tmp_path: Path) -> None:
    inputs = _with_last(volumes, tmp_path)
    volumes.task(ONE, "u1")
    assert inputs.poll()
    assert inputs.goal is not None
    assert inputs.goal.registries == ()


def test_a_good_document_needs_no_last_goal(volumes: Volumes, tmp_path: Path) -> None:
    inputs = _with_last(volumes, tmp_path)
    volumes.trust(TWO)
    volumes.task(TWO)
    assert inputs.poll()
    assert inputs.goal is not None
    assert inputs.goal.revision == TWO.revision


@pytest.mark.parametrize("task", ["", "{", None], ids=["empty", "damaged", "missing"])
def test_without_a_task_there_is_no_last_goal_either(
    volumes: Volumes, tmp_path: Path, task: str | None
) -> None:
    inputs = _with_last(volumes, tmp_path)
    if task is not None:
        volumes.put("task", task)
    assert not inputs.poll()
    assert inputs.goal is None


def test_a_goal_is_kept_as_it_is() -> None:
    assert Goal.from_json(LAST.to_json()) == LAST


@pytest.mark.parametrize("change", [("10.96.0.7", "10.96.0.8"), ('"revision"', '"x"'), ("{", "[")])
def test_a_kept_goal_that_was_changed_is_damaged(change: tuple[str, str]) -> None:
    with pytest.raises(Damaged):
        Goal.from_json(LAST.to_json().decode().replace(*change).encode())


def test_what_is_frozen_is_kept_too_and_what_is_only_looked_at_is_not() -> None:
    looked_at = (registry("u1", preview=True), registry("u3", "c.example", preview=True))
    goal = Goal("r", "x", TWO.registries, previews=looked_at, frozen=("u1",), excluded=("u9",))
    kept = Goal.from_json(goal.to_json())
    assert (kept.registries, kept.frozen) == (TWO.registries, ("u1",))
    assert (kept.previews, kept.excluded) == ((), ())
    assert b"c.example" not in goal.to_json()


def test_previews_stand_apart_and_the_excluded_are_told(volumes: Volumes) -> None:
    entries = (registry(preview=True), registry("u2", "b.example"), registry("u3", "c.example"))
    document = TrustDocument((*entries, registry("u4", "d.example", preview=True)))
    volumes.trust(document)
    volumes.task(document, "u3", "u4")
    assert volumes.inputs.poll()
    goal = volumes.inputs.goal
    assert goal is not None
    assert goal.registries == entries[1:2]
    assert goal.previews == entries[:1]
    assert goal.excluded == ("u3", "u4")
    volumes.task(document, "u3")
    assert volumes.inputs.poll()
    assert volumes.inputs.goal is not None
    assert [entry.uid for entry in volumes.inputs.goal.previews] == ["u1", "u4"]


def both(*names: str) -> TrustedRegistry:
    return registry("u1", *names)


@pytest.mark.parametrize(
    ("before", "known", "entry", "kept"),
    [
        (None, True, both("a.example"), None),
        ((), True, both("a.example"), None),
        ((both("a.example"),), False, both("a.example"), None),
        ((both("a.example"),), True, both("a.example"), both("a.example")),
        ((both("a.example"),), True, both("a.example", "b.example"), both("a.example")),
        ((both("a.example", "b.example"),), True, both("b.example"), "b.example"),
        ((both("a.example"),), True, both("b.example"), None),
        (
            (registry("u1", "a.example", address="10.96.0.99"),),
            True,
            registry("u1", "a.example", dns=True),
            registry("u1", "a.example", address="10.96.0.99"),
        ),
    ],
    ids=[
        "no goal before",
        "not in the goal before",
        "nothing of it is on the node",
        "as it was",
        "a further name is only looked at",
        "a name that went is withdrawn",
        "another name is another registry",
        "the address and way that were granted",
    ],
)
def test_what_stays_of_a_registry_that_turns_to_preview(
    before: tuple[TrustedRegistry, ...] | None,
    known: bool,
    entry: TrustedRegistry,
    kept: TrustedRegistry | str | None,
) -> None:
    earlier = Goal("r0", "x", before) if before is not None else None
    goal = Goal("r", "x", (registry("u0", "z.example"),), previews=(replace(entry, preview=True),))
    result = freeze(goal, earlier, lambda uid: known and uid == "u1")
    assert result.previews == goal.previews
    if kept is None:
        assert result == goal
        return
    assert result.frozen == ("u1",)
    served = result.registries[1]
    assert [r.uid for r in result.registries] == ["u0", "u1"]
    if isinstance(kept, str):
        assert served.names == (kept,)
    else:
        assert served == kept
    # The next document finds it the same.
    assert freeze(goal, result, lambda _: True) == result


def test_the_last_goal_of_an_earlier_process_tells_what_was_granted(
    volumes: Volumes, tmp_path: Path
) -> None:
    inputs = _with_last(volumes, tmp_path)
    document = TrustDocument((registry(preview=True),))
    volumes.trust(document)
    volumes.task(document)
    assert inputs.poll(lambda uid: uid == "u1")
    assert inputs.goal is not None
    assert inputs.goal.registries == LAST.registries
    assert inputs.goal.frozen == ("u1",)
