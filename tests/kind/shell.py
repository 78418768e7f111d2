"""Subprocesses: every one has a time-out, and a failure shows what it printed."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class Failed(Exception):
    """Something that a person must see, in words; printed without a traceback."""


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run a command and return its standard output.

    Raises Failed with the last lines of its output where it exits non-zero, is missing or takes
    longer than ``timeout`` seconds. ``env`` is added to this process's environment.
    """
    command = [str(part) for part in argv]
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{_shown(command)} did not end within {timeout:.0f} s") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Failed(f"{_shown(command)} exited {done.returncode}:\n{tail}")
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, timeout: float = 20) -> bool:
    """Tell whether a command exits 0; being missing or too slow counts as a no."""
    try:
        run(argv, timeout=timeout)
    except Failed:
        return False
    return True


def attached(argv: Sequence[str | Path], *, timeout: float) -> int:
    """Run a command on our own standard streams and return its exit code."""
    command = [str(part) for part in argv]
    try:
        return subprocess.run(command, timeout=timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"{_shown(command)} did not end within {timeout:.0f} s", file=sys.stderr)
        return 124


def _shown(command: Sequence[str]) -> str:
    text = " ".join(command)
    return text if len(text) <= 160 else text[:157] + "..."
