"""What can go wrong between the operator and the API server, sorted by what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Trying again soon is no use: no right, or no such kind, which is a CRD that was deleted.
REFUSALS = (401, 403, 404)
_NO_RIGHT = re.compile(r'User ".*" cannot \w+')


class NoCluster(Exception):
    """Neither a service account nor a kubeconfig says where the API server is."""


@dataclass
class ApiError(Exception):
    """An answer that is not a success, or no answer at all (`status` 0).

    `message` is the API server's own sentence, fit for a condition: it names kinds, fields and
    verbs, never the content of objects.
    """

    status: int
    message: str
    reason: str = ""
    causes: tuple[str, ...] = field(default=())
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.message} (HTTP {self.status})" if self.status else self.message

    @property
    def unreachable(self) -> bool:
        """The API server is away or overloaded: wait and try again, nothing is wrong with us."""
        return self.status in (0, 429, 500, 502, 503, 504) and not self.malformed

    @property
    def malformed(self) -> bool:
        """What does not fit the schema is answered with 500, but trying again is no use."""
        return self.status == 500 and "failed to create typed patch object" in self.message

    @property
    def stale(self) -> bool:
        """Somebody else wrote in between: read again, at once."""
        return self.status == 409

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def forbidden(self) -> bool:
        """A right lacks, by the API server's words for that: quotas and webhooks use 403 too."""
        return self.status == 403 and _NO_RIGHT.search(self.message) is not None

    @property
    def namespace_terminating(self) -> bool:
        """The namespace is going, so nothing can be created in it: that is a deletion under way."""
        return self.status == 403 and "NamespaceTerminating" in self.causes

    @property
    def rejected(self) -> bool:
        """The object itself is refused: trying again without a change is useless."""
        if self.status == 403:
            return not (self.forbidden or self.namespace_terminating)
        return self.status in (400, 422) or self.malformed
