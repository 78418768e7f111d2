"""The agent of one node: brings it to its goal, proves it, keeps it so. Level-triggered: each pass
reads what is there, and may be the first, the second or one after a crash."""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localregistry.agent import files, names, proofs, runtimes
from localregistry.agent.contention import Contention
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Running, Runtime
from localregistry.agent.inputs import Goal, Inputs
from localregistry.agent.pace import Pace
from localregistry.agent.runtimes import AnyWriter
from localregistry.agent.state import Busy, State
from localregistry.agent.verifier import Verifier
from localregistry.agent.watch import Watch
from localregistry.agent.writer import Detected, Plan
from localregistry.trust import NodeReason, NodeResult, Report

# Drift is repaired within 10 s: seen within 5. Reads two or three small files.
CHECK_SECONDS = 5.0

# Who edits a file often writes it twice, and another one beside it.
DEBOUNCE_SECONDS = 1.0

# A runtime that is not there yet, another agent that holds the node, a file that changed under us.
SOON_SECONDS = 1.0

# A runtime that is not there for this many passes is looked for less often: it costs a look at
# every process of the node.
SOON_PASSES = 60

# A runtime that lives is asked anew for its configuration; costs a helper process.
DETECT_SECONDS = 300.0

# Two stat calls; a change is proved within 2 s, of which the pull takes about 0.2.
POLL_SECONDS = 0.5


@dataclass
class _Pass:
    """What the last pass left: results by UID, and what is to be proved."""

    results: Mapping[str, NodeResult] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


