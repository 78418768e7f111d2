"""The command line: one function per command, imported only when it runs."""

import argparse
import sys
from collections.abc import Sequence

from kind import settings as configuration
from kind import shell


def _tools(options: argparse.Namespace, settings: configuration.Settings) -> int:
    from kind import build

    print(build.ensure(settings, options.names))
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the argument parser; every command has its own --help."""
    top = argparse.ArgumentParser(prog="python3 -m kind", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    tools = commands.add_parser(
        "tools",
        help="build the named binaries (all, if none is named); prints their directory",
        description="Build binaries into the cache. The last line of standard output is the "
        "directory that holds them. Versions stand in tests/kind/go/*/go.mod.",
    )
    tools.add_argument("names", nargs="*", metavar="NAME")
    tools.set_defaults(act=_tools)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a failure is one message on standard error and exit code 1."""
    options = parser().parse_args(argv)
    try:
        code: int = options.act(options, configuration.from_environment())
    except shell.Failed as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code
