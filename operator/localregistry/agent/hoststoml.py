"""hosts.toml: where containerd sends the pulls of one registry name. Pure."""

from __future__ import annotations

import json
import re

FILE_NAME = "hosts.toml"

_HEADER = re.compile(rb"# Managed by localregistry for [^\n]* \(uid [^\n]*\); do not edit\.\r?")


def render(*, owner: str, uid: str, endpoint: str) -> bytes:
    """The whole file.

    The endpoint stands twice: without a `[host]` table containerd before 2.0 ignores the file, and
    with the registry's name as `server` a missing tag reads as a DNS error. No `skip_verify`: with
    plain http it makes newer versions try https first. The three capabilities known to every
    version are not needed all; an unknown one voids the file, so only two are named.
    """
    url = json.dumps(endpoint)  # a JSON string without control characters is a TOML string
    header = f"# Managed by localregistry for {_plain(owner)} (uid {_plain(uid)}); do not edit."
    return (
        f'{header}\nserver = {url}\n\n[host.{url}]\n  capabilities = ["pull", "resolve"]\n'
    ).encode()


def is_ours(content: bytes) -> bool:
    """By the first line, so that a file is ours even where all memory of it is lost."""
    return _HEADER.fullmatch(content.partition(b"\n")[0]) is not None


def uid_of(content: bytes) -> str:
    """The UID in the first line of a file that is ours."""
    first = content.partition(b"\n")[0].decode(errors="replace")
    return first.rpartition("(uid ")[2].partition(")")[0]


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._/-]", "_", text)
