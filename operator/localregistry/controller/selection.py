"""Which registries leave which nodes out, by `spec.nodes.selector`."""

from __future__ import annotations

from collections.abc import Callable, Collection

from localregistry.controller.fleet import Node
from localregistry.spec.selector import Selector
from localregistry.trust import Damaged, Task, TrustDocument


class Selection:
    """The selectors of all registries by UID; a registry that is not known selects no node anew.

    `covered(revision)` are the UIDs that this trust document held, empty where nobody remembers.
    """

    def __init__(self, *, covered: Callable[[str], Collection[str]]) -> None:
        self._covered = covered
        self._selectors: dict[str, Selector] = {}
        self._frozen: set[str] = set()

    def put(self, uid: str, selector: Selector, *, frozen: bool) -> None:
        """`frozen`: nodes stay as they are; a selector that was known before stays too."""
        if frozen:
            self._frozen.add(uid)
            self._selectors.setdefault(uid, selector)
        else:
            self._frozen.discard(uid)
            self._selectors[uid] = selector

    def keep(self, uids: Collection[str]) -> None:
        """Forgets all others."""
        self._selectors = {u: s for u, s in self._selectors.items() if u in uids}
        self._frozen &= set(uids)

    def excluded(self, document: TrustDocument, node: Node, task: str) -> tuple[str, ...]:
        """The UIDs of the document that leave this node out. `task` is what it was told last.

        What is frozen, or is about to go since nobody claims it any more, stays as it was told.
        """
        said = _read(task)
        known = self._covered(said.revision) if said else ()
        result = []
        for entry in document.registries:
            uid, selector = entry.uid, self._selectors.get(entry.uid)
            if said and uid in known and (selector is None or uid in self._frozen):
                out = uid in said.excluded
            else:
                out = selector is None or not selector.matches(node.labels)
            if out:
                result.append(uid)
        return tuple(sorted(result))

    def moved(self, before: Node | None, after: Node | None) -> set[str] | None:
        """The UIDs for which a changed node means something else; None: for all."""
        if before is None or after is None or before.without_labels() != after.without_labels():
            return None
        return {
            uid
            for uid, selector in self._selectors.items()
            if selector.matches(before.labels) != selector.matches(after.labels)
        }


def _read(task: str) -> Task | None:
    try:
        return Task.from_json(task) if task else None
    except Damaged:
        # Written by hand, or by a newer version: it is written anew.
        return None
