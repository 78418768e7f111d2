"""What an image holds, layer by layer, from `docker save`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

# Type, mode, owner, group, link's target, content's digest, and the date of what is no folder: the
# legacy builder gives folders that it makes itself the date of the build.
Entry = tuple[str, int, int, int, str, str, float]
Layer = dict[str, Entry]


def entries(layer: tarfile.TarFile) -> Layer:
    found: Layer = {}
    for member in layer.getmembers():
        content = layer.extractfile(member) if member.isfile() else None
        digest = hashlib.sha256(content.read()).hexdigest() if content else ""
        found[member.name] = (
            *(member.type.decode(), member.mode, member.uid, member.gid, member.linkname, digest),
            0.0 if member.isdir() else member.mtime,
        )
    return found


def layers(reference: str) -> list[Layer]:
    """The layers of an image in the engine, the lowest first."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "image.tar"
        subprocess.run(["docker", "save", "-o", str(saved), reference], check=True)
        with tarfile.open(saved) as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            found = []
            for name in manifest[0]["Layers"]:
                with tarfile.open(fileobj=_member(archive, name)) as layer:
                    found.append(entries(layer))
    return found


def differences(first: list[Layer], second: list[Layer]) -> list[str]:
    """A line for each path that is not the same in both."""
    lines = [] if len(first) == len(second) else [f"{len(first)} layers, {len(second)} layers"]
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        for path in sorted(one.keys() | other.keys()):
            if one.get(path) != other.get(path):
                lines.append(f"layer {number}: {path}: {one.get(path)} -> {other.get(path)}")
    return lines


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    assert content is not None, name
    return content
