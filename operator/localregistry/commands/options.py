"""Options that several commands share, and who runs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from localregistry.commands.cluster import Cluster, connect
from localregistry.resources.config import OperatorConfig
from localregistry.trust import AGENT_PORT

PLUGIN = "kubectl-localregistry"


def program() -> str:
    """As the user has called it."""
    return "kubectl localregistry" if PurePath(sys.argv[0]).name == PLUGIN else "localregistry"


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A command's parser, with the options that choose the cluster. `{}` stands for the program."""
    lines = "\n".join(f"  {line}" for line in examples.format(*[program()] * 9).splitlines())
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def choose_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="another than $KUBECONFIG")
    group.add_argument("--context", help="one of the kubeconfig's, other than its current one")
    group.add_argument(
        "--operator-namespace",
        metavar="NS",
        default=os.environ.get("OPERATOR_NAMESPACE") or OperatorConfig().namespace,
        help="where the operator is installed (%(default)s) [$OPERATOR_NAMESPACE]",
    )
    # For tests without a pod network, where agents share loopback's ports.
    parser.add_argument("--agent-port", type=int, default=AGENT_PORT, help=argparse.SUPPRESS)


def choose_namespace(
    parser: argparse.ArgumentParser, words: str = "another than the context's own"
) -> None:
    parser.add_argument("-n", "--namespace", metavar="NS", help=words)


@contextmanager
def cluster(options: argparse.Namespace) -> Iterator[Cluster]:
    """The cluster that the options choose. Raises Problem."""
    with connect(options.kubeconfig, options.context) as found:
        yield found
