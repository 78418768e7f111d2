"""What a plan would do to a node, in lines for its administrator. Pure.

Only lines of our own are shown, never another line of the file that they stand in: daemon.json may
hold the passwords of proxies, a hosts.toml credentials.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from localregistry.agent import header, hostsfile
from localregistry.agent.writer import Plan

HOSTS = "/etc/hosts"

# All that a file of ours is rendered to; whatever else is found in one was added by somebody else.
_RENDERED = re.compile(
    "|".join(
        (
            r"# Managed by localregistry for .*",
            r'(server|prefix|location) = "[^"]*"',
            r'\[host\."http://[^"]*"\]',
            r'\s*capabilities = \["pull", "resolve"\]',
            r"\[\[registry\]\]",
            r"insecure = true",
        )
    )
)

_LIST = "insecure-registries"


def preview(plan: Plan, *, beside: Plan | None = None) -> list[str]:
    """In the order of the plan, as unified diffs do: `--- path`, then `- ` and `+ ` lines; last
    `! SIGHUP daemon` where it would be signalled. Empty where nothing would be done.

    Without what `beside` would do anyway.
    """
    anyway = _changed(beside) if beside else {}
    lines: list[str] = []
    for path, all_changed in _changed(plan).items():
        known = set(anyway.get(path, ()))
        changed = [line for line in all_changed if line not in known]
        if changed:
            lines += [f"--- {path}", *changed]
    if plan.reload and not (beside and beside.reload):
        lines.append(f"! SIGHUP {plan.daemon}")
    return lines


def shortened(lines: Sequence[str], limit: int) -> tuple[str, ...]:
    """As much of the lines as fits into `limit` bytes with their newlines; the last one then says
    that something is left out."""
    if sum(map(_size, lines)) <= limit:
        return tuple(lines)
    room = limit - _size(_LEFT_OUT)
    kept: list[str] = []
    for line in lines:
        if _size(line) > room:
            if not kept:  # one that is longer than all of it
                kept.append(line.encode()[: room - 1].decode(errors="ignore"))
            break
        kept.append(line)
        room -= _size(line)
    return (*kept, _LEFT_OUT)


_LEFT_OUT = "… what comes after this is left out here"


def _size(line: str) -> int:
    return len(line.encode()) + 1


def _changed(plan: Plan) -> dict[str, list[str]]:
    """The lines of ours that go and come, by file."""
    result = {}
    for path, (before, after) in _net(plan).items():
        gone, come = _ours(path, before), _ours(path, after)
        kept = set(gone) & set(come)
        result[path] = [f"- {line}" for line in gone if line not in kept]
        result[path] += [f"+ {line}" for line in come if line not in kept]
    return result


def _net(plan: Plan) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Several steps in one file as one."""
    result: dict[str, tuple[bytes | None, bytes | None]] = {}
    for change in plan.changes:
        before, _ = result.get(change.path, (change.before, None))
        result[change.path] = (before, change.after)
    return result


def _ours(path: str, content: bytes | None) -> list[str]:
    """The lines that may be ours; those that stay are not shown."""
    if content is None:
        return []
    if path == HOSTS:
        rest = set(hostsfile.without_block(content).splitlines())
        block = [line for line in content.splitlines() if line not in rest]
        return [line.decode(errors="replace") for line in block]
    if header.is_ours(content):
        lines = content.decode(errors="replace").splitlines()
        return [line for line in lines if line and _RENDERED.fullmatch(line)]
    # Somebody else's JSON: entries of the one list that is ever edited.
    return [f'"{_LIST}": {json.dumps(entry)}' for entry in _entries(content)]


def _entries(content: bytes) -> list[str]:
    try:
        value = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
        return [str(entry) for entry in value.get(_LIST) or ()]
    except (ValueError, AttributeError, TypeError):
        return []
