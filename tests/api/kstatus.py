"""kstatus, by its published rules for a custom resource: what Flux, Argo CD and Helm wait by.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md: a resource that is
being deleted is Terminating; one whose spec is newer than `status.observedGeneration` InProgress;
then the conditions Reconciling and Stalled are asked, then Ready; what says nothing is Current.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kstatus(StrEnum):
    CURRENT = "Current"
    FAILED = "Failed"
    IN_PROGRESS = "InProgress"
    TERMINATING = "Terminating"


def compute(body: Mapping[str, Any]) -> Kstatus:
    """The status of one resource, as the API server holds it."""
    meta, status = body["metadata"], body.get("status") or {}
    if meta.get("deletionTimestamp"):
        return Kstatus.TERMINATING
    observed = status.get("observedGeneration")
    if observed is not None and observed != meta["generation"]:
        return Kstatus.IN_PROGRESS
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or ()}
    if conditions.get("Reconciling") == "True":
        return Kstatus.IN_PROGRESS
    if conditions.get("Stalled") == "True":
        return Kstatus.FAILED
    if conditions.get("Ready", "True") != "True":
        return Kstatus.IN_PROGRESS
    return Kstatus.CURRENT
