"""`localregistry render`: prints what the operator would apply, by the same functions, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from localregistry.resources.children import CHILDREN
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import GROUP, KIND
from localregistry.spec.registry import InvalidSpec, LocalRegistry

# A resource that the cluster has not seen has no UID yet; names do not depend on it, but the
# ownerReferences, the http.secret and with it the checksum do.
NO_UID = "00000000-0000-0000-0000-000000000000"


class BadInput(Exception):
    """What stands in the file cannot be rendered; the message names the file and the fault."""


def main(argv: list[str]) -> int:
    """Returns 0, or 1 where an input is bad: then nothing is printed but the error."""
    parser = argparse.ArgumentParser(
        prog="localregistry render",
        description="Print what the operator would apply for LocalRegistries, without a cluster.",
    )
    add_options(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """What `main` returns, with these options."""
    config = OperatorConfig()
    if arguments.registry_image:
        config = OperatorConfig(registry_image=arguments.registry_image)
    try:
        registries = [
            registry
            for source in arguments.filename
            for registry in read(source, arguments.namespace)
        ]
        if not registries:
            raise BadInput(f"no {KIND} in {', '.join(arguments.filename)}")
    except BadInput as error:
        print(f"localregistry render: {error}", file=sys.stderr)
        return 1
    for registry in registries:
        print(render(registry, config), end="")
    return 0


def render(registry: LocalRegistry, config: OperatorConfig) -> str:
    """The children as YAML documents, in the order in which they are applied."""
    comment = f"# Of LocalRegistry {registry.namespace}/{registry.name}"
    if registry.uid == NO_UID:
        comment += (
            ", which has no metadata.uid: with it ownerReferences and http.secret will differ"
        )
    children = (child.build(registry, config) for child in CHILDREN)
    documents = [dump(child) for child in children if child is not None]
    return "".join(f"---\n{comment}\n{document}" for document in documents)


def dump(value: Any) -> str:
    """YAML with long texts as blocks, to be read by people."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    # Never an anchor: children share parts, such as their labels.
    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Loader(yaml.SafeLoader):
    """Without timestamps: the API server takes them for text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="a file of YAML documents or JSON, - for standard input; may be given again",
    )
    parser.add_argument(
        "-n", "--namespace", default="default", help="of resources that name none (default)"
    )
    parser.add_argument(
        "--registry-image",
        help=f"of resources that name none ({OperatorConfig().registry_image})",
    )


def read(source: str, namespace: str) -> Iterator[LocalRegistry]:
    """The LocalRegistries of a file, - for standard input. Raises BadInput."""
    for body in _documents(source):
        if not _is_local_registry(body):
            continue
        metadata = body.get("metadata")
        if isinstance(metadata, dict):
            metadata = {"namespace": namespace, "uid": NO_UID} | metadata
        try:
            yield LocalRegistry.from_body(body | {"metadata": metadata})
        except InvalidSpec as error:
            raise BadInput(f"{source}: {error}") from None


def _documents(source: str) -> Iterator[Any]:
    """The documents of a file, and the items of those that are lists of resources."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, Loader=_Loader))
    except OSError as error:
        raise BadInput(f"{source}: {error.strerror}") from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"{source} cannot be read as YAML: {error}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{source} is not YAML: {error}") from None
    for document in documents:
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            yield from document["items"]
        else:
            yield document


def _is_local_registry(body: Any) -> bool:
    """Other resources in the same file are not ours to judge."""
    if not isinstance(body, dict) or body.get("kind") != KIND:
        return False
    return str(body.get("apiVersion", "")).startswith(f"{GROUP}/")
