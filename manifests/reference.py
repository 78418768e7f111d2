"""The pages of the reference that are made: every field, every reason, the command line.

Fields come from the CRD, reasons from the comments beside them, commands from their own parsers.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MADE = "<!-- Made by manifests/generate.py: `make manifests` writes it anew. -->\n"
FOLDER = Path("docs/reference")
REASONS = re.compile(r'^    [A-Z_]+ = "(\w+)"  # (.*)$')
SECTION = re.compile(r"^    # (.*)$")

Schema = dict[str, Any]


class Unreadable(Exception):
    """A source is not as it is expected; the message says which."""


def files(root: Path) -> dict[Path, str]:
    """Path and text of each page."""
    folder = root / FOLDER
    crd = yaml.safe_load((root / "crds/localregistries.yaml").read_text())
    package = root / "operator/localregistry"
    return {
        folder / "fields.md": fields(crd),
        folder / "reasons.md": reasons(
            (package / "spec/reasons.py").read_text(), (package / "trust.py").read_text()
        ),
        folder / "options.md": commands(root),
    }


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Markdown; a cell's own bars are escaped."""
    lines = []
    for row in (head, tuple("---" for _ in head), *rows):
        cells = [" ".join(cell.split()).replace("|", "\\|") for cell in row]
        lines.append("|" + "".join(f" {cell} |" if cell else " |" for cell in cells))
    return "\n".join(lines) + "\n"


def fields(crd: Schema) -> str:
    [version] = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    page = [
        f"# Every field\n\n{MADE}\n"
        "What the API server knows of a LocalRegistry, as `kubectl explain` tells it. What\n"
        "belongs together, and why, is on [the API page](api.md). `[]`: each item of a list.\n"
    ]
    for part, title in (("spec", "Spec"), ("status", "Status")):
        rows = _below(schema[part], part)
        page.append(f"## {title}\n\n" + table(("field", "type", "default", ""), rows))
    return "\n".join(page)


def _below(schema: Schema, path: str) -> Iterator[tuple[str, ...]]:
    for name, child in schema.get("properties", {}).items():
        field = f"{path}.{name}"
        items = child.get("items", {})
        default = json.dumps(child["default"]) if "default" in child else ""
        yield (
            f"`{field}`",
            _type(child),
            f"`{default}`" if default else "",
            _words(child, required=name in schema.get("required", ())),
        )
        yield from _below(child, field)
        yield from _below(items, f"{field}[]")


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" if value else '`""`' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("x-kubernetes-int-or-string"):
        return "number or string"
    return str(schema.get("type", "any"))


def _words(schema: Schema, *, required: bool) -> str:
    """What it is, whether it must be there, and the sentences of the rules that may refuse it."""
    words = schema.get("description", "")
    rules = [*schema.get("x-kubernetes-validations", ())]
    rules += schema.get("items", {}).get("x-kubernetes-validations", ())
    said = "; ".join(rule["message"] for rule in rules if "message" in rule)
    return " ".join(
        part
        for part in ("Required." if required else "", words, said and f"Rules: {said}.")
        if part
    )


def reasons(of_conditions: str, of_nodes: str) -> str:
    """The page, from the sources of the two enumerations."""
    page = [
        f"# Every reason\n\n{MADE}\n"
        "Of conditions and Events, and of single nodes in `status.nodes.failing`. What to do\n"
        "about each is in [troubleshooting](troubleshooting.md).\n"
    ]
    for title, rows in _sections(of_conditions, "Reason"):
        page.append(f"## {title}\n\n" + table(("reason", "when"), iter(rows)))
    for _, rows in _sections(of_nodes, "NodeReason"):
        page.append("## One node\n\n" + table(("reason", "when"), iter(rows)))
    return "\n".join(page)


def _sections(source: str, name: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each group of members below a comment of its own, in order: its title and its rows."""
    _, found, body = source.partition(f"class {name}(StrEnum):\n")
    if not found:
        raise Unreadable(f"no class {name}(StrEnum)")
    title, rows = "", list[tuple[str, str]]()
    for line in body.splitlines():
        if line and not line.startswith(" "):
            break
        if section := SECTION.match(line):
            if rows:
                yield title, rows
            title, rows = section[1], []
        elif member := REASONS.match(line):
            rows.append((f"`{member[1]}`", member[2]))
        elif re.match(r'^    [A-Z_]+ = "', line):
            raise Unreadable(f"{name}: {line.strip()} has no comment that says when it is used")
    yield title, rows


def commands(root: Path) -> str:
    """Asks the package of that tree, in a process of its own."""
    package = root / "operator/localregistry"
    if not package.is_dir():
        # Else it would be another one, of an editable installation.
        raise Unreadable(f"{package} does not exist")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("commandline.py"))],
        # Defaults that come from the environment would be those of this machine.
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root / "operator")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise Unreadable(f"the command line cannot be read: {done.stderr.strip()}")
    page = [
        f"# Options of the command line\n\n{MADE}\n"
        "`localregistry` is the entry of both images and of the Python package. Where an option\n"
        "names a variable in brackets, the environment may set it instead; the option wins.\n"
    ]
    for command in json.loads(done.stdout):
        page.append(f"## localregistry {command['name']}\n\n{command['description']}\n")
        rows = ((f"`{option['name']}`", option["help"]) for option in command["options"])
        if command["options"]:
            page.append(table(("option", ""), rows))
    return "\n".join(page)
