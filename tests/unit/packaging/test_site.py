"""What is looked for in the built site, and that every page has its place in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from documented import blocks

PAGE = '<h1 id="here">x</h1><a href="{link}">y</a>{more}'


@pytest.fixture(scope="module")
def site(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("docs/site.py")


@pytest.mark.parametrize(
    "link",
    [
        "#here",
        "other.html#here",
        "other.html",
        "./a%20b.txt",
        "https://example.com/x",
        "mailto:a@b",
    ],
)
def test_a_link_that_leads_somewhere_and_one_to_elsewhere_are_no_fault(
    site: ModuleType, tmp_path: Path, link: str
) -> None:
    (tmp_path / "index.html").write_text(PAGE.format(link=link, more=""))
    (tmp_path / "other.html").write_text(PAGE.format(link="", more=""))
    (tmp_path / "a b.txt").touch()
    assert site.faults(tmp_path) == []


@pytest.mark.parametrize("link", ["#there", "other.html#there", "no.html", "folder/other.html"])
def test_a_link_that_leads_nowhere_is_named(site: ModuleType, tmp_path: Path, link: str) -> None:
    (tmp_path / "index.html").write_text(PAGE.format(link=link, more=""))
    (tmp_path / "other.html").write_text(PAGE.format(link="", more=""))
    assert site.faults(tmp_path) == [f"index.html leads to {link}, which is not there"]


@pytest.mark.parametrize(
    "more",
    [
        '<script src="https://cdn.example.com/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.com/css">',
        '<img src="https://example.com/badge.svg">',
    ],
)
def test_what_a_browser_would_ask_of_elsewhere_is_named(
    site: ModuleType, tmp_path: Path, more: str
) -> None:
    (tmp_path / "index.html").write_text(PAGE.format(link="", more=more))
    [fault] = site.faults(tmp_path)
    assert "index.html loads" in fault


def test_what_a_style_would_ask_of_elsewhere_is_named(site: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("@font-face {src: url(https://example.com/x.woff2)}")
    [fault] = site.faults(tmp_path)
    assert "x.css loads" in fault


def test_every_page_is_in_the_map_of_the_documentation(root: Path) -> None:
    text = (root / "docs/README.md").read_text()
    for path in blocks.pages(root):
        name = (
            path.relative_to(root / "docs").as_posix() if path.is_relative_to(root / "docs") else ""
        )
        if name and name != "README.md" and not name.startswith("adr/0"):
            assert f"({name})" in text, name
