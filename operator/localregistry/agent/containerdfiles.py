"""containerd's config.toml and what it imports, merged as the daemon does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from localregistry.agent.paths import HostRoot

# containerd follows imports of imports; a circle must end.
MAX_FILES = 100

# The CRI plugin's names in files of version 1, 2 and 3.
_PLUGINS = ("cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")


@dataclass(frozen=True)
class Effective:
    """The `registry` table, and whether a pull is a local one from 2.1 on."""

    registry: Mapping[str, Any]
    local_pull: bool


def effective(host: HostRoot, path: str, *, merged: bool) -> Effective:
    """`merged`: a later file's keys win one by one (2.x); before, its plugin table replaces the
    whole. Raises ValueError with the file that cannot be read."""
    registry: dict[str, Any] = {}
    plugin: dict[str, Any] = {}
    for table in _plugin_tables(host, path):
        if not merged:
            registry, plugin = {}, {}
        registry.update(_table(table.get("registry")))
        plugin.update(_table(table.get("containerd")))  # where version 2 has some of the keys
        plugin.update(table)
    return Effective(registry, _local_pull(plugin, registry))


def _local_pull(plugin: Mapping[str, Any], registry: Mapping[str, Any]) -> bool:
    return bool(
        plugin.get("use_local_image_pull")
        or plugin.get("discard_unpacked_layers")
        or plugin.get("disable_snapshot_annotations") is False
        or plugin.get("image_pull_with_sync_fs")
        or plugin.get("max_concurrent_downloads", 3) != 3
        or any(registry.get(key) for key in ("mirrors", "configs", "auths"))
    )


def _plugin_tables(host: HostRoot, path: str) -> Iterator[Mapping[str, Any]]:
    pending, seen = [path], set[str]()
    while pending and len(seen) < MAX_FILES:
        current = pending.pop(0)
        if current in seen:
            continue
        seen.add(current)
        try:
            body = tomllib.loads(host.resolve(current).read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ValueError(f"{current}: {error}") from error
        plugins = _table(body.get("plugins"))
        yield from (_table(plugins[name]) for name in _PLUGINS if name in plugins)
        for pattern in body.get("imports", ()):
            pending += _matches(host, current, str(pattern))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _matches(host: HostRoot, importer: str, pattern: str) -> list[str]:
    whole = PurePosixPath(importer).parent / pattern
    return [
        str(whole.parent / name)
        for name in host.children(str(whole.parent))
        if fnmatch(name, whole.name)
    ]