class Agent:
    """`make_writer` gives the writer for a runtime; `log` takes one line."""

    def __init__(
        self,
        *,
        inputs: Inputs,
        state: State,
        guest: Guest,
        make_writer: Callable[[str], AnyWriter],
        calls: Runtime,
        alive: Callable[[str], bool],
        clock: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._inputs = inputs
        self._state = state
        self._guest = guest
        self._watch = Watch()
        self._contention = Contention(clock, guest)
        self._pace = Pace(clock)
        self._followed: list[str] | None = None
        self._waited = 0
        self._recovered = False
        self._complained = ""
        self._make_writer = make_writer
        self._calls = calls
        self._alive = alive
        self._clock = clock
        self._log = log
        self._writer: tuple[str, AnyWriter] | None = None
        self._found: Detected | NodeResult | None = None
        self._found_until = 0.0
        self._due = 0.0
        self._pass = _Pass()
        self._proofs = state.proofs()
        self._saved_goal = state.goal()
        self._unsaved = False
        self._verifier = Verifier(self._start_pull, clock)
        self._said: dict[str, NodeResult] = {}
        self.report = Report(revision="")
        self.heartbeat = clock()

    @property
    def complaint(self) -> str:
        """What is wrong with the inputs or the agent's own memory, "" when nothing is."""
        journal = self._state.journal
        words = (self._inputs.complaint, journal.problem, journal.complaint)
        return "; ".join(word for word in words if word)

    def step(self) -> None:
        """One turn: takes news, makes a pass where one is due, goes on with the proofs."""
        self.heartbeat = now = self._clock()
        news = self._inputs.poll()
        if self._complained != self.complaint:
            self._complained = self.complaint
            self._log(self.complaint or "What was complained of is mended.")
        if self._watch.happened():
            self._due = min(self._due, now + DEBOUNCE_SECONDS)
        goal = self._inputs.goal
        if goal is None:
            self._recover_early()
            return
        if news:
            self._pass = _Pass()
            self._publish(goal)
        if news or now >= self._due:
            self._configure(goal)
        elif self._verifier.idle and not self._unsaved:
            return  # nothing is under way
        self._prove(goal)
        self._publish(goal)

    def wait(self, limit: float = POLL_SECONDS) -> None:
        """Until a pull is done or a file changed, at most until the next poll of the inputs."""
        now = self._clock()
        due = self._verifier.next_due()
        if due is not None:
            limit = min(limit, max(due - now, 0.0))
        if self._inputs.goal is not None:
            limit = min(limit, max(self._due - now, 0.0))
        waking = [call.fileno() for call in self._verifier.running()]
        if self._watch.fileno() >= 0:
            waking.append(self._watch.fileno())
        select.select(waking, [], [], limit)

    @property
    def settled(self) -> bool:
        """Whether there is a goal and nothing of it is under way."""
        if self._inputs.goal is None:
            return False
        return not any(r.reason is NodeReason.PENDING for r in self.report.exceptions.values())

    def close(self) -> None:
        """Ends what was started; cleans nothing on the node."""
        self._verifier.close()
        self._watch.close()

    def _recover(self) -> None:
        """Once, and after a write that failed on its way: what a kill left is mended first."""
        if self._recovered and not self._guest.interrupted:
            return
        if not self._state.journal.empty:
            with self._state.held():
                for path in self._guest.recover():
                    self._log(f"{path}: a write that was cut off is undone")
        self._recovered = True

    def _recover_early(self) -> None:
        """Before there is a task: a torn file need not wait for it."""
        if not self._recovered and self._clock() >= self._due:
            self._due = self._clock() + SOON_SECONDS
            try:
                self._recover()
            except (Busy, files.Outrun, files.Refused, OSError):
                return  # the first pass tries it again, and reports it
            self._due = 0.0

    def _configure(self, goal: Goal) -> None:
        self._due = self._clock() + CHECK_SECONDS
        writer = self._writer_for(goal.runtime)
        journal = self._state.journal
        try:
            journal.refresh()
            if journal.problem:
                raise files.Refused(journal.problem, transient=False)
            self._recover()
            found = self._detect(writer)
            waiting = isinstance(found, NodeResult) and found.reason is NodeReason.PENDING
            self._waited = self._waited + 1 if waiting else 0
            if 0 < self._waited <= SOON_PASSES:
                self._due = self._clock() + SOON_SECONDS
            plan, failed = self._bring(writer, goal, found)
            failed = {**self._leave_others(runtimes.kind(goal.runtime)), **failed}
        except (Busy, files.Outrun) as error:
            self._due = self._clock() + SOON_SECONDS
            words = f"{error} changed meanwhile." if str(error) else "Another agent holds the node."
            everyone = {registry.uid for registry in goal.registries} - self._proofs.keys()
            self._pass.results = dict.fromkeys(everyone, NodeResult(NodeReason.PENDING, words))
            return
        except (files.Refused, OSError) as error:
            if isinstance(error, OSError):
                error = files.refusal(error, Path(error.filename or "This node"))
            everyone = {registry.uid for registry in goal.registries} | journal.uids()
            self._pass = _Pass(dict.fromkeys(everyone, error.result()))
            self._verifier.want({})
            return
        results = {**plan.refused, **failed}
        keys = {u: key for u, key in proofs.keys(goal, plan, found).items() if u not in results}
        self._pass = _Pass(results, keys)
        kept = {uid: key for uid, key in self._proofs.items() if keys.get(uid) == key}
        self._unsaved |= kept != self._proofs
        self._proofs = kept
        self._verifier.want({uid: key for uid, key in keys.items() if uid not in kept})
        if self._followed != (paths := journal.paths()) or self._watch.stirred:
            self._watch.follow(self._guest.host.resolve(path) for path in paths)
            self._followed = paths

    def _bring(
        self, writer: AnyWriter, goal: Goal, found: Detected | NodeResult
    ) -> tuple[Plan, Mapping[str, NodeResult]]:
        """Plans, and applies under the lock where there is something to do and it is time to."""
        journal = self._state.journal
        plan: Plan = writer.plan(goal.registries, found)
        if not plan.reload:
            self._pace.calm()
        if plan.idle:
            return plan, {}
        held = self._contention.review(goal, [change.path for change in plan.changes])
        if held:
            plan = plan.without(held)
            contended = {uid: held[path] for path in held for uid in journal.uids([path])}
            if plan.idle:
                return plan, contended
        else:
            contended = {}
        paced = plan.reload and not self._withdraws(goal, plan)
        if paced and (seconds := self._pace.wait()) > 0:
            self._due = min(self._due, self._clock() + seconds)
            words = f"{plan.daemon} is told in {seconds:.0f} s, of all changes until then at once."
            keys = proofs.keys(goal, plan, found)
            waiting = [uid for uid, key in keys.items() if self._proofs.get(uid) != key]
            return plan, dict.fromkeys(waiting, NodeResult(NodeReason.PENDING, words)) | contended
        with self._state.held():
            plan = writer.plan(goal.registries, found).without(held)
            for change in plan.changes:
                self._log(f"{change.path}: {'removed' if change.after is None else 'written'}")
            failed = writer.apply(plan, found)
        if paced:
            self._pace.signalled()
        if not failed:
            self._contention.in_order(change.path for change in plan.changes)
        self._watch.happened()  # that was this very pass
        return plan, {**contended, **failed}

    def _withdraws(self, goal: Goal, plan: Plan) -> bool:
        """Whether something on the node is wanted no longer: taking trust away never waits."""
        wanted = {name for registry in goal.registries for name in registry.names}
        wanted |= {names.host_of(name) for name in wanted}
        records = self._state.journal.records().values()
        return (
            bool(self._state.journal.uids() - {registry.uid for registry in goal.registries})
            or any(change.after is None for change in plan.changes)
            or any(record.entries.keys() - wanted for record in records if not record.writer)
        )

    def _leave_others(self, kind: str) -> Mapping[str, NodeResult]:
        """Takes away what was written for a runtime that the node had before."""
        left: dict[str, NodeResult] = {}
        for other in runtimes.kinds_of(self._state.journal) - {kind}:
            with self._state.held():
                left |= self._make_writer(f"{other}://").revert()
        return left

    def _detect(self, writer: AnyWriter) -> Detected | NodeResult:
        known = self._found
        fresh = (
            isinstance(known, Detected)
            and known.cri is not None
            and self._clock() < self._found_until
            and self._alive(known.identity)
        )
        if not fresh or known is None:
            known = self._found = writer.detect()
            self._found_until = self._clock() + DETECT_SECONDS
        return known

    def _prove(self, goal: Goal) -> None:
        ready, _, _ = select.select([c.fileno() for c in self._verifier.running()], [], [], 0)
        done = [call for call in self._verifier.running() if call.fileno() in ready]
        hint = self._found.hint if isinstance(self._found, Detected) else ""
        proved = self._verifier.step(done, hint=hint)
        if proved:
            self._proofs = {**self._proofs, **proved}
            self._unsaved = True
        if self._verifier.failing():
            self._found_until = 0.0
        ours = not self._state.journal.empty
        stale = ours and not self._state.journal.problem and goal != self._saved_goal
        if self._unsaved or stale or (not goal.registries and self._state.leftover):
            try:
                with self._state.held():
                    self._state.save_proofs(self._proofs)
                    if ours:
                        self._state.save_goal(goal)
                        self._saved_goal = goal
                self._unsaved = False
            except (Busy, files.Refused, files.Outrun):
                pass  # a lost proof costs one pull

    def _publish(self, goal: Goal) -> None:
        wanted = {registry.uid for registry in goal.registries}
        exceptions: dict[str, NodeResult] = {}
        for uid in self._state.journal.uids() - wanted:
            waiting = NodeResult(NodeReason.PENDING, "It is being withdrawn from this node.")
            exceptions[uid] = self._pass.results.get(uid, waiting)
        for uid in wanted:
            if uid in self._pass.results:
                exceptions[uid] = self._pass.results[uid]
            elif uid not in self._pass.keys:
                exceptions[uid] = NodeResult(NodeReason.PENDING, "The node is being configured.")
            elif self._proofs.get(uid) != self._pass.keys[uid]:
                exceptions[uid] = self._verifier.result(uid)
        self.report = Report(goal.revision, goal.runtime, exceptions)
        for uid in (exceptions.keys() | self._said.keys()) if exceptions != self._said else ():
            result = exceptions.get(uid)
            if result != self._said.get(uid):
                self._log(f"{uid}: {f'{result.reason}: {result.message}' if result else 'done'}")
        self._said = exceptions

    def _writer_for(self, runtime: str) -> AnyWriter:
        if self._writer is None or self._writer[0] != runtimes.kind(runtime):
            self._writer = (runtimes.kind(runtime), self._make_writer(runtime))
            self._found = None
        return self._writer[1]

    def _start_pull(self, uid: str) -> Running | None:
        goal, found = self._inputs.goal, self._found
        if goal is None or self._writer is None or not isinstance(found, Detected):
            return None
        registry = next((r for r in goal.registries if r.uid == uid), None)
        return self._writer[1].verify(self._calls, found, registry) if registry else None
