"""The chart's table of values, from the comments of values.yaml that begin with `# --`.

The comments are helm-docs' own form. A page keeps what is written by hand; the table stands between
two marks in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
MARK = "# -- "


class Unmarked(Exception):
    """A page has no place for the table; the message says which mark is missing."""


def rows(values_yaml: str) -> Iterator[tuple[str, str, str]]:
    """`(a.b, default as JSON, description)` of each value that has a `# --` comment, in order."""
    lines = values_yaml.splitlines()
    root = yaml.compose(values_yaml)
    defaults = yaml.safe_load(values_yaml)
    if not isinstance(root, yaml.MappingNode):
        return
    yield from _below(root, defaults, "", lines)


def _below(
    node: yaml.MappingNode, defaults: Any, path: str, lines: list[str]
) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        name = f"{path}{key.value}"
        default = defaults[key.value]
        words = comment(lines, key.start_mark.line)
        if words:
            yield name, json.dumps(default, ensure_ascii=False), words
        # What has a comment of its own is one value, however deep.
        elif isinstance(value, yaml.MappingNode):
            yield from _below(value, default, f"{name}.", lines)


def comment(lines: list[str], line: int) -> str:
    """The `# --` comment that ends just above a line, as one text; "" where there is none."""
    found: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if not text.startswith("#"):
            break
        if text.startswith(MARK):
            return " ".join([text.removeprefix(MARK), *found])
        found.insert(0, text.removeprefix("#").strip())
    return ""


def table(values_yaml: str) -> str:
    """Markdown, a row for each value."""
    lines = ["| value | default | |", "| --- | --- | --- |"]
    for name, default, words in rows(values_yaml):
        cells = (f"`{name}`", f"`{default}`", words)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def with_table(page: str, values_yaml: str) -> str:
    """The page with the table between its marks and everything else as it was."""
    for mark in (BEGIN, END):
        if page.count(mark) != 1:
            raise Unmarked(f"a page with the chart's values must hold {mark} once")
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n{table(values_yaml)}\n{END}", page)
