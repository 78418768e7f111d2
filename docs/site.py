"""Builds the site, and looks at what was built: `python docs/site.py FOLDER`.

Sphinx fails on a page, an anchor or a file that is not there. What it cannot know is looked for in
the pages as they are: a link within the site that leads nowhere, and anything that a browser would
ask of another machine by itself. Links to elsewhere are not asked for, by nobody.
"""

from __future__ import annotations

import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
# What a browser loads without a click.
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
# <link> that says what a page is, and loads nothing.
SAID = {"index", "search", "next", "prev", "canonical"}


class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what is loaded with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        name = LOADED.get(tag)
        if name and found.get(name) and found.get("rel") not in SAID:
            self.loaded.append(found[name])


def faults(folder: Path) -> list[str]:
    """A line for each link that leads nowhere, and each thing that would be asked of elsewhere."""
    pages = {
        path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))
    }
    found = []
    for path, page in pages.items():
        place = path.relative_to(folder)
        found += [f"{place} loads {item}" for item in page.loaded if urlsplit(item).netloc]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else set()
            if not target.is_file() or (parts.fragment and parts.fragment not in anchors):
                found.append(f"{place} leads to {link}, which is not there")
    for style in sorted(folder.rglob("*.css")):
        for address in re.findall(r"url\(['\"]?(https?:|//)", style.read_text(encoding="utf-8")):
            found.append(f"{style.relative_to(folder)} loads from {address}")
    return found


def main(arguments: list[str]) -> int:
    from sphinx.cmd.build import build_main

    folder = Path(arguments[0]).resolve()
    # A page that is no longer made must not stay, or a link to it would be found good.
    shutil.rmtree(folder, ignore_errors=True)
    strict = ("-q", "-n", "-W", "--keep-going")
    code: int = build_main([*strict, "-c", str(ROOT / "docs"), str(ROOT), str(folder)])
    if code:
        return code
    # What a web server shows of a folder.
    shutil.copy(folder / "README.html", folder / "index.html")
    found = faults(folder)
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(list(folder.rglob('*.html')))} pages in {folder}, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
