"""The page of a registry: three files, and what they ask for.

    GET /tags?search=WORD&order=name|pushed&start=N     one screen of the tags, and the counts
    GET /image?repository=NAME&tag=TAG                  what one image is made of

It reads the volume and nothing else: no secret is there, nothing is written and nobody is asked.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence, Set
from typing import Any

from localregistry.usage import web
from localregistry.usage.images import Images, Summary, Unknown, is_digest
from localregistry.usage.tags import Busy, Tag, Tags
from localregistry.usage.told import Nodes
from localregistry.usage.web import Request, Response

FORMAT = 1
# Rows of one screen: a manifest is read for each.
SCREEN = 50
# For the manifests of one screen, of which a usual one takes a ten-thousandth. Rows that come too
# late have no size, and have one at the next look: what was read is kept.
MANIFEST_SECONDS = 1.0
# Of the year 9999: a restored volume may have any time, and a browser knows not all of them.
LAST_SECOND = 253_402_300_799
# The operator's own image, whose pull proves each node: nobody's to look at. A test compares.
HIDDEN = "localregistry-probe"
FOLDER = os.path.join(os.path.dirname(__file__), "site")  # noqa: PTH118, PTH120 - pathlib is 1 MiB
FILES = {
    "/": ("index.html", web.HTML),
    "/page.css": ("page.css", web.CSS),
    "/page.js": ("page.js", web.SCRIPT),
    "/icon.svg": ("icon.svg", web.ICON),
}
# What the engine takes. Another folder of the volume is no image, and what people copy into a
# terminal holds nothing but these.
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


class Page:
    """`nodes` are those that the operator told of last."""

    def __init__(self, tags: Tags, images: Images, nodes: Callable[[], Nodes | None]) -> None:
        self._tags = tags
        self._images = images
        self._nodes = nodes

    def respond(self, request: Request) -> Response:
        """Never raises, whatever is on the volume."""
        if file := _ANSWERS.get(request.path):
            return file
        ask = {"/tags": self._screen, "/image": self._image}.get(request.path)
        if ask is None:
            return web.text(404, "there is nothing here: the registry's API is at /v2/")
        try:
            body = json.dumps(ask(request), separators=(",", ":"))
            return Response(200, web.JSON, body.encode())
        except ValueError as error:
            return web.text(400, str(error))
        except Unknown as error:
            return web.text(404, str(error))
        except Busy as error:
            return web.text(503, str(error))
        except OSError as error:
            return web.text(503, f"the volume cannot be read: {error.strerror}")

    def _screen(self, request: Request) -> dict[str, Any]:
        found = self._tags.listing()
        tags = shown(found.tags)
        matching = select(tags, request.query.get("search", ""), request.query.get("order", "name"))
        start = _start(request.query.get("start", "0"), len(matching))
        nodes = self._nodes()
        return {
            "format": FORMAT,
            "complete": found.complete,
            "repositories": len({tag[0] for tag in tags}),
            "total": len(tags),
            "matching": len(matching),
            "start": start,
            "screen": SCREEN,
            "nodes": nodes._asdict() if nodes else None,
            "tags": self._rows(matching[start : start + SCREEN]),
        }

    def _rows(self, tags: Sequence[Tag]) -> list[dict[str, Any]]:
        until = time.monotonic() + MANIFEST_SECONDS
        return [self._row(tag, late=time.monotonic() >= until) for tag in tags]

    def _row(self, tag: Tag, *, late: bool) -> dict[str, Any]:
        repository, name, digest, pushed = tag
        summary: Summary | None = None
        # One manifest that cannot be read hides no other.
        with contextlib.suppress(Unknown, OSError):
            summary = None if late else self._images.summary(digest)
        when = min(max(pushed, 0), LAST_SECOND)
        row = {"repository": repository, "tag": name, "pushed": when}
        if is_digest(digest):  # it is copied into terminals too
            row["digest"] = digest
        if summary is None:
            return row
        sizes = {"size": summary.size, "layers": summary.layers, "platforms": summary.platforms}
        return row | sizes

    def _image(self, request: Request) -> dict[str, Any]:
        asked = (request.query.get("repository"), request.query.get("tag"))
        for repository, tag, digest, _ in shown(self._tags.listing().tags):
            if (repository, tag) == asked:
                image = self._images.image(digest)
                return {
                    "format": FORMAT,
                    "digest": digest,
                    "complete": image.complete,
                    "platforms": [
                        {"name": one.name, "digest": one.digest, "layers": one.layers}
                        for one in image.platforms
                    ],
                }
        raise Unknown("there is no such tag any more")


def shown(tags: Sequence[Tag]) -> list[Tag]:
    """Without what is no image's name, and without the operator's own."""
    names = {tag[0] for tag in tags}
    good = {name for name in names if name != HIDDEN and _is_repository(name)}
    return [tag for tag in tags if tag[0] in good and _TAG.fullmatch(tag[1])]


def select(tags: Sequence[Tag], search: str, order: str) -> list[Tag]:
    """Those whose `repository:tag` or digest holds every word. Raises ValueError."""
    if order not in ("name", "pushed"):
        raise ValueError("order is name or pushed")
    words = set(search[:256].lower().split())
    found = [tag for tag in tags if _holds(f"{tag[0]}:{tag[1]} {tag[2]}".lower(), words)]
    if order == "pushed":
        found.sort(key=lambda tag: -tag[3])
    return found


def _holds(text: str, words: Set[str]) -> bool:
    return all(word in text for word in words)


def _start(text: str, length: int) -> int:
    """A multiple of SCREEN within the list. Raises ValueError."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ValueError("start is a number")
    last = max(0, length - 1)
    return min(int(text), last) // SCREEN * SCREEN


def _is_repository(name: str) -> bool:
    return len(name) <= 255 and all(map(_REPOSITORY.fullmatch, name.split("/")))


def _file(name: str, kind: str) -> Response:
    with open(f"{FOLDER}/{name}", "rb") as file:  # noqa: PTH123
        body = file.read()
    return Response(200, kind, body, f'"{binascii.crc32(body):08x}-{len(body)}"')


# Read as the module is: an image that lacks one of them cannot be built.
_ANSWERS = {path: _file(*which) for path, which in FILES.items()}
