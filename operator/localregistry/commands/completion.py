"""`localregistry completion`: a script for the user's shell, made from the parsers themselves."""

from __future__ import annotations

import argparse
from typing import Any

from localregistry.commands import options
from localregistry.commands.problems import Exit, Problem

EXAMPLES = """\
{} completion bash > ~/.local/share/bash-completion/completions/localregistry
{} completion zsh > "${{fpath[1]}}/_localregistry"
{} completion fish > ~/.config/fish/completions/localregistry.fish"""

SHELLS = ("bash", "zsh", "fish")
# Of the context's own namespace; nothing where kubectl or the cluster is not there.
NAMES = "kubectl get localregistries -o name --request-timeout=2s 2>/dev/null | cut -d/ -f2"
CONTEXTS = "kubectl config get-contexts -o name 2>/dev/null"

# By the option's or the argument's own name.
_OF_CLUSTER = {"name": NAMES, "context": CONTEXTS}
_FILES = ("kubeconfig", "filename")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "print the script by which a shell completes this command"
    parser = options.add(commands, "completion", text, EXAMPLES)
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from localregistry.commands.main import parser

    print(script(parser(), arguments.shell))
    return Exit.WELL


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Raises Problem where the library is not installed."""
    try:
        import shtab
    except ImportError as error:
        raise Problem(
            "Completion needs the library shtab, which is not installed.",
            "pip install 'localregistry-operator[cli]'",
        ) from error
    # As a plugin of kubectl's it is completed by kubectl; this is for the command itself.
    parser.prog = "localregistry"
    for action in _actions(parser):
        if action.dest in _OF_CLUSTER and not action.choices:
            action.complete = shtab.cmd(_OF_CLUSTER[action.dest])  # type: ignore[attr-defined]
        elif action.dest in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found: list[argparse.Action] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers: dict[str, Any] = action.choices
            found += [inner for one in parsers.values() for inner in _actions(one)]
        else:
            found.append(action)
    return found
