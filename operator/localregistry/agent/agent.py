"""The agent of one node: brings it to its goal, proves it, keeps it so. Level-triggered: each pass
reads what is there, and may be the first, the second or one after a crash."""

from __future__ import annotations

import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localregistry.agent import files, proofs, publishing, runtimes
from localregistry.agent.bringing import Bringing
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Running, Runtime
from localregistry.agent.inputs import Goal, Inputs
from localregistry.agent.previews import Previews
from localregistry.agent.runtimes import AnyWriter
from localregistry.agent.state import Busy, State
from localregistry.agent.verifier import Verifier
from localregistry.agent.watch import Watch
from localregistry.agent.writer import Detected
from localregistry.trust import NodeReason, NodeResult, Report

# Drift is repaired within 10 s: seen within 5, by a glance at the files. They are read again where
# it shows news, and now and then all the same.
CHECK_SECONDS, CLOSE_CHECK_SECONDS = 5.0, 60.0

# Who edits a file often writes it twice, and another one beside it.
DEBOUNCE_SECONDS = 1.0

# A runtime that is not there yet, another agent that holds the node, a file that changed under us.
SOON_SECONDS = 1.0

# A runtime that is not there for this many passes is looked for less often: it costs a look at
# every process of the node.
SOON_PASSES = 60

# A runtime that lives is asked anew for its configuration; costs a helper process.
DETECT_SECONDS = 300.0

# The kernel tells of news; where it does not, two stat calls do, and a change is proved within 2 s
# all the same, of which the pull takes about 0.2.
BACKSTOP_SECONDS, POLL_SECONDS = 2.0, 0.5


