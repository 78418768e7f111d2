"""What is measured: the bars, the runs that measure them, their sizes and how long they take."""

from __future__ import annotations

from dataclasses import dataclass

BARS = {
    "P1": "API load of an idle operator",
    "P2": "a reconcile with nothing to do",
    "P3": "creation of 100 LocalRegistries",
    "P4": "the operator's memory",
    "P5": "an idle agent, per node",
    "P6": "a change of trust on the nodes",
    "P7": "fan-out: 100 registries at once, 1,000 nodes",
    "P8": "cold start: from apply to a pull on every node",
    "P9": "throughput through Ingress and Service",
    "P10": "a start with 1,000 LocalRegistries",
}


@dataclass(frozen=True)
class Size:
    """How much is done; seconds where a time is meant."""

    registries: int = 100
    idle: int = 600
    foreign: int = 10_000
    nodes: int = 1000
    many: int = 1000
    changes: int = 30
    window: float = 60.0
    trusted: tuple[int, ...] = (1, 100)
    starts: int = 5
    repeats: int = 5
    layer_mib: int = 256
    large_mib: int = 1024


# Shows that a measurement works, in seconds; what it finds proves no bar.
SHORT = Size(
    registries=5,
    idle=3,
    foreign=60,
    nodes=20,
    many=8,
    changes=2,
    window=6.0,
    trusted=(1,),
    starts=1,
    repeats=1,
    layer_mib=8,
    large_mib=64,
)


@dataclass(frozen=True)
class Group:
    """Bars that share a stage. `module` has `measure(bars, size)`; `minutes` is what each bar adds
    to `setup`, estimated for two quiet cores."""

    module: str
    minutes: dict[str, float]
    setup: float

    def expected(self, bars: frozenset[str]) -> float:
        """Minutes for these of its bars."""
        return self.setup + sum(self.minutes[bar] for bar in bars)


GROUPS = (
    Group("controller", {"P1": 5.0, "P2": 1.0, "P3": 0.5, "P4": 7.0, "P7": 0.1}, setup=1.5),
    Group("controller_scale", {"P7": 3.0, "P10": 4.0}, setup=0.5),
    Group("cold_start", {"P8": 3.0}, setup=0.7),
    Group("throughput", {"P9": 4.5}, setup=0.7),
    Group("agent_change", {"P6": 4.0}, setup=0.7),
    Group("agent_idle", {"P5": 7.0}, setup=0.7),
)


def chosen(bars: frozenset[str]) -> list[tuple[Group, frozenset[str]]]:
    """The groups that these bars need, in order, each with those of its bars."""
    found = [(group, bars & group.minutes.keys()) for group in GROUPS]
    return [(group, frozenset(of_it)) for group, of_it in found if of_it]
