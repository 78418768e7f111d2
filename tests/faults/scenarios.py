"""What a user does, each step from a settled state to a settled state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faults.world import World

Spec = dict[str, Any]

# Whatever is not at its default exercises a field of a child.
STORAGE_CLASS = "growing"
START: Spec = {
    "host": "dev.example.internal",
    "storage": {"size": "1Gi", "storageClassName": STORAGE_CLASS},
}


@dataclass(frozen=True)
class Scenario:
    """`before` None: there is no LocalRegistry yet; `after` None: it is deleted."""

    name: str
    before: Spec | None
    after: Spec | None
    # With the very first LocalRegistry comes what the cluster has once.
    first: bool = False

    def act(self, world: World) -> None:
        if self.after is None:
            world.delete()
        else:
            world.apply(self.after)

    @property
    def settled(self) -> Callable[[World], bool]:
        if self.after is None:
            return lambda world: world.gone()
        host = str(self.after["host"])
        trusted = (self.after.get("nodes") or {}).get("management", "Managed") == "Managed"
        return lambda world: world.ready(host if trusted else None)


SCENARIOS = (
    Scenario("the first create", None, START, first=True),
    Scenario("create", None, START),
    Scenario("another host", START, {**START, "host": "other.example.internal:5000"}),
    Scenario("more storage", START, {**START, "storage": {**START["storage"], "size": "2Gi"}}),
    Scenario(
        "another pod",
        START,
        {**START, "image": "docker.io/library/registry:3.1.0", "nodeSelector": {"disk": "ssd"}},
    ),
    Scenario("no Ingress", START, {**START, "ingress": {"enabled": False}}),
    Scenario("Unmanaged", START, {**START, "nodes": {"management": "Unmanaged"}}),
    Scenario("delete", START, None),
    Scenario(
        "delete with its claim",
        {**START, "storage": {**START["storage"], "reclaimPolicy": "Delete"}},
        None,
    ),
)
