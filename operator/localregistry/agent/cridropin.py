"""One drop-in of registries.conf.d: where containers/image, CRI-O's library, sends the pulls of one
name. Pure."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from localregistry.agent import header
from localregistry.trust import TrustedRegistry

# The last file of a prefix wins as a whole; the administrator's may come after ours (95-…).
_BEFORE, _AFTER = "50-localregistry-", ".conf"

# A file's name ends at 255 bytes, a host's may have 253.
_MAX_NAME = 200


def file_name(name: str) -> str:
    """A name of its own for each `host[:port]`; `_` stands in no host."""
    plain = name.replace(":", "_")
    if len(plain) > _MAX_NAME:
        plain = f"{plain[:_MAX_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"{_BEFORE}{plain}{_AFTER}"


def render(registry: TrustedRegistry, name: str) -> bytes:
    """The whole file. Raises ValueError where it does not read back as what is meant: a broken
    drop-in breaks the pulls of every registry.

    The port is always named, so that https is asked of a port that answers, and at once refuses.
    """
    location = registry.endpoint(name).removeprefix("http://")
    _, colon, port = location.rpartition(":")
    if not (colon and port.isdigit()):
        location += ":80"
    meant = {"prefix": name, "location": location, "insecure": True}
    lines = [header.line(owner=registry.owner, uid=registry.uid), "[[registry]]"]
    # What JSON writes for such a string or boolean is TOML too.
    lines += [f"{key} = {json.dumps(value)}" for key, value in meant.items()]
    text = "\n".join(lines) + "\n"
    if tomllib.loads(text) != {"registry": [meant]}:
        raise ValueError(f"{name!r} cannot be written as a drop-in")
    return text.encode()


def prefixes(content: bytes) -> frozenset[str]:
    """The names that a registries.conf or a drop-in has an entry for, in either format. Raises
    ValueError where CRI-O could not read it."""
    body = tomllib.loads(content.decode())
    tables = body.get("registry", [])
    old = body.get("registries", {})
    if not isinstance(tables, list) or not isinstance(old, dict):
        raise ValueError("it is not of the form that registries.conf has")
    found = {str(t.get("prefix") or t.get("location") or "") for t in tables if isinstance(t, dict)}
    if "" in found:
        raise ValueError("it has an entry with neither prefix nor location")
    for key in ("insecure", "block"):
        found |= set(map(str, _list(old.get(key))))
    return frozenset(found)


def _list(table: Any) -> list[Any]:
    names = table.get("registries", []) if isinstance(table, Mapping) else []
    return names if isinstance(names, list) else []
