"""What the operator tells Prometheus. The one module that imports `prometheus_client`.

No label holds a name of the cluster: the number of series is the same for one registry and for a
thousand. docs/reference/metrics.md explains each metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import prometheus_client as prometheus
from prometheus_client.exposition import choose_encoder

from localregistry.spec.conditions import ConditionStatus, ConditionType
from localregistry.trust import NodeReason
from localregistry.version import VERSION

# From a run with nothing to do (some milliseconds) to one that an API server holds up; 0.05, 0.25
# and 1 s are what such runs are held to.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


K = TypeVar("K")


class Result(StrEnum):
    """How a run ended. What is wrong with a registry is no failed run, but a condition of it."""

    SUCCESS = "success"
    CONFLICT = "conflict"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    DEFECT = "defect"


class Subject(StrEnum):
    """What a run was about: one LocalRegistry, or what all together mean for the nodes."""

    REGISTRY = "registry"
    NODES = "nodes"


class NodeState(StrEnum):
    """How far a node is for one registry."""

    READY = "ready"
    FAILING = "failing"
    WAITING = "waiting"


class VolumeState(StrEnum):
    """How much room is left on a volume."""

    ROOMY = "roomy"
    ALMOST_FULL = "almost_full"
    FULL = "full"


ConditionKey = tuple[ConditionType, ConditionStatus]
# What a node that fails can have; the others are states of one that does not.
FAILURES: list[NodeReason] = [
    r for r in NodeReason if r not in (NodeReason.CONFIGURED, NodeReason.PENDING)
]
_CONDITIONS: list[ConditionKey] = [(t, s) for t in ConditionType for s in ConditionStatus]


class Counts(Protocol):
    """What is counted over all LocalRegistries; what is absent is 0."""

    def conditions(self) -> Mapping[ConditionKey, int]: ...
    def volumes(self) -> Mapping[VolumeState, int]: ...
    def nodes(self) -> Mapping[NodeState, int]: ...
    def failing(self) -> Mapping[NodeReason, int]: ...


@dataclass(frozen=True)
class Sources:
    """What is asked when somebody scrapes: no loop keeps these up to date. None may block."""

    queue_depth: Callable[[], float]
    oldest_key: Callable[[], float]
    census: Counts
    trusted_hosts: Callable[[], float]


class Metrics:
    """One process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        # When a series was first seen, once more for each: nobody asks.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)
        self._runs = prometheus.Counter(
            "localregistry_reconciles",
            "Runs of the reconcile, by what they were about and how they ended",
            ["subject", "result"],
            registry=registry,
        )
        self._seconds = prometheus.Histogram(
            "localregistry_reconcile_seconds",
            "How long a run took, whatever came of it",
            ["subject"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._requests = prometheus.Counter(
            "localregistry_api_requests",
            "Requests to the API server but the watches, by verb and class of the HTTP status",
            ["verb", "code"],
            registry=registry,
        )
        self._depth = _gauge(registry, "queue_depth", "Keys that wait for a worker or have one")
        self._oldest = _gauge(
            registry, "queue_oldest_seconds", "How long the oldest key has waited for a worker"
        )
        self._conditions = _gauge(
            registry, "conditions", "LocalRegistries by the status of a condition", "type", "status"
        )
        self._volumes = _gauge(
            registry, "volumes", "Volumes that can be written to, by the room that is left", "state"
        )
        self._nodes = _gauge(
            registry,
            "nodes",
            "Nodes by how far they are, summed over the LocalRegistries that configure nodes",
            "state",
        )
        self._failing = _gauge(
            registry, "nodes_failing", "Of these the ones that fail, by why", "reason"
        )
        self._hosts = _gauge(registry, "trusted_hosts", "Names that nodes are told to trust")
        self._leader = _gauge(registry, "leader", "1 where this process holds the Lease")
        info = prometheus.Gauge(
            "localregistry_build_info", "Always 1", ["version"], registry=registry
        )
        info.labels(VERSION).set(1)
        # A series that is there from the start has a rate from its first increment on.
        for subject in Subject:
            self._seconds.labels(subject)
            for result in Result:
                self._runs.labels(subject, result)
        for labels in _CONDITIONS:
            self._conditions.labels(*labels)
        for volume in VolumeState:
            self._volumes.labels(volume)
        for state in NodeState:
            self._nodes.labels(state)
        for reason in FAILURES:
            self._failing.labels(reason)

    def ran(self, subject: Subject, result: Result, seconds: float) -> None:
        self._runs.labels(subject, result).inc()
        self._seconds.labels(subject).observe(seconds)

    def requested(self, verb: str, status: int) -> None:
        """One request to the API server; `status` 0 where none was answered."""
        self._requests.labels(verb, f"{status // 100}xx" if status else "none").inc()

    @contextmanager
    def leading(self, sources: Sources) -> Iterator[None]:
        """While this process leads, its queue and its fleet are what is told."""
        self._depth.set_function(sources.queue_depth)
        self._oldest.set_function(sources.oldest_key)
        self._hosts.set_function(sources.trusted_hosts)
        census = sources.census
        for labels in _CONDITIONS:
            self._conditions.labels(*labels).set_function(_one_of(census.conditions, labels))
        for volume in VolumeState:
            self._volumes.labels(volume).set_function(_one_of(census.volumes, volume))
        for state in NodeState:
            self._nodes.labels(state).set_function(_one_of(census.nodes, state))
        for reason in FAILURES:
            self._failing.labels(reason).set_function(_one_of(census.failing, reason))
        self._leader.set(1)
        try:
            yield
        finally:
            self._leader.set(0)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """All of it in the format that the Accept header asks for, and its Content-Type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


def _gauge(
    registry: prometheus.CollectorRegistry, name: str, documentation: str, *labels: str
) -> prometheus.Gauge:
    return prometheus.Gauge(f"localregistry_{name}", documentation, labels, registry=registry)


def _one_of(counts: Callable[[], Mapping[K, int]], key: K) -> Callable[[], float]:
    return lambda: counts().get(key, 0)
