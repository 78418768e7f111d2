"""What `doctor` says: one sentence, and the line that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from localregistry.commands.problems import Exit


class Severity(StrEnum):
    """In the order in which they are shown."""

    ERROR = "error"  # something does not work, or will not
    WARNING = "warning"  # it works, and something is worth a change; or it could not be looked at
    NOTE = "note"  # nothing to do


@dataclass(frozen=True)
class Finding:
    """`about` is what has to be looked at: `node a`, `ns/name`, `operator`."""

    severity: Severity
    about: str
    sentence: str
    cure: str = ""


_ORDER = list(Severity)


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """The worst first, each once; among equals as they were found."""
    once = dict.fromkeys(found)
    return sorted(once, key=lambda finding: _ORDER.index(finding.severity))


def code(found: Iterable[Finding]) -> Exit:
    severities = {finding.severity for finding in found}
    if Severity.ERROR in severities:
        return Exit.NOT
    return Exit.WARNED if Severity.WARNING in severities else Exit.WELL


def error(about: str, sentence: str, cure: str) -> Finding:
    return Finding(Severity.ERROR, about, sentence, cure)


def warning(about: str, sentence: str, cure: str) -> Finding:
    return Finding(Severity.WARNING, about, sentence, cure)


def note(about: str, sentence: str) -> Finding:
    return Finding(Severity.NOTE, about, sentence)
