"""Runs blocks of the documentation as a reader would: bash, in the repository's folder."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from documented.blocks import ROOT, Block, Command


@dataclass(frozen=True)
class Shell:
    """Where commands run: folders in front of PATH, further variables, the working folder. With
    a `prefix`, such as `docker exec NODE`, it is the shell of another machine."""

    path: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT
    timeout: float = 300
    prefix: Sequence[str] = ()

    def run(self, command: str) -> str:
        """What the command printed; a command that fails, in a pipe too, fails the test."""
        before = ":".join(str(folder) for folder in self.path)
        environment = {**os.environ, **self.environment, "PATH": f"{before}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*self.prefix, "bash", "-eu", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=self.timeout,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


def beside(folder: Path) -> Path:
    """The folder, with all of the repository in it by links: what a command writes stays there."""
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)
    return folder


@dataclass(frozen=True)
class Ran:
    """A command as the page has it, and what it really printed."""

    command: Command
    said: str

    def is_as_written(self) -> bool:
        """Whether it printed what stands below it, but for numbers and the blanks between words.

        Ages, sizes, addresses and versions differ from run to run: a word with a digit in it
        stands for every other word with one.
        """
        return shape(self.said) == shape(self.command.output)


def shape(text: str) -> list[list[str]]:
    return [
        ["#" if re.search(r"\d", word) else word for word in line.split()]
        for line in text.strip("\n").splitlines()
    ]


class Documented:
    """The blocks that one test claims. They run in turn, and each has to be run.

    What a test puts in place of a word of the page stands in its `replace`: names of images that
    were built here, say. A word that is not there is an error, so that nothing is replaced unseen.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = list(blocks)
        self.waiting = list(blocks)

    def run(self, shell: Shell, *, replace: Mapping[str, str] | None = None) -> list[Ran]:
        """Runs the next block."""
        block = self.waiting[0]
        for old in replace or {}:
            assert old in block.text, f"{block.place} has no {old!r} to be replaced"
        done = [
            Ran(command, shell.run(_replaced(command.text, replace or {})))
            for command in block.commands
        ]
        del self.waiting[0]
        return done

    def rest(self, shell: Shell) -> Iterator[Ran]:
        """Runs all blocks that are left."""
        while self.waiting:
            yield from self.run(shell)

    @property
    def next(self) -> Block:
        return self.waiting[0]


def _replaced(text: str, replace: Mapping[str, str]) -> str:
    for old, new in replace.items():
        text = text.replace(old, new)
    return text
