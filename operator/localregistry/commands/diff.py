"""`localregistry diff`: what the operator would change of a LocalRegistry's children."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterable, Sequence

from localregistry.commands import options, paths, registries
from localregistry.commands.changes import Change, changes
from localregistry.commands.cluster import Body, Cluster
from localregistry.commands.problems import Exit, Problem
from localregistry.commands.screen import clean
from localregistry.commands.survey import OPERATOR
from localregistry.render import NO_UID, BadInput, read
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import KIND
from localregistry.spec.registry import InvalidSpec, LocalRegistry

EXAMPLES = """\
{} diff dev -n registries        # what was changed by hand, or would change with this version
{} diff dev.yaml                 # what applying this file would lead to
kubectl get lreg dev -o yaml | sed s/20Gi/50Gi/ | {} diff -"""

_COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "show what the operator would change, by the API server's dry run"
    parser = options.add(commands, "diff", text, EXAMPLES)
    parser.add_argument(
        "target",
        metavar="NAME|FILE",
        help="one in the cluster, or a file: with a slash, .yaml, .yml or .json, - for stdin",
    )
    options.choose_namespace(parser)
    options.choose_cluster(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    code = Exit.WELL
    with options.cluster(arguments) as cluster:
        config = configured(cluster, arguments.operator_namespace)
        for registry in wanted(cluster, arguments):
            found = list(changes(cluster, registry, config))
            lines = list(described(registry, found))
            if any(change.lines for change in found):
                code = Exit.NOT
            _print(lines)
    return code


def wanted(cluster: Cluster, arguments: argparse.Namespace) -> list[LocalRegistry]:
    """Raises Problem."""
    namespace, target = arguments.namespace or cluster.namespace, arguments.target
    try:
        if not is_file(target):
            return [LocalRegistry.from_body(registries.one(cluster, namespace, target))]
        found = [_known(cluster, body) for body in read(target, namespace)]
    except (BadInput, InvalidSpec) as error:
        raise Problem(
            f"{str(error).rstrip('.')}.", "See docs/reference/api.md for each field."
        ) from None
    if not found:
        raise Problem(f"There is no {KIND} in {target}.", "Name a file that has one.")
    return found


def is_file(target: str) -> bool:
    """A LocalRegistry's name holds no slash; one that ends like a file is still given by -n and a
    file of it."""
    return target == "-" or "/" in target or target.endswith((".yaml", ".yml", ".json"))


def configured(cluster: Cluster, namespace: str) -> OperatorConfig:
    """The images that the operator was told, by its Deployment's environment.

    Raises Problem: with any others the answer would be wrong.
    """
    where = paths.of("Deployment", namespace)
    try:
        found = cluster.items(where, labelSelector=OPERATOR) or []
    except Problem as problem:
        step = f"The right is `list` on `deployments` in {namespace}. {problem.step}"
        raise Problem(f"The operator's images are not known. {problem.sentence}", step) from None
    if not found:
        raise Problem(
            f"There is no operator in {namespace}, so nothing would change.",
            "Name its namespace by --operator-namespace; without a cluster: localregistry render.",
        )
    return config_of(found[0])


def config_of(deployment: Body) -> OperatorConfig:
    """What it does not name is this version's default."""
    [container, *_] = deployment["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in container.get("env") or ()}
    default = OperatorConfig()
    return OperatorConfig(
        namespace=deployment["metadata"]["namespace"],
        registry_image=told.get("REGISTRY_IMAGE") or default.registry_image,
        agent_image=told.get("AGENT_IMAGE") or default.agent_image,
        image_pull_policy=told.get("AGENT_PULL_POLICY") or default.image_pull_policy,
    )


def described(registry: LocalRegistry, found: Sequence[Change]) -> Iterable[str]:
    """The diffs as text, with comments before them that `patch` skips."""
    about = f"{registry.namespace}/{registry.name}"
    if registry.uid == NO_UID:
        yield f"# {about} is not in the cluster: ownerReferences and http.secret will differ"
    if registry.spec.suspend:
        yield f"# {about} is suspended: nothing changes before spec.suspend is false"
    for change in found:
        if change.note:
            yield f"# {change.kind} {change.name}: {change.note}"
        else:
            yield f"# {change.kind} {registry.namespace}/{change.name}"
            yield from change.lines


def _known(cluster: Cluster, registry: LocalRegistry) -> LocalRegistry:
    """With the UID and the status of the one that the cluster has under this name."""
    live = cluster.get(paths.of(KIND, registry.namespace, registry.name))
    if live is None:
        return registry
    there = LocalRegistry.from_body(live)
    return dataclasses.replace(there, spec=registry.spec)


def _print(lines: Iterable[str]) -> None:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for line in lines:
        shown = clean(line)
        colour = _COLOURS.get(shown[:1]) if coloured else None
        print(f"{colour}{shown}\x1b[0m" if colour else shown)
