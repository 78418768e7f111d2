"""The first line of each file that is wholly ours. Pure."""

from __future__ import annotations

import re

_HEADER = re.compile(rb"# Managed by localregistry for [^\n]* \(uid [^\n]*\); do not edit\.\r?")


def line(*, owner: str, uid: str) -> str:
    """Names the LocalRegistry (namespace/name) and its UID."""
    return f"# Managed by localregistry for {_plain(owner)} (uid {_plain(uid)}); do not edit."


def is_ours(content: bytes) -> bool:
    """By the first line, so that a file is ours even where all memory of it is lost."""
    return _HEADER.fullmatch(content.partition(b"\n")[0]) is not None


def uid_of(content: bytes) -> str:
    """The UID in the first line of a file that is ours."""
    first = content.partition(b"\n")[0].decode(errors="replace")
    return first.rpartition("(uid ")[2].partition(")")[0]


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._/-]", "_", text)
