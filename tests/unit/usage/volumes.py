"""A registry's volume as the engine lays it out, for the tests of what reads it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PUSHED = 1_767_323_960
# Below the registry's folder.
REPOSITORIES = Path("docker/registry/v2/repositories")


def blob(root: Path, content: bytes) -> str:
    """Puts a blob there; its digest."""
    value = hashlib.sha256(content).hexdigest()
    folder = root / "docker/registry/v2/blobs/sha256" / value[:2] / value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").write_bytes(content)
    return f"sha256:{value}"


def manifest(root: Path, body: Any) -> str:
    return blob(root, json.dumps(body).encode())


def layer(index: int, size: Any) -> dict[str, Any]:
    return {"digest": f"sha256:{index:064x}", "size": size}


def image(root: Path, *sizes: Any, first: int = 1) -> str:
    """An image of layers of these sizes and a config of 100 bytes; its layers' digests count up
    from `first`."""
    layers = [layer(first + index, size) for index, size in enumerate(sizes)]
    return manifest(root, {"config": layer(0, 100), "layers": layers})


def index(root: Path, *children: tuple[str, str]) -> str:
    """An index of digests and platforms as in `linux/arm64`."""
    entries = [
        {"digest": digest, "platform": dict(zip(("os", "architecture"), name.split("/")))}  # noqa: B905
        for digest, name in children
    ]
    return manifest(root, {"manifests": entries})


def link(repository: str, name: str) -> Path:
    """Below the registry's folder: the file of a tag, whose time is that of its push."""
    return REPOSITORIES / repository / "_manifests/tags" / name / "current/link"


def tag(root: Path, repository: str, name: str, digest: str, *, at: int = PUSHED) -> None:
    file = root / link(repository, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(digest)
    os.utime(file, (at, at))


def many(root: Path, repositories: int, tags: int, digests: Sequence[str]) -> None:
    """`repositories` times `tags` tags, each pushed a second after the one before."""
    for number in range(repositories * tags):
        repository = f"team-{number // tags:03}/app"
        digest = digests[number % len(digests)]
        tag(root, repository, f"v{number % tags:03}", digest, at=PUSHED + number)
