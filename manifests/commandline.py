"""Prints the commands of the package on PYTHONPATH with their options, as JSON.

Each command makes its parser when it is called; it is caught before it reads a command line.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any, NoReturn
from unittest import mock


class Caught(Exception):
    """Holds the parser."""


def catch(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
    raise Caught(parser)


def parser_of(command: str) -> argparse.ArgumentParser:
    from localregistry import cli

    try:
        with mock.patch.object(argparse.ArgumentParser, "parse_args", catch):
            cli.main([command, "--help"])
    except Caught as caught:
        return below(caught.args[0], command)
    raise SystemExit(f"localregistry {command} reads no options by argparse")


def below(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """The command's own parser, where one parser holds several commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and command in action.choices:
            found: argparse.ArgumentParser = action.choices[command]
            return found
    return parser


def name_of(action: argparse.Action) -> str:
    """As it is written: flags with what they take, or the name of what stands by its place."""
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else ""
    metavar = str(action.metavar or choices or action.dest.upper())
    if not action.option_strings:
        return f"[{metavar}]" if action.nargs in ("?", "*") else metavar
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {metavar}")


def described(command: str) -> dict[str, Any]:
    parser = parser_of(command)
    return {
        "name": command,
        "description": parser.description or "",
        "options": [
            {"name": name_of(action), "help": (action.help or "") % vars(action)}
            for action in parser._actions
            if action.help != argparse.SUPPRESS and "--help" not in action.option_strings
        ],
    }


def main() -> int:
    from localregistry.cli import USAGE

    names = re.findall(r"^  localregistry ([a-z]+) ", USAGE, re.MULTILINE)
    json.dump([described(name) for name in names], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
