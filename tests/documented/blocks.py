"""The blocks of commands in the documentation, read from the pages as they are.

A block of commands is fenced as `shell` (commands alone) or `console` (`$ ` before each command,
what it prints below it). The line above it names the tests that run it:

    <!-- run by test_the_commands_of_the_readme -->
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/**/*.md"),
    *("manifests/chart/README.md", "tests/kind/README.md"),
)
COMMANDS = ("shell", "console")
PROMPT = "$ "

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>.*)$")
_CLAIM = re.compile(r"^ *<!-- run by (?P<tests>[\w, ]+) -->$")


@dataclass(frozen=True)
class Command:
    """One command as it is written, and what is written below it as its output ("" for nothing)."""

    text: str
    output: str = ""


@dataclass(frozen=True)
class Block:
    """A fenced block: where its fence is, what it holds, and the tests that claim to run it."""

    page: str
    line: int
    language: str
    text: str
    tests: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[Command]:
        """Of `shell` the whole as one script; of `console` what stands after each prompt."""
        if self.language == "shell":
            return [Command(self.text)]
        found: list[Command] = []
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            # A command goes on where its line ends in a backslash.
            end = re.search(r"(?<!\\)\n", part)
            cut = end.start() if end else len(part)
            found.append(Command(part[:cut], part[cut:].strip("\n")))
        return found


def pages(root: Path = ROOT) -> list[Path]:
    return sorted({path for pattern in PAGES for path in root.glob(pattern)})


def fenced(root: Path = ROOT) -> Iterator[Block]:
    """Every fenced block of every page, of whatever language."""
    for path in pages(root):
        yield from read(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


def read(page: str, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        number += 1
        if not opened:
            continue
        start = number
        while number < len(lines) and lines[number].strip() != "```":
            number += 1
        claim = _CLAIM.match(lines[start - 2]) if start > 1 else None
        tests = re.split(r"[, ]+", claim["tests"]) if claim else []
        inner = textwrap.dedent("\n".join(lines[start:number]))
        yield Block(page, start, opened["language"].strip(), inner, tuple(tests))
        number += 1


def claimed_by(test: str, root: Path = ROOT) -> list[Block]:
    """The blocks that name this test, in the order of the pages."""
    return [block for block in fenced(root) if test in block.tests]


def claims(root: Path = ROOT) -> dict[str, list[str]]:
    """Where each named test is named, be it above a block or above nothing."""
    found: dict[str, list[str]] = {}
    for path in pages(root):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            claim = _CLAIM.match(line)
            for test in re.split(r"[, ]+", claim["tests"]) if claim else []:
                found.setdefault(test, []).append(f"{path.relative_to(root)}:{number}")
    return found
