"""How a command is read: rich tables on a terminal, plain lines in a pipe or a file.

What comes from the cluster is written by others: it is shown as text, and never as what steers the
terminal or as rich's own markup.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from localregistry.commands.problems import Problem

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# C0, DEL, C1, and the marks that turn the direction of a line round.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# By the word in a cell, whatever the column is.
_STYLES = {
    **dict.fromkeys(("True", "Configured", "ok"), "green"),
    **dict.fromkeys(("False", "error"), "bold red"),
    **dict.fromkeys(("Unknown", "Pending", "warning"), "yellow"),
    **dict.fromkeys(("-", "note"), "dim"),
}


@dataclass
class Table:
    """Rows of text. The last column takes what room there is; `empty` stands where no row is."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    title: str = ""
    empty: str = ""


Part = Table | str


def clean(text: object) -> str:
    """One line that steers nothing."""
    return _STEERING.sub(" ", str(text))


def plain(parts: Sequence[Part]) -> str:
    """Columns as kubectl has them, nothing wrapped: for grep and awk."""
    return "\n".join(_plain_table(p) if isinstance(p, Table) else clean(p) for p in parts) + "\n"


def _plain_table(table: Table) -> str:
    title = [f"{table.title}:"] if table.title else []
    if not table.rows:
        return "\n".join([*title, f"  {clean(table.empty)}" if title else clean(table.empty)])
    rows = [[name.upper() for name in table.columns], *table.rows]
    cells = [[clean(cell) or "-" for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(table.columns))]
    indent = "  " if table.title else ""
    lines = [
        indent + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([*title, *(line.rstrip() for line in lines)])


def rendered(parts: Sequence[Part]) -> RenderableType:
    """The same for rich."""
    rich = _rich()
    group: RenderableType = rich.Group(
        *(_rich_table(rich, p) if isinstance(p, Table) else _text(p) for p in parts)
    )
    return group


def _rich_table(rich: Any, table: Table) -> RenderableType:
    if not table.rows:
        shown: RenderableType = rich.Group(
            *([_text(table.title, "bold")] if table.title else []), _text(f"  {table.empty}", "dim")
        )
        return shown
    made = rich.Table(
        title=_text(table.title, "bold") if table.title else None,
        title_justify="left",
        box=rich.SIMPLE_HEAD,
        pad_edge=False,
        header_style="dim",
        expand=False,
    )
    last = len(table.columns) - 1
    for at, name in enumerate(table.columns):
        made.add_column(name.upper(), overflow="fold", no_wrap=False, ratio=1 if at == last else 0)
    for row in table.rows:
        made.add_row(*(_text(cell or "-", _STYLES.get(str(cell), "")) for cell in row))
    whole: RenderableType = made
    return whole


def _text(text: object, style: str = "") -> Any:
    from rich.text import Text

    return Text(clean(text), style=style)


def _rich() -> Any:
    """What is needed of rich, under one name. Raises Problem where it is not installed."""
    try:
        from types import SimpleNamespace

        from rich.box import SIMPLE_HEAD
        from rich.console import Console, Group
        from rich.live import Live
        from rich.table import Table as RichTable
    except ImportError as error:
        raise Problem(
            "Tables on a terminal need the library rich, which is not installed.",
            "pip install 'localregistry-operator[cli]', or let the output go through `| cat`.",
        ) from error
    return SimpleNamespace(
        SIMPLE_HEAD=SIMPLE_HEAD, Console=Console, Group=Group, Table=RichTable, Live=Live
    )


def console(stream: TextIO) -> Console:
    made: Console = _rich().Console(file=stream, highlight=False)
    return made


def live(stream: TextIO) -> Any:
    """A place of the terminal that is drawn anew at each `update`, and is cleared at the end."""
    return _rich().Live(console=console(stream), auto_refresh=False, transient=True)


def show(parts: Sequence[Part], stream: TextIO | None = None) -> None:
    """Prints, in the way that the stream is read."""
    out = stream or sys.stdout
    if out.isatty():
        console(out).print(rendered(parts))
    else:
        print(plain(parts), end="", file=out)
