"""`localregistry doctor`: what is wrong, and the line that mends it. It changes nothing."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from localregistry.commands import findings, options, screen, survey
from localregistry.commands.checks import entrance, installation, nodefiles, registry
from localregistry.commands.findings import Finding, Severity
from localregistry.commands.screen import Part, Table
from localregistry.commands.status import printed
from localregistry.commands.survey import Survey

EXAMPLES = """\
{} doctor                        # before and after the installation
{} doctor dev -n registries      # the cluster, and this LocalRegistry
{} doctor -o json | jq '.[] | select(.severity == "error")'"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "look for what is wrong on nodes, Ingress, DNS and the operator, and change nothing"
    parser = options.add(commands, "doctor", text, EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="only this LocalRegistry (all)")
    options.choose_namespace(parser, "only those of it (all; of a NAME the context's own)")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="for programs")
    options.choose_cluster(parser)
    # For tests, whose Ingress stands on a port of its own.
    parser.add_argument("--http-port", type=int, default=80, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    with options.cluster(arguments) as cluster:
        seen = survey.take(cluster, arguments)
    found = examine(seen, now=datetime.now(UTC))
    if not printed([dataclasses.asdict(finding) for finding in found], arguments.output):
        parts = on_terminal(found) if sys.stdout.isatty() else in_pipe(found)
        screen.show([*parts, conclusion(found)])
    return findings.code(found)


def examine(seen: Survey, *, now: datetime) -> list[Finding]:
    """Every finding, the worst first. Pure."""
    return findings.in_order(_all(seen, now))


def _all(seen: Survey, now: datetime) -> Iterator[Finding]:
    yield from installation.check(seen, now)
    yield from nodefiles.check(seen)
    yield from registry.check(seen)
    yield from entrance.check(seen)
    for what, why, right in seen.unread:
        cure = f"Ask for the right to {right}, or let somebody run this who has it."
        yield findings.warning("this look", f"{what[0].upper()}{what[1:]} not seen: {why}", cure)
    yield installation.summary(seen)


def on_terminal(found: Sequence[Finding]) -> list[Part]:
    """The cure below its sentence, so that both have the terminal's width."""
    table = Table(["", "about", "finding, and what mends it"])
    for one in found:
        table.rows.append([one.severity.value, one.about, one.sentence])
        if one.cure:
            table.rows.append([" ", " ", f"→ {one.cure}"])
    return [table]


def in_pipe(found: Sequence[Finding]) -> list[Part]:
    """One line for each finding."""
    rows = [[one.severity.value, one.about, one.sentence, one.cure] for one in found]
    return [Table(["severity", "about", "finding", "cure"], [*rows])]


def conclusion(found: Sequence[Finding]) -> str:
    counts = {
        severity: sum(one.severity is severity for one in found)
        for severity in (Severity.ERROR, Severity.WARNING)
    }
    if not any(counts.values()):
        return "All is well."
    said = (f"{n} {name}{'s' if n > 1 else ''}" for name, n in counts.items() if n)
    return ", ".join(said) + "."
