"""The command line. Each subcommand is imported when it is called: an agent's image has no kopf."""

from __future__ import annotations

import sys

from localregistry.version import VERSION

USAGE = f"""\
localregistry {VERSION}: an image registry for the cluster, and nodes that can pull from it.

  localregistry run      the operator: once per cluster
  localregistry agent    the node agent: once per node
  localregistry usage    beside each registry: how much of its volume is used
  localregistry restore  undo everything on the nodes, before the operator is removed
  localregistry render   print what the operator would apply for a LocalRegistry
  localregistry status   show LocalRegistries, or all of one: conditions, nodes, storage, images
  localregistry wait     wait until one is ready, and show what is pending on which node
  localregistry doctor   look for what is wrong on nodes, Ingress and DNS, and change nothing
  localregistry diff     show what the operator would change, by the API server's dry run
  localregistry completion  print the script by which bash, zsh or fish completes all this

`localregistry COMMAND --help` lists a command's options.
"""


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code; 2 for a command line that cannot be understood."""
    arguments = sys.argv[1:] if argv is None else argv
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    match command:
        case "run":
            from localregistry.controller.main import main as run

            return run(rest)
        case "agent":
            from localregistry.agent.app import main as agent

            return agent(rest)
        case "usage":
            from localregistry.usage.app import main as usage

            return usage(rest)
        case "restore":
            from localregistry.controller.restore import main as restore

            return restore(rest)
        case "status" | "wait" | "doctor" | "diff" | "render" | "completion":
            from localregistry.commands.main import main as commands

            return commands(arguments)
        case "--version" | "version":
            print(VERSION)
            return 0
        case "-h" | "--help" | "help":
            print(USAGE, end="")
            return 0
        case "":
            print(USAGE, end="", file=sys.stderr)
            return 2
        case _:
            print(f"localregistry: no such command: {command}\n\n{USAGE}", end="", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
