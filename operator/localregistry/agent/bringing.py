"""Brings a node to its goal: plans, and applies what is to be done when it is time to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localregistry.agent import names, proofs, runtimes
from localregistry.agent.contention import Contention
from localregistry.agent.guest import Guest
from localregistry.agent.inputs import Goal
from localregistry.agent.journal import Journal
from localregistry.agent.pace import Pace
from localregistry.agent.runtimes import AnyWriter
from localregistry.agent.state import State
from localregistry.agent.writer import Detected, Plan
from localregistry.trust import NodeReason, NodeResult


@dataclass(frozen=True)
class Brought:
    """`failed` are results by UID, beside those that the plan refused. `wait`: seconds until what
    is left can be done, None where nothing is; `wrote`: whether something was written."""

    plan: Plan
    failed: Mapping[str, NodeResult] = field(default_factory=dict)
    wait: float | None = None
    wrote: bool = False


class Bringing:
    """Holds what it must remember between passes: when the daemon was told, and who else writes."""

    def __init__(self, *, state: State, guest: Guest, clock: Callable[[], float]) -> None:
        self._state = state
        self._contention = Contention(clock, guest)
        self._pace = Pace(clock)

    def bring(
        self,
        writer: AnyWriter,
        goal: Goal,
        found: Detected | NodeResult,
        proved: Mapping[str, str],
    ) -> Brought:
        """Applies under the lock. Raises Busy, files.Outrun and files.Refused."""
        plan: Plan = writer.plan(goal.registries, found)
        if not plan.reload:
            self._pace.calm()
        if plan.idle:
            return Brought(plan)
        # A preview that comes or goes is no reason to write again what is undone all the time.
        story = (goal.runtime, goal.registries)
        held = self._contention.review(story, [change.path for change in plan.changes])
        contended: dict[str, NodeResult] = {}
        if held:
            plan = plan.without(held)
            journal = self._state.journal
            contended = {uid: held[path] for path in held for uid in journal.uids([path])}
            if plan.idle:
                return Brought(plan, contended)
        paced = plan.reload and not withdraws(self._state.journal, goal, plan)
        if paced and (seconds := self._pace.wait()) > 0:
            words = f"{plan.daemon} is told in {seconds:.0f} s, of all changes until then at once."
            keys = proofs.keys(goal, plan, found)
            waiting = [uid for uid, key in keys.items() if proved.get(uid) != key]
            later = dict.fromkeys(waiting, NodeResult(NodeReason.PENDING, words))
            return Brought(plan, later | contended, wait=seconds)
        with self._state.held():
            plan = writer.plan(goal.registries, found).without(held)
            failed = writer.apply(plan, found)
        if paced:
            self._pace.signalled()
        if not failed:
            self._contention.in_order(change.path for change in plan.changes)
        return Brought(plan, {**contended, **failed}, wrote=True)

    def leave_others(
        self, kind: str, make_writer: Callable[[str], AnyWriter]
    ) -> Mapping[str, NodeResult]:
        """Takes away what was written for a runtime that the node had before."""
        left: dict[str, NodeResult] = {}
        for other in runtimes.kinds_of(self._state.journal) - {kind}:
            with self._state.held():
                left |= make_writer(f"{other}://").revert()
        return left


def withdraws(journal: Journal, goal: Goal, plan: Plan) -> bool:
    """Whether something on the node is wanted no longer: taking trust away never waits."""
    wanted = {name for registry in goal.registries for name in registry.names}
    wanted |= {names.host_of(name) for name in wanted}
    records = journal.records().values()
    return (
        bool(journal.uids() - {registry.uid for registry in goal.registries})
        or any(change.after is None for change in plan.changes)
        or any(record.entries.keys() - wanted for record in records if not record.writer)
    )
