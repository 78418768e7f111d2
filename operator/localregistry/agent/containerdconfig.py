"""Where containerd looks for hosts.toml, from its effective configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from localregistry.agent.paths import HostRoot
from localregistry.agent.versions import release
from localregistry.trust import NodeReason, NodeResult

DEFAULT_FILE = "/etc/containerd/config.toml"

# The default since 2.2; since 2.2.2 only where no legacy mirrors are set.
DEFAULT_LIST = "/etc/containerd/certs.d:/etc/docker/certs.d"

_TABLE_1 = '[plugins."io.containerd.grpc.v1.cri".registry]'
_TABLE_2 = "[plugins.'io.containerd.cri.v1.images'.registry]"

_LIST_HINT = (
    "containerd {version} may take the list {value!r} in config_path for one directory: name "
    "only {first!r} there and restart containerd."
)

# containerd follows imports of imports; a circle must end.
MAX_FILES = 100


@dataclass(frozen=True)
class Registry:
    """The effective `registry` table: config_path as it is written, and legacy keys in use."""

    config_path: str
    legacy: bool


@dataclass(frozen=True)
class Directory:
    """The directory to write below, and what to say if pulls fail all the same."""

    path: str
    hint: str = ""


def from_status(info: Mapping[str, str]) -> Registry | None:
    """From the CRI's verbose status, as containerd 1.x gives it; None where it does not."""
    try:
        registry = json.loads(info["config"])["registry"]
        legacy = bool(registry.get("mirrors") or registry.get("configs"))
        return Registry(str(registry.get("configPath") or ""), legacy)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def from_files(host: HostRoot, path: str, version: str) -> Registry:
    """From config.toml and its imports, merged as containerd 2.x does: a later file wins.

    Raises ValueError (with the file) where one cannot be read; no file at all is the default.
    """
    found: dict[str, Any] = {}
    for table in _registry_tables(host, path):
        found.update(table)
    legacy = bool(found.get("mirrors") or found.get("configs"))
    value = found.get("config_path")
    if value is None:
        default = release(version) >= (2, 2, 0) and not legacy
        value = DEFAULT_LIST if default else ""
    return Registry(str(value), legacy)


def directory(registry: Registry, *, version: str, file: str) -> Directory | NodeResult:
    """The first directory of the list, or the line that an administrator must add."""
    paths = [part for part in registry.config_path.split(":") if part]
    if paths and PurePosixPath(paths[0]).is_absolute():
        listed = len(paths) > 1 and release(version) >= (2, 1, 0)
        hint = _LIST_HINT.format(version=version, value=registry.config_path, first=paths[0])
        return Directory(paths[0], hint if listed else "")
    table = _TABLE_2 if release(version) >= (2, 0, 0) else _TABLE_1
    first = (
        f"{file} has legacy registry.mirrors or registry.configs, which exclude config_path: move "
        "them to hosts.toml files first. Then add"
        if registry.legacy
        else f"containerd {version} reads no registry directory. Add to {file}"
    )
    return NodeResult(
        NodeReason.CONFIG_PATH_MISSING,
        f'{first}: {table} config_path = "/etc/containerd/certs.d" (the table on a line of its '
        "own; where it is there, only the key), and restart containerd on this node.",
    )


def _registry_tables(host: HostRoot, path: str) -> Iterator[Mapping[str, Any]]:
    import tomllib  # only containerd 2.x nodes pay for it

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
        plugins = body.get("plugins", {})
        for plugin in ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"):
            table = plugins.get(plugin, {}).get("registry", {})
            if isinstance(table, dict):
                yield table
        for pattern in body.get("imports", ()):
            pending += _matches(host, current, str(pattern))


def _matches(host: HostRoot, importer: str, pattern: str) -> list[str]:
    whole = PurePosixPath(importer).parent / pattern
    return [
        str(whole.parent / name)
        for name in host.children(str(whole.parent))
        if fnmatch(name, whole.name)
    ]
