"""What `localregistry agent --clean` is told: nothing, and so all that is on the node goes.

For a node whose operator is gone, or that was off when trust was withdrawn. The node's own journal
says what is ours and how to undo it; no document, no task and no API server is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localregistry.agent import runtimes
from localregistry.agent.inputs import Goal, Inputs
from localregistry.agent.state import State

REVISION = "clean"


class Cleaning(Inputs):
    """A goal without any registry, for the runtime that the node's files were written for."""

    def __init__(self, state: State) -> None:
        super().__init__(Path("/nonexistent"), Path("/nonexistent"))
        self._state = state

    @property
    def places(self) -> list[Path]:
        return []

    def poll(self, remembers: Callable[[str], bool] = lambda uid: False) -> bool:
        if self.goal is not None:
            return False
        self.goal = Goal(REVISION, self._runtime(), ())
        return True

    def _runtime(self) -> str:
        """The last agent's, as its kubelet named it; where that is lost, whose files there are.

        "" where nothing is ours: then no runtime is looked for at all.
        """
        kinds = runtimes.kinds_of(self._state.journal)
        last = self._state.goal()
        if last and runtimes.kind(last.runtime) in kinds:
            return last.runtime
        return f"{min(kinds)}://" if kinds else ""
