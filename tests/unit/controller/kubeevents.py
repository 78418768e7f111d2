"""Events as Kubernetes' own parts write them, read as events.k8s.io/v1."""

from __future__ import annotations

import datetime
from typing import Any

from unit.controller.bodies import CHILD, NAMESPACE

SET = f"{CHILD}-7d9c5b8f4"
POD = f"{SET}-x2x4z"
START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

# What was seen on clusters of 1.34 to 1.36, shortened.
UNSCHEDULABLE = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
NO_IMAGE = (
    'Failed to pull image "nowhere.invalid/registry:1": failed to resolve reference '
    '"nowhere.invalid/registry:1": dial tcp: lookup nowhere.invalid: no such host'
)
NO_MOUNT = 'MountVolume.SetUp failed for volume "pv" : mount failed: exit status 32'
CRASH = f"Back-off restarting failed container registry in pod {POD}_{NAMESPACE}(9a)"
SICK = "Readiness probe failed: HTTP probe failed with statuscode: 503"


def event(
    reason: str,
    note: str = "",
    *,
    at: float = 0.0,
    kind: str = "Normal",
    pod: str = POD,
    container: str = "",
    last: float | None = None,
    precise: bool = False,
) -> dict[str, Any]:
    """`at` seconds after START; the scheduler is `precise`, the kubelet knows whole seconds."""
    regarding = {"kind": "Pod", "namespace": NAMESPACE, "name": pod}
    if container:
        regarding["fieldPath"] = f"spec.containers{{{container}}}"
    made, seen = (START + datetime.timedelta(seconds=s) for s in (at, at if last is None else last))
    body: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{pod}.{reason}.{at}",
            "namespace": NAMESPACE,
            "creationTimestamp": f"{made:%Y-%m-%dT%H:%M:%SZ}",
        },
        "reason": reason,
        "note": note,
        "type": kind,
        "regarding": regarding,
    }
    if precise:
        body["eventTime"] = f"{made:%Y-%m-%dT%H:%M:%S.%fZ}"
        if last is not None:
            body["series"] = {"count": 2, "lastObservedTime": f"{seen:%Y-%m-%dT%H:%M:%S.%fZ}"}
    else:
        body["eventTime"] = None
        body["deprecatedLastTimestamp"] = f"{seen:%Y-%m-%dT%H:%M:%SZ}"
    return body


def warning(reason: str, note: str, **given: Any) -> dict[str, Any]:
    return event(reason, note, kind="Warning", **given)


def deployment(replica_set: str | None = SET) -> dict[str, Any]:
    """A Deployment that is not available; its controller names the newest ReplicaSet in words."""
    message = f'ReplicaSet "{replica_set}" is progressing.'
    conditions = [{"type": "Available", "status": "False", "message": "no minimum availability"}]
    if replica_set:
        conditions.append({"type": "Progressing", "status": "True", "message": message})
    return {
        "metadata": {"name": CHILD, "namespace": NAMESPACE, "generation": 1},
        "status": {"observedGeneration": 1, "conditions": conditions},
    }
