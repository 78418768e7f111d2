"""Pictures of the command line on a terminal of 100 columns, drawn by its own code."""

from __future__ import annotations

import io

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from localregistry.commands import screen
from localregistry.commands.screen import Part

COLUMNS = 100

# A dark terminal: background, text, and the eight colours, black to white.
THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        *((110, 118, 129), (255, 123, 114), (86, 211, 100), (227, 179, 65)),
        *((121, 192, 255), (210, 168, 255), (118, 227, 234), (230, 237, 243)),
    ],
)

# The fonts of the reader's own machine: a picture that asks another one for a font tells it who
# reads. Each text says how wide it is, so that columns stay columns in any of them.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def drawn(name: str, command: str, parts: list[Part]) -> str:
    """The SVG of what `command` prints; `name` keeps its styles from those of other pictures."""
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
    )
    console.print(screen.rendered(parts))
    text = console.export_svg(title=f"$ {command}", theme=THEME, code_format=SVG, unique_id=name)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
