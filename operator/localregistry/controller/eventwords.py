"""Why a pod does not run, or a claim has no volume, in the words of the Events on it: pure.

Scheduler, kubelet, volume controllers and provisioners all say it there, and only there in every
case: a pod's own status knows nothing of a volume that cannot be mounted, a claim's nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.controller.timestamps import epoch
from localregistry.spec.reasons import Reason

Body = Mapping[str, Any]

# Kubernetes cuts a pod's name so that it stays a label: this much of its ReplicaSet's name is in
# it, then five letters or digits. It holds for names that it makes up itself.
POD_NAME_BASE = 58
RANDOM = r"[a-z0-9]{5}"
# The names of ReplicaSets stand in the Deployment's condition Progressing, in quotes.
QUOTED = re.compile(r'"([^"]+)"')

# The pod is gone or going, and another takes its place. So it is with Killing, unless it is a
# container that is to be restarted.
GONE = frozenset({"Preempted", "Evicted", "TaintManagerEviction"})
STOPPING = "Stopping container"
# What shows that a pod has its volumes, or a container its image.
MOUNTED = frozenset({"Pulling", "Pulled", "Created", "Started"})
PULLED = frozenset({"Pulled", "Created", "Started"})
UNMOUNTED = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
UNPULLED = re.compile(
    r"Failed to (pull|inspect) image|Failed to apply default image tag|Container image "
    r"|Error: (ErrImage\w*|ImagePullBackOff|ImageInspectError|InvalidImageName)"
)
# The kubelet waits for five minutes at most before it starts a container again, and may tell of
# that no more often. Seconds.
CRASH_MEMORY = 600.0

_CONTAINER = re.compile(r"spec\.(?:initC|c)ontainers\{([^}]+)\}")


@dataclass(frozen=True)
class Cause:
    """A condition's reason and message."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Seen:
    """What one Event says. `at`: seconds since 1970, when it was seen last."""

    pod: str
    container: str
    reason: str
    note: str
    warning: bool
    at: float

    @classmethod
    def of(cls, event: Body) -> Seen:
        """From events.k8s.io/v1, in which old reporters' times have fields of their own."""
        regarding = event.get("regarding") or {}
        container = _CONTAINER.fullmatch(str(regarding.get("fieldPath") or ""))
        times = (
            (event.get("series") or {}).get("lastObservedTime"),
            event.get("deprecatedLastTimestamp"),
            event.get("eventTime"),
            event["metadata"].get("creationTimestamp"),
        )
        return cls(
            pod=str(regarding.get("name") or ""),
            container=container[1] if container else "",
            reason=str(event.get("reason") or ""),
            note=" ".join(str(event.get("note") or "").split()),
            warning=event.get("type") == "Warning",
            at=max(map(epoch, times)),
        )


def of_pods(events: Iterable[Body], belongs: re.Pattern[str]) -> list[Seen]:
    """Of Events on pods those on the newest pod with such a name (`pods_of`), oldest first."""
    by_pod: dict[str, list[Seen]] = {}
    for seen in map(Seen.of, events):
        if belongs.fullmatch(seen.pod):
            by_pod.setdefault(seen.pod, []).append(seen)
    alive = [
        sorted(told, key=lambda seen: seen.at)
        for told in by_pod.values()
        if not any(map(_going, told))
    ]
    return max(alive, key=lambda told: told[-1].at, default=[])


def of_pod(told: list[Seen]) -> Cause | None:
    """Why the pod that these Events are on does not become ready; None where they do not say."""
    warnings = [seen for seen in told if seen.warning and not _is_over(seen, told)]
    for reason, matches, says in (
        (Reason.POD_UNSCHEDULABLE, _unscheduled, "No node takes the registry's pod"),
        (Reason.VOLUME_NOT_MOUNTED, _unmounted, "The registry's volume cannot be mounted"),
        (Reason.IMAGE_PULL_FAILED, _unpulled, "The image of container {} cannot be pulled"),
        (Reason.POD_CRASHING, _crashing, "Container {} ends again and again"),
        (Reason.DEPLOYMENT_UNAVAILABLE, _any, "The registry's pod is not ready"),
    ):
        if found := [seen for seen in warnings if matches(seen)]:
            # The longest of a pull's words has its cause; "Error: ImagePullBackOff" has none.
            last = found[-1]
            if reason is Reason.IMAGE_PULL_FAILED:
                last = max((s for s in found if s.container == last.container), key=_telling)
            return Cause(reason, f"{says.format(last.container or 'registry')}: {last.note}")
    return None


def of_claim(events: Iterable[Body]) -> tuple[str, bool] | None:
    """The newest words on a claim that waits, and whether they tell of a failure."""
    told = sorted(map(Seen.of, events), key=lambda seen: seen.at)
    if not told:
        return None
    # A failure is repeated for as long as it lasts; what only says that one waits comes between.
    failures = [seen for seen in told if seen.warning or seen.reason == "FailedBinding"]
    last = failures[-1] if failures else told[-1]
    return last.note, bool(failures)


def pods_of(deployment: Body) -> re.Pattern[str]:
    """How the pods of this Deployment's newest ReplicaSet are named."""
    child = str(deployment["metadata"]["name"])
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Progressing":
            for name in QUOTED.findall(str(condition.get("message") or "")):
                if name.startswith(f"{child}-"):
                    return re.compile(re.escape(f"{name}-"[:POD_NAME_BASE]) + RANDOM)
    return re.compile(re.escape(f"{child}-"[:POD_NAME_BASE]) + rf"[a-z0-9]{{0,10}}-?{RANDOM}")


def _is_over(seen: Seen, told: list[Seen]) -> bool:
    """Whether a later Event shows that this trouble has passed.

    Later by whole seconds: the kubelet's Events have no finer times.
    """
    later = [other for other in told if int(other.at) >= int(seen.at)]
    if _unscheduled(seen):
        # Nothing but that can come after it.
        return any(other.reason == "Scheduled" for other in told)
    if _unmounted(seen):
        return any(other.reason in MOUNTED for other in later)
    if _unpulled(seen):
        return any(o.reason in PULLED and o.container == seen.container for o in later)
    return _crashing(seen) and told[-1].at - seen.at > CRASH_MEMORY


def _going(seen: Seen) -> bool:
    return seen.reason in GONE or (seen.reason == "Killing" and seen.note.startswith(STOPPING))


def _unscheduled(seen: Seen) -> bool:
    return seen.reason == "FailedScheduling"


def _unmounted(seen: Seen) -> bool:
    return seen.reason in UNMOUNTED


def _unpulled(seen: Seen) -> bool:
    return UNPULLED.match(seen.note) is not None


def _crashing(seen: Seen) -> bool:
    return seen.reason == "BackOff"


def _any(seen: Seen) -> bool:
    return True


def _telling(seen: Seen) -> tuple[bool, float]:
    return not seen.note.startswith("Error:"), seen.at
