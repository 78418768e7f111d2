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
    url = json.dumps(endpoint)  # a JSON string without control characters is a TOML string
    first = header.line(owner=owner, uid=uid)
    return (
        f'{first}\nserver = {url}\n\n[host.{url}]\n  capabilities = ["pull", "resolve"]\n'
    ).encode()
