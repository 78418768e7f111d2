"""hosts.toml: where containerd sends the pulls of one registry name. Pure."""

from __future__ import annotations

import json

from localregistry.agent import header

FILE_NAME = "hosts.toml"


def render(*, owner: str, uid: str, endpoint: str) -> bytes:
    """The whole file.

    The endpoint stands twice: without a `[host]` table containerd before 2.0 ignores the file, and
    with the registry's name as `server` a missing tag reads as a DNS error. No `skip_verify`: with
    plain http it makes newer versions try https first. The three capabilities known to every
    version are not needed all; an unknown one voids the file, so only two are named.
    """
    # A JSON string is a TOML string, but that TOML escapes DEL and has no pairs of surrogates.
    url = json.dumps(endpoint, ensure_ascii=False).replace("\x7f", "\\u007f")
    first = header.line(owner=owner, uid=uid)
    return (
        f'{first}\nserver = {url}\n\n[host.{url}]\n  capabilities = ["pull", "resolve"]\n'
    ).encode()
