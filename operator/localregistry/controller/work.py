"""One run of a reconcile: what its steps read of the parent, and leave for one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localregistry.controller.claims import Claim
from localregistry.controller.status import Findings
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

Body = dict[str, Any]

# What nothing tells us of is looked at again after this: an Ingress without an address, a name
# that somebody else has, what keeps a pod from running.
LOOK_AGAIN = 15.0
# A child that is going.
SOON_AGAIN = 2.0


@dataclass
class Work:
    """One run: the parent as read, its claim, what was found, and when to look again (seconds)."""

    body: Body
    registry: LocalRegistry
    claim: Claim
    findings: Findings = field(default_factory=Findings)
    again: float | None = None

    def within(self, seconds: float) -> None:
        self.again = seconds if self.again is None else min(self.again, seconds)

    def found(
        self,
        which: ConditionType,
        reason: Reason,
        message: str,
        status: ConditionStatus = ConditionStatus.FALSE,
    ) -> None:
        self.findings.conditions[which] = Condition(which, status, reason, message)