@dataclass
class _Pass:
    """What the last pass left: results by UID, and what is to be proved; `left` is to be said of
    what is proved; `problem` is why it did nothing, where that is the node's fault."""

    results: Mapping[str, NodeResult] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, NodeResult] = field(default_factory=dict)
    problem: NodeResult | None = None


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
        self._watch.follow(inputs.places)
        self._bringing = Bringing(state=state, guest=guest, clock=clock)
        self._previews = Previews(clock)
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
        self._close_check_due = 0.0
        self._pass = _Pass()
        self._proofs = state.proofs()
        self._saved_goal = state.goal()
        self._unsaved = False
        self._verifier = Verifier(self._start_pull, clock)
        self._told = publishing.Told(log)
        self.report = Report(revision="")
        self.heartbeat = clock()

    @property
    def complaint(self) -> str:
        """What is wrong with the inputs or the agent's own memory, "" when nothing is."""
        journal = self._state.journal
        words = (self._inputs.complaint, journal.problem, journal.complaint)
        return self._guest.host.as_known("; ".join(word for word in words if word))

    def step(self) -> None:
        """One turn: takes news, makes a pass where one is due, goes on with the proofs."""
        self.heartbeat = now = self._clock()
        news = self._inputs.poll(self._state.remembers)
        if self._complained != self.complaint:
            self._complained = self.complaint
            self._log(self.complaint or "What was complained of is mended.")
        if self._watch.happened():
            self._due = min(self._due, now + DEBOUNCE_SECONDS)
            self._close_check_due = 0.0
            self._previews.hurry(now + DEBOUNCE_SECONDS)
        goal = self._inputs.goal
        if goal is None:
            self._recover_early()
            return
        if news:
            self._pass = _Pass()
            self._previews.ask(goal)
            self._publish(goal)
        looks = self._previews.due()
        if not news and now >= self._due and self._unchanged():
            self._due = now + CHECK_SECONDS
        if news or now >= self._due:
            self._configure(goal)
        elif self._verifier.idle and not self._unsaved and (looks is None or now < looks):
            return  # nothing is under way
        self._prove(goal)
        self._preview()
        self._publish(goal)

    def wait(self) -> None:
        """Until a pull is done or a file changed, at most until the next poll of the inputs."""
        now = self._clock()
        limit = BACKSTOP_SECONDS if self._watch.fileno() >= 0 else POLL_SECONDS
        for due in (self._verifier.next_due(), self._previews.due()):
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

    @property
    def traceless(self) -> bool:
        """Whether nothing of any agent is on this node, as far as its journal knows."""
        return self._state.journal.empty and not self._state.leftover

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

    def _unchanged(self) -> bool:
        """Whether a pass would find what the last one did, which had nothing to do."""
        return (
            self._clock() < self._close_check_due
            and self._fresh()
            and self._guest.host.glance.same()
        )

    def _configure(self, goal: Goal) -> None:
        self._due = self._clock() + CHECK_SECONDS
        self._close_check_due = 0.0
        self._guest.host.glance.begin()
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
            brought = self._bringing.bring(writer, goal, found, self._proofs)
            if brought.wait is not None:
                self._due = min(self._due, self._clock() + brought.wait)
            if brought.wrote:
                self._watch.happened()  # that was this very pass
                if isinstance(found, Detected) and not self._alive(found.identity):
                    self._due = self._clock() + SOON_SECONDS  # it went meanwhile
            kind = runtimes.kind(goal.runtime)
            left = self._bringing.leave_others(kind, self._make_writer)
        except (Busy, files.Outrun) as error:
            self._due = self._clock() + SOON_SECONDS
            words = f"{error} changed meanwhile." if str(error) else "Another agent holds the node."
            everyone = {registry.uid for registry in goal.registries} - self._proofs.keys()
            waits = NodeResult(NodeReason.PENDING, words)
            self._pass = _Pass(dict.fromkeys(everyone, waits), self._pass.keys)
            return
        except (files.Refused, OSError) as error:
            if isinstance(error, OSError):
                error = files.refusal(error, Path(error.filename or "This node"))
            everyone = {registry.uid for registry in goal.registries} | journal.uids()
            problem = error.result()
            self._pass = _Pass(dict.fromkeys(everyone, problem), problem=problem)
            self._verifier.want({})
            return
        plan = brought.plan
        results = {**plan.refused, **left, **brought.failed}
        keys = {u: key for u, key in proofs.keys(goal, plan, found).items() if u not in results}
        self._pass = _Pass(results, keys, left=plan.left)
        kept = {uid: key for uid, key in self._proofs.items() if keys.get(uid) == key}
        self._unsaved |= kept != self._proofs
        self._proofs = kept
        settled = kept.keys() | set(goal.frozen)
        unproved = {uid: key for uid, key in keys.items() if uid not in settled}
        pending = any(result.reason is NodeReason.PENDING for result in results.values())
        if plan.idle and not (brought.failed or pending):
            self._close_check_due = self._clock() + CLOSE_CHECK_SECONDS
        self._verifier.want(unproved, lag=plan.lag)
        paths = sorted({*journal.paths(), *self._previews.paths})
        if self._followed != paths or self._watch.stirred:
            ours = [self._guest.host.resolve(path) for path in paths]
            self._watch.follow([*ours, *self._inputs.places])
            self._followed = paths

    def _fresh(self) -> bool:
        """Whether what was found of the runtime holds, since the same process still runs."""
        return (
            isinstance(self._found, Detected)
            and self._found.cri is not None
            and self._clock() < self._found_until
            and self._alive(self._found.identity)
        )

    def _detect(self, writer: AnyWriter) -> Detected | NodeResult:
        known = self._found
        if known is None or not self._fresh():
            known, before = writer.detect(), known
            self._found = known
            if known != before:
                self._previews.hurry(self._clock())
            self._found_until = self._clock() + DETECT_SECONDS
        return known

    def _prove(self, goal: Goal) -> None:
        ready, _, _ = select.select([c.fileno() for c in self._verifier.running()], [], [], 0)
        done = [call for call in self._verifier.running() if call.fileno() in ready]
        hint = self._found.hint if isinstance(self._found, Detected) else ""
        dns = {registry.uid: registry.names[0] for registry in goal.registries if registry.dns}
        proved = self._verifier.step(done, hint=hint, dns=dns)
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

    def _preview(self) -> None:
        """Says of each registry in Preview what would be done; does nothing of it."""
        found = self._found
        if self._pass.problem is not None:
            self._previews.fail(self._pass.problem)
        elif self._writer is None or found is None:
            self._previews.wait(self._clock() + SOON_SECONDS)
        else:
            writer = self._writer[1]
            self._previews.step(lambda wanted: writer.plan(wanted, found))

    def _publish(self, goal: Goal) -> None:
        self.report = publishing.report(
            goal,
            results=self._pass.results,
            left=self._pass.left,
            keys=self._pass.keys,
            proved=self._proofs,
            unproved=self._verifier.result,
            remembered=self._state.journal.uids(),
            previews=self._previews.lines,
            shown=self._guest.host.as_known,
        )
        self._told.tell(self.report.exceptions)

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
