"""Where containerd looks for hosts.toml, from its effective configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from localregistry.agent.paths import HostRoot
from localregistry.agent.versions import release
from localregistry.trust import NodeReason, NodeResult

DEFAULT_FILE = "/etc/containerd/config.toml"

# The default since 2.2; since 2.2.2 only where no legacy mirrors are set.
DEFAULT_LIST = "/etc/containerd/certs.d:/etc/docker/certs.d"

# By the `version` key of the file: a table of another version is not read.
_TABLES = {
    1: "[plugins.cri.registry]",
    2: '[plugins."io.containerd.grpc.v1.cri".registry]',
    3: "[plugins.'io.containerd.cri.v1.images'.registry]",
}

_LIST_HINT = (
    "containerd {version} may take the list {value!r} in config_path for one directory: name "
    "only {first!r} there ({file}) and restart containerd."
)


@dataclass(frozen=True)
class Registry:
    """The effective `registry` table: config_path as it is written, and legacy keys in use.

    `local_pull`: a setting is there that makes containerd from 2.1 on pull in the way that splits
    a list.
    """

    config_path: str
    legacy: bool
    local_pull: bool = False


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
    """From config.toml and its imports. Raises ValueError (with the file) where one cannot be
    read; no file at all is the default."""
    # Only nodes whose containerd does not tell pay for the TOML parser: 0.4 MiB.
    from localregistry.agent import containerdfiles

    found = containerdfiles.effective(host, path, merged=release(version) >= (2, 0, 0))
    legacy = bool(found.registry.get("mirrors") or found.registry.get("configs"))
    value = found.registry.get("config_path")
    if value is None:
        # 2.2.0 and 2.2.1 have it beside mirrors too, and then do not serve the CRI at all.
        default = release(version) >= (2, 2, 0) and not found.registry.get("mirrors")
        value = DEFAULT_LIST if default else ""
    return Registry(str(value), legacy, found.local_pull)


def table_of(host: HostRoot, path: str, version: str) -> str:
    """The table that holds config_path in a file of this one's version."""
    try:
        text = host.resolve(path).read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.strip():
        number = 3 if release(version) >= (2, 0, 0) else 2
        return f"version = {number} {_TABLES[number]}"
    written = re.search(r"^version\s*=\s*([0-9]+)", text, re.MULTILINE)
    return _TABLES.get(int(written[1]) if written else 1, _TABLES[3])


def directory(registry: Registry, *, version: str, file: str, table: str) -> Directory | NodeResult:
    """The first directory of the list, or the line that an administrator must add."""
    paths = [part for part in registry.config_path.split(":") if part]
    if paths and PurePosixPath(paths[0]).is_absolute():
        doubtful = len(paths) > 1 and release(version) >= (2, 1, 0) and not registry.local_pull
        hint = _LIST_HINT.format(
            version=version, value=registry.config_path, first=paths[0], file=file
        )
        return Directory(paths[0], hint if doubtful else "")
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
