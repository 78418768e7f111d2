"""What the agent answers: the exceptions to success, each in a sentence. Pure but for the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from localregistry.agent.inputs import Goal
from localregistry.trust import NodeReason, NodeResult, Report

_LEAVING = NodeResult(NodeReason.PENDING, "It is being withdrawn from this node.")
_COMING = NodeResult(NodeReason.PENDING, "The node is being configured.")
_LOOKING = NodeResult(NodeReason.PENDING, "What would be done on this node is being planned.")


def report(
    goal: Goal,
    *,
    results: Mapping[str, NodeResult],
    left: Mapping[str, NodeResult],
    keys: Mapping[str, str],
    proved: Mapping[str, str],
    unproved: Callable[[str], NodeResult],
    remembered: Collection[str],
    previews: Mapping[str, tuple[str, ...]],
    shown: Callable[[str], str],
) -> Report:
    """`results` are those of the last pass, `keys` what its registries are proved by, `unproved`
    tells how the proof of one is going, `left` what is to be said of one that is proved;
    `remembered` are the UIDs that the journal serves. `shown` gives a text as the node's
    administrator is to read it.

    What is frozen is served and has no result of its own: its LocalRegistry is in Preview.
    """
    served = {registry.uid for registry in goal.registries}
    exceptions: dict[str, NodeResult] = {}
    for entry in goal.previews:
        if entry.uid not in previews:
            exceptions[entry.uid] = _LOOKING
    for uid in set(remembered) - served:
        exceptions[uid] = results.get(uid, _LEAVING)
    for uid in served - set(goal.frozen):
        if uid in results:
            exceptions[uid] = results[uid]
        elif uid not in keys:
            exceptions[uid] = _COMING
        elif proved.get(uid) != keys[uid]:
            exceptions[uid] = unproved(uid)
        elif uid in left:
            exceptions[uid] = left[uid]
    return Report(
        goal.revision,
        goal.runtime,
        {uid: NodeResult(r.reason, shown(r.message)) for uid, r in exceptions.items()},
        excluded=goal.excluded,
        previews={uid: tuple(map(shown, lines)) for uid, lines in previews.items()},
    )


class Told:
    """Logs each change of a result as one line."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._said: Mapping[str, NodeResult] = {}

    def tell(self, exceptions: Mapping[str, NodeResult]) -> None:
        for uid in exceptions.keys() | self._said.keys() if exceptions != self._said else ():
            result = exceptions.get(uid)
            if result != self._said.get(uid):
                self._log(f"{uid}: {f'{result.reason}: {result.message}' if result else 'done'}")
        self._said = exceptions
