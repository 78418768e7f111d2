"""The pulls that prove registries: several at a time, each failed one again after a pause."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from localregistry.agent import words
from localregistry.agent.helper import PROBE_LIMIT_SECONDS, Running
from localregistry.trust import NodeReason, NodeResult

# dockerd remembers a lookup for 5 s, and asking faster only makes its resolver stall.
PAUSES = (0.1, 0.5, 1.0, 1.0, 2.0, 2.0, 4.0, 8.0, 10.0)

# The runtime may need this long to act by its new configuration; no failure before is one.
GRACE_SECONDS = 10.0

# One registry that does not answer holds a slot for 30 s; the others go on in the rest. Each
# helper process takes 16 MiB at its peak.
SLOTS = 4

# After ten minutes of failures only a changed node or document helps.
TIRED_TRIES, TIRED_SECONDS = 60, 60.0

_NOBODY: Mapping[str, str] = {}


@dataclass
class _Attempt:
    key: str
    since: float
    due: float
    tries: int = 0
    running: Running | None = None
    started: float = 0.0
    failure: words.Failure | None = None


class Verifier:
    """`start` begins the pull for a UID, None where no runtime answers; `key` names what a success
    would prove: another key is another attempt."""

    def __init__(self, start: Callable[[str], Running | None], clock: Callable[[], float]) -> None:
        self._start = start
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}

    def want(self, keys: Mapping[str, str], *, lag: float = 0.0) -> None:
        """Exactly these are to be proved; with a `lag` all begins anew, in so many seconds."""
        now = self._clock()
        for uid, attempt in list(self._attempts.items()):
            if keys.get(uid) != attempt.key or lag:
                if attempt.running is not None:
                    attempt.running.cancel()
                del self._attempts[uid]
        for uid, key in keys.items():
            self._attempts.setdefault(uid, _Attempt(key, since=now, due=now + lag))

    def step(
        self, done: Iterable[Running], *, hint: str = "", dns: Mapping[str, str] = _NOBODY
    ) -> dict[str, str]:
        """Takes the results of `done`, starts what is due; gives what is proved now, UID → key.
        `hint` and `dns` are those of `words.failure`, the latter by UID."""
        now = self._clock()
        proved: dict[str, str] = {}
        finished = list(done)
        for uid, attempt in list(self._attempts.items()):
            running = attempt.running
            if running is None:
                continue
            late = now - attempt.started > PROBE_LIMIT_SECONDS
            if running in finished or late:
                attempt.running = None
                if self._take(attempt, running.result(), hint=hint, dns=dns.get(uid, "")):
                    proved[uid] = attempt.key
                    del self._attempts[uid]
        self._fill(now)
        return proved

    def result(self, uid: str) -> NodeResult:
        """Of a UID that is not proved."""
        attempt = self._attempts.get(uid)
        if attempt is None or attempt.failure is None:
            return NodeResult(NodeReason.PENDING, "The proving pull is under way.")
        if not attempt.failure.settled and self._clock() - attempt.since < GRACE_SECONDS:
            return NodeResult(NodeReason.PENDING, attempt.failure.sentence)
        return NodeResult(NodeReason.PULL_FAILED, attempt.failure.sentence)

    def running(self) -> list[Running]:
        return [a.running for a in self._attempts.values() if a.running is not None]

    @property
    def idle(self) -> bool:
        return not self._attempts

    def failing(self) -> bool:
        """Whether some attempt failed for a reason that a new look at the runtime may end."""
        return any(a.failure and not a.failure.settled for a in self._attempts.values())

    def next_due(self) -> float | None:
        """When the next pull shall start; None where none waits."""
        waiting = [a.due for a in self._attempts.values() if a.running is None]
        return min(waiting, default=None)

    def close(self) -> None:
        self.want({})

    def _take(self, attempt: _Attempt, body: Mapping[str, object], *, hint: str, dns: str) -> bool:
        error = body.get("error")
        if not isinstance(error, Mapping):
            return True
        attempt.failure = words.failure(error, hint=hint, dns=dns)
        self._again(attempt)
        return False

    def _again(self, attempt: _Attempt) -> None:
        pause = PAUSES[min(attempt.tries, len(PAUSES) - 1)]
        attempt.tries += 1
        attempt.due = self._clock() + (TIRED_SECONDS if attempt.tries > TIRED_TRIES else pause)

    def _fill(self, now: float) -> None:
        free = SLOTS - len(self.running())
        waiting = [(a.tries, a.due, uid) for uid, a in self._attempts.items() if a.running is None]
        # What was never tried goes first: a dead registry must not delay a live one.
        for _, due, uid in sorted(waiting):
            if free <= 0:
                return
            if due > now:
                continue
            attempt = self._attempts[uid]
            attempt.running = self._start(uid)
            attempt.started = now
            if attempt.running is None:
                attempt.failure = words.Failure("No CRI socket answers on this node.")
                self._again(attempt)
            else:
                free -= 1
