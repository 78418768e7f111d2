"""`localregistry status`: what the resource says, each node's part in it, and what is stored."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from localregistry.commands import (
    agents,
    catalogue,
    document,
    nodes,
    options,
    paths,
    registries,
    view,
)
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.document import Document
from localregistry.commands.problems import Exit, Problem
from localregistry.commands.screen import show

EXAMPLES = """\
{} status                        # those of the current namespace
{} status -A                     # of all namespaces
{} status dev -n registries      # all of one, with its nodes and images
{} status dev -o json | jq .nodes"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "show LocalRegistries, or all of one: conditions, nodes, storage, images"
    parser = options.add(commands, "status", text, EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="of one LocalRegistry")
    options.choose_namespace(parser)
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="for programs")
    parser.add_argument("--no-catalogue", action="store_true", help="do not read what is stored")
    options.choose_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    if arguments.name and arguments.all_namespaces:
        raise Problem("A NAME is of one namespace.", "Leave out -A, or the name.")
    with options.cluster(arguments) as cluster:
        namespace = arguments.namespace or cluster.namespace
        if arguments.name:
            found = of_one(cluster, registries.one(cluster, namespace, arguments.name), arguments)
            if not printed(found, arguments.output):
                show(view.details(found, now=now))
            return Exit.WELL
        everywhere = arguments.all_namespaces
        bodies = registries.several(cluster, None if everywhere else namespace)
    several = [document.summary(body) for body in bodies]
    if not printed(several, arguments.output):
        show(view.overview(several, now=now, everywhere=everywhere))
    return Exit.WELL


def of_one(cluster: Cluster, body: Body, arguments: argparse.Namespace) -> Document:
    """The whole document; parts that cannot be read say so in it."""
    meta = body["metadata"]
    rows, notes = of_nodes(cluster, body, arguments)
    stored = None
    if not arguments.no_catalogue:
        stored = catalogue.read(cluster, meta["namespace"], meta["name"])
    return document.whole(body, rows, stored, notes)


def of_nodes(
    cluster: Cluster, body: Body, arguments: argparse.Namespace
) -> tuple[list[nodes.Row], list[str]]:
    """Each node's part, and what is not known of it and why."""
    try:
        listed = cluster.items(paths.NODES) or []
    except Problem as problem:
        return [], [f"Nodes were not listed: {problem.sentence}"]
    if nodes.accounted(body):
        return nodes.rows(body, listed), []
    asked = agents.ask(cluster, arguments.operator_namespace, arguments.agent_port)
    return nodes.rows(body, listed, asked), [asked.note] if asked.note else []


def printed(value: Any, output: str | None) -> bool:
    """Whether it was asked for in a form for programs, and printed."""
    if output == "json":
        print(json.dumps(value, indent=2, ensure_ascii=False))
    elif output == "yaml":
        from localregistry.render import dump

        print(dump(value), end="")
    return output is not None
