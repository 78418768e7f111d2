"""The parser of all commands, and what becomes of their Problems."""

from __future__ import annotations

import argparse
import os
import sys

from localregistry import render
from localregistry.commands import completion, diff, doctor, options, status, waiting
from localregistry.commands.options import program
from localregistry.commands.problems import Exit, Problem
from localregistry.version import VERSION

# As a shell has it for a process that SIGINT ended.
INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """The exit code, one of Exit; 2 from argparse for what cannot be understood."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Problem as problem:
        step = f"\n  {problem.step}" if problem.step else ""
        print(f"{program()} {arguments.command}: {problem.sentence}{step}", file=sys.stderr)
        return Exit.UNANSWERED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` has read enough. Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.WELL


def parser() -> argparse.ArgumentParser:
    """Every command that people run; each sets `run`, which takes the options."""
    result = argparse.ArgumentParser(prog=program())
    result.add_argument("--version", action="version", version=VERSION)
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    status.add(commands)
    waiting.add(commands)
    doctor.add(commands)
    diff.add(commands)
    _add_render(commands)
    completion.add(commands)
    return result


def _add_render(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its own module needs no cluster, and nothing of this package."""
    examples = """\
{} render -f dev.yaml                       # without a cluster
kubectl get lreg -A -o yaml | {} render -f -"""
    parser = options.add(commands, "render", "print what the operator would apply", examples)
    render.add_options(parser)
    parser.set_defaults(run=render.run)
