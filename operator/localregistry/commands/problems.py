"""Why a command cannot answer, in one sentence and a next step; and the exit codes of them all."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What scripts may rely on; docs/reference/cli.md has them."""

    WELL = 0  # ready; nothing to mend; no difference
    NOT = 1  # not ready in time; something is broken; there are differences
    UNANSWERED = 2  # wrong usage, no cluster, no rights, no such name
    WARNED = 3  # doctor: works, with something worth a change


class Problem(Exception):
    """`sentence` says what is wrong, `step` what to do next."""

    def __init__(self, sentence: str, step: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.step = step


class Refused(Problem):
    """The API server says that the user may not; a part of an answer can do without."""


class Unavailable(Problem):
    """Something behind the API server does not answer: a pod, a Service."""
