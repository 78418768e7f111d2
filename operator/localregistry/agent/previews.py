"""What each registry in Preview would change on this node: planned, and never done.

Each is looked at by itself, beside all that is served: 100 of them are 100 plans. Idle, one plan of
all together tells whether anything that matters has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from localregistry.agent import files
from localregistry.agent.inputs import Goal
from localregistry.agent.preview import preview, shortened
from localregistry.agent.writer import Plan
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

# How often is looked whether anything changed: a plan of 100 registries takes some 20 ms.
LOOK_SECONDS = 30.0

# All is made anew this often: the plan of all together may hide a change of a single one, where
# one of them is what keeps the others from being served.
AFRESH_SECONDS = 600.0

# The loop has pulls to attend to: the rest is made in its next turns.
SLICE_SECONDS = 0.1

# The operator shows no more of one.
MAX_BYTES = 2048

Planner = Callable[[Sequence[TrustedRegistry]], Plan]


class Previews:
    """`lines` are of those that were looked at: UID → the lines, none where nothing would be done.
    `paths` are the files that would change."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._goal: Goal | None = None
        self._base = Plan()
        self._seen: int | None = None
        self._afresh = 0.0
        self._due = 0.0
        self._todo: list[TrustedRegistry] = []
        self.lines: dict[str, tuple[str, ...]] = {}
        self.paths: tuple[str, ...] = ()

    def ask(self, goal: Goal) -> None:
        """Another goal: nothing is known of it yet."""
        self._goal, self._seen, self._due = goal, None, 0.0
        self._todo, self.lines, self.paths = [], {}, ()

    def due(self) -> float | None:
        """When there is something to do; None where nothing is previewed."""
        if self._goal is None or not self._goal.previews:
            return None
        return self._clock() if self._todo else self._due

    def hurry(self, at: float) -> None:
        """Something may have changed: looks then, at the latest."""
        self._due = min(self._due, at)

    def wait(self, until: float) -> None:
        """Nothing can be planned before."""
        self._due = max(self._due, until)

    def fail(self, result: NodeResult) -> None:
        """The node itself is why none can be made."""
        if self._goal is not None:
            self.lines = {entry.uid: _refusal(result) for entry in self._goal.previews}
        self._todo, self._seen, self._due = [], None, self._clock() + LOOK_SECONDS

    def step(self, plan: Planner) -> None:
        """Goes on where something is due; `plan` reads only, and is given all that is wanted."""
        now, due = self._clock(), self.due()
        if due is None or now < due or self._goal is None:
            return
        try:
            if not self._todo:
                self._look(self._goal, plan)
            while self._todo:
                entry = self._todo.pop()
                self.lines[entry.uid] = self._make(self._goal, entry, plan)
                if self._clock() - now > SLICE_SECONDS:
                    return
            self._base = Plan()
        except files.Refused as error:
            self.fail(error.result())
        except OSError as error:
            self.fail(files.refusal(error, Path(error.filename or "This node")).result())

    def _look(self, goal: Goal, plan: Planner) -> None:
        now = self._clock()
        self._due = now + LOOK_SECONDS
        self._base, everything = plan(goal.registries), plan(_with(goal, *goal.previews))
        self.paths = tuple(sorted({change.path for change in everything.changes}))
        seen = hash((_essence(self._base), _essence(everything)))
        if seen == self._seen and now < self._afresh:
            return
        self._seen, self._afresh = seen, now + AFRESH_SECONDS
        results = set(everything.refused.values())
        down = next((r for r in results if r.reason is NodeReason.PENDING), None)
        if down is not None and len(results) == 1 and not everything.entries:
            # Asking a runtime that does not answer takes 5 s: once is enough.
            self.lines = {entry.uid: _refusal(down) for entry in goal.previews}
        else:
            self._todo = list(reversed(goal.previews))

    def _make(self, goal: Goal, entry: TrustedRegistry, plan: Planner) -> tuple[str, ...]:
        planned = plan(_with(goal, entry))
        refused = planned.refused.get(entry.uid)
        if refused is not None:
            return _refusal(refused)
        return shortened(preview(planned, beside=self._base), MAX_BYTES)


def _with(goal: Goal, *previews: TrustedRegistry) -> list[TrustedRegistry]:
    """All that is served, and these as if they were Managed: each in the place of its own."""
    wanted = {registry.uid: registry for registry in goal.registries}
    wanted |= {entry.uid: replace(entry, preview=False) for entry in previews}
    return [wanted[uid] for uid in sorted(wanted)]


def _essence(plan: Plan) -> tuple[object, ...]:
    return plan.changes, frozenset(plan.refused.items()), plan.reload


def _refusal(result: NodeResult) -> tuple[str, ...]:
    return shortened([f"! {result.reason}: {result.message}"], MAX_BYTES)
