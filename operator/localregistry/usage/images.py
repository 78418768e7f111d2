"""How large an image is and what it is made of, by the manifests on the volume.

Whoever can push can have written them: all is bounded, and nothing of them becomes a path but a
digest that looks like one. A digest's content never changes, so what was read once is kept.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.usage.blobs import BLOBS
from localregistry.usage.tags import Busy

# One with 1,000 layers has 150 KB; parsed, the worst JSON takes some twenty times its length. Of
# entries that say what they must, no more fit into it.
MAX_MANIFEST = 256 * 1024
MAX_ENTRIES = 4096
MAX_PLATFORMS, MAX_LAYERS = 64, 512
# Three numbers each: about 1 MB.
MAX_KEPT = 4096
# One manifest at a time is in memory; who waits for longer is told to come again.
PATIENCE_SECONDS = 2.0
# Beyond it a browser's numbers are not whole any more.
_MOST = 2**53 - 1
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_PLATFORM = re.compile(r"[\w./-]{1,64}", re.ASCII)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Unknown(Exception):
    """The manifest is not there, too long, or none; the message says which."""


@dataclass(frozen=True)
class Summary:
    """`size` in bytes of all blobs and manifests, each once; `layers` of the largest platform;
    `platforms` is 1 for an image that is no index."""

    size: int
    layers: int
    platforms: int


@dataclass(frozen=True)
class Platform:
    """`name` as in `linux/arm64`, empty where the image is no index; `layers` are digests and bytes
    in their order, the first `MAX_LAYERS`."""

    name: str
    digest: str
    layers: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Image:
    """Not `complete` where something was left out for its length, or has never been pushed;
    `final` where the next look would find the same."""

    summary: Summary
    platforms: tuple[Platform, ...]
    complete: bool
    final: bool


class Images:
    """Reads below `root`, the registry's folder."""

    def __init__(self, root: str) -> None:
        self._blobs = "/".join((root, *BLOBS))
        self._reading = threading.Lock()
        self._kept: OrderedDict[str, Summary] = OrderedDict()

    def summary(self, digest: str) -> Summary:
        """Raises as `image` does."""
        if known := self._kept.get(digest):
            return known
        return self.image(digest).summary

    def image(self, digest: str) -> Image:
        """Raises Unknown, Busy, and OSError where the storage is sick."""
        if not self._reading.acquire(timeout=PATIENCE_SECONDS):
            raise Busy("manifests are being read: ask again")
        try:
            image = self._image(digest)
            if image.final:
                self._kept[digest] = image.summary
                if len(self._kept) > MAX_KEPT:
                    self._kept.popitem(last=False)
            return image
        finally:
            self._reading.release()

    def _image(self, digest: str) -> Image:
        body, own = self._manifest(digest)
        children = _children(body)
        if not children:
            blobs, platform = _parts(body, "", digest)
            size = own + sum(blobs.values())
            return _image(size, (platform,))
        blobs, platforms, final = {}, [], True
        for child, name in children[:MAX_PLATFORMS]:
            try:
                inner, length = self._manifest(child)
            except Unknown:
                final = False  # a platform that was not pushed yet may come
                continue
            found, platform = _parts(inner, name, child)
            blobs |= {**found, child: length}
            if name != "unknown/unknown":  # what build tools attach: no image
                platforms.append(platform)
        whole = final and len(children) <= MAX_PLATFORMS
        size = own + sum(blobs.values())
        return _image(size, tuple(platforms), complete=whole, final=final)

    def _manifest(self, digest: str) -> tuple[dict[str, Any], int]:
        if not is_digest(digest):
            raise Unknown("no digest")
        algorithm, _, value = digest.partition(":")
        try:
            file = os.open(f"{self._blobs}/{algorithm}/{value[:2]}/{value}/data", _FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            raise Unknown("not on the volume") from None
        with os.fdopen(file, "rb") as opened:
            content = opened.read(MAX_MANIFEST + 1)
        if len(content) > MAX_MANIFEST:
            raise Unknown("too long to be read here")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Unknown("no manifest")
        return body, len(content)


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def _image(
    size: int, platforms: tuple[Platform, ...], *, complete: bool = True, final: bool = True
) -> Image:
    most = max((len(platform.layers) for platform in platforms), default=0)
    shown = tuple(Platform(one.name, one.digest, one.layers[:MAX_LAYERS]) for one in platforms)
    summary = Summary(min(size, _MOST), most, len(platforms))
    return Image(summary, shown, complete and most <= MAX_LAYERS, final)


def _children(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Digests and platforms of an index."""
    found = []
    for entry in _objects(body.get("manifests")):
        platform = entry.get("platform")
        parts = platform if isinstance(platform, dict) else {}
        names = [parts.get(part) for part in ("os", "architecture", "variant")]
        name = "/".join(part for part in names if isinstance(part, str) and part)
        found.append((str(entry.get("digest")), name if _PLATFORM.fullmatch(name) else ""))
    return found


def _parts(body: Mapping[str, Any], name: str, digest: str) -> tuple[dict[str, int], Platform]:
    """The sizes of its blobs by digest, and the platform with all its layers."""
    layers = [_blob(entry) for entry in _objects(body.get("layers"))]
    config = [_blob(entry) for entry in _objects([body.get("config")])]
    return dict([*config, *layers]), Platform(name, digest, tuple(layers))


def _blob(entry: Mapping[str, Any]) -> tuple[str, int]:
    size = entry.get("size")
    whole = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MOST
    return str(entry.get("digest"))[:256], size if whole and isinstance(size, int) else 0


def _objects(value: Any) -> list[dict[str, Any]]:
    """Raises Unknown where there are more than any manifest has."""
    if not isinstance(value, list):
        return []
    if len(value) > MAX_ENTRIES:
        raise Unknown("too long to be read here")
    return [one for one in value if isinstance(one, dict)]
