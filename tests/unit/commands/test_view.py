"""What `status` shows, whole, on a terminal of 100 columns and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from localregistry.commands import document, nodes, screen, view
from localregistry.commands.catalogue import Catalogue
from localregistry.commands.screen import Part
from unit.commands.examples import CATALOGUE, NODES, NOW, registry
from unit.golden import assert_golden

pytestmark = pytest.mark.ux


def on_terminal(parts: list[Part]) -> str:
    """As rich draws it; without the blanks that it puts to the end of lines."""
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(screen.rendered(parts))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def failing_node() -> list[Part]:
    body = registry()
    whole = document.whole(body, nodes.rows(body, NODES), CATALOGUE)
    return view.details(whole, now=NOW)


def unread_catalogue() -> list[Part]:
    body = registry(status={"conditions": []})
    problem = "You may not do that. The right is `get` on `services/proxy`."
    note = "Nodes were not listed: You may not do that."
    whole = document.whole(body, [], Catalogue(problem=problem), [note])
    return view.details(whole, now=NOW)


def several() -> list[Part]:
    other = registry({"host": "other.example.internal"}, name="other", status={"conditions": []})
    documents = [document.summary(one) for one in (registry(), other)]
    return view.overview(documents, now=NOW, everywhere=True)


PICTURES: dict[str, Callable[[], list[Part]]] = {
    "a-failing-node": failing_node,
    "what-cannot-be-read": unread_catalogue,
    "several": several,
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("how", ["terminal", "pipe"])
def test_the_status_is_shown_whole(request: pytest.FixtureRequest, name: str, how: str) -> None:
    parts = PICTURES[name]()
    text = on_terminal(parts) if how == "terminal" else screen.plain(parts)
    assert_golden(request, f"commands/status-{name}-{how}.txt", text)


def test_no_line_on_a_terminal_is_wider_than_it() -> None:
    for make in PICTURES.values():
        assert max(map(len, on_terminal(make()).splitlines())) <= 100


@pytest.mark.parametrize(
    ("timestamp", "words"),
    {
        "2026-01-02T04:59:20Z": "40s",
        "2026-01-02T04:48:00Z": "12m",
        "2026-01-02T00:00:00Z": "5h",
        "2025-12-24T05:00:00Z": "9d",
        "2026-01-02T05:00:30Z": "0s",
        "": "",
        "yesterday": "",
    }.items(),
)
def test_ages_are_in_one_unit(timestamp: str, words: str) -> None:
    assert view.ago(timestamp, NOW) == words


@pytest.mark.parametrize(
    "steering", ["\x1b[31mred", "\x07bell", "\u202eback", "two\nlines", "\x9b2J"]
)
def test_words_of_the_cluster_do_not_steer_the_terminal(steering: str) -> None:
    parts: list[Part] = [screen.Table(["message"], [[steering]]), steering]
    for text in (screen.plain(parts), on_terminal(parts)):
        assert not set(text) & set("\x1b\x07\u202e\x9b")
        assert text.count("\n") <= 6


def test_brackets_of_the_cluster_are_no_markup() -> None:
    assert "[plugins.x] [bold]" in on_terminal([screen.Table(["m"], [["[plugins.x] [bold]"]])])
