"""The page's three files: nothing from elsewhere, nothing as markup, and usable without a mouse."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from localregistry.usage.page import FILES, FOLDER

pytestmark = pytest.mark.ux

ROOT = Path(__file__).resolve().parents[3]
SITE = Path(FOLDER)
HTML = (SITE / "index.html").read_text(encoding="utf-8")
CSS = (SITE / "page.css").read_text(encoding="utf-8")
SCRIPT = (SITE / "page.js").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every element with its attributes; `labelled` are the ones inside a label."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.labelled: list[str | None] = []
        self._label = False
        self.feed(HTML)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found.append((tag, given))
        self._label = self._label or tag == "label"
        if self._label and tag in ("input", "select"):
            self.labelled.append(given.get("id"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._label = False


ELEMENTS = Elements()
IDS = [given["id"] for _, given in ELEMENTS.found if "id" in given]


def test_every_file_is_served_and_every_file_is_in_the_package() -> None:
    assert {name for name, _ in FILES.values()} == {file.name for file in SITE.iterdir()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "site/*" in project["tool"]["setuptools"]["package-data"]["localregistry.usage"]


@pytest.mark.parametrize("text", [HTML, CSS, SCRIPT], ids=["HTML", "CSS", "script"])
def test_nothing_is_fetched_from_elsewhere(text: str) -> None:
    assert not re.findall(r"(?:https?:)?//[a-z0-9]+\.|@import|url\(", text)


def test_what_the_page_loads_lies_beside_it() -> None:
    loaded = [given.get("src") or given.get("href") for _, given in ELEMENTS.found]
    paths = {path for path in loaded if path and not path.startswith("#")}
    assert paths == {path[1:] for path in FILES if path != "/"}, "also below a proxy's path"


def test_nothing_is_inline_since_the_policy_would_refuse_it() -> None:
    for tag, given in ELEMENTS.found:
        assert not [name for name in given if name.startswith("on") or name == "style"]
        assert tag != "style"
    assert not re.findall(r"<script[^>]*>[^<]", HTML)


@pytest.mark.parametrize(
    "way",
    [
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "srcdoc"),
        *("eval(", "Function(", "setHTML", "createContextualFragment", "localStorage", ".cookie"),
        *("XMLHttpRequest", "WebSocket", "sendBeacon", "EventSource", "import(", "postMessage"),
    ],
)
def test_text_becomes_no_markup_and_nobody_else_is_told(way: str) -> None:
    assert way not in SCRIPT


def test_it_reads_two_paths_of_its_own_server() -> None:
    assert SCRIPT.count("fetch(") == 1
    assert set(re.findall(r'await ask\("(\w+)"', SCRIPT)) == {"tags", "image"}


def test_whatever_the_script_names_is_there_once() -> None:
    assert len(IDS) == len(set(IDS))
    assert set(re.findall(r'\bat\("([\w-]+)"\)', SCRIPT)) <= set(IDS)


def test_whoever_hears_the_page_is_told_what_each_part_is() -> None:
    html = dict(ELEMENTS.found)["html"]
    assert html["lang"] == "en"
    for _, given in ELEMENTS.found:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set((given.get(name) or "").split()) <= set(IDS)
    fields = [given["id"] for tag, given in ELEMENTS.found if tag in ("input", "select")]
    assert ELEMENTS.labelled == fields
    roles = {given.get("role") for _, given in ELEMENTS.found}
    assert {"alert", "status", "search"} <= roles
    heads = [given for tag, given in ELEMENTS.found if tag == "th"]
    assert {given.get("scope") for given in heads} == {"col"}


def _contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(scheme: str) -> None:
    light, dark = re.findall(r":root \{([^}]*)\}", CSS)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", light if scheme == "light" else dark))
    for text in ("text", "quiet", "accent"):
        for back in ("back", "raised"):
            assert _contrast(colours[text], colours[back]) >= 4.5, f"{text} on {back}"
    assert _contrast(colours["text"], colours["warn-back"]) >= 4.5
