"""What a failed probe pull means, in a sentence for the node's administrator.

gRPC codes do not help: cri-dockerd answers UNKNOWN to everything. Texts do, and they are those of
Go's network library, the same in every runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A status must stay readable; the longest useful text of a daemon is about 400 characters.
MAX_WORDS = 500


@dataclass(frozen=True)
class Failure:
    """`settled`: the registry itself answered, so waiting for the runtime changes nothing."""

    sentence: str
    settled: bool = False


_TABLE: tuple[tuple[tuple[str, ...], str, bool], ...] = (
    (
        ("manifest unknown", ": not found", "name unknown"),
        "The registry answers, but has no probe image; the operator pushes it again.",
        True,
    ),
    (
        ("http response to https client",),
        "The runtime asked by https: it does not trust this name for plain http (yet).",
        False,
    ),
    (
        ("no such host", "server misbehaving", "dial tcp: lookup"),
        "The node does not resolve this name: the runtime has not read its configuration (yet).",
        False,
    ),
    (
        ("rewriting reference: invalid reference format",),
        "CRI-O before 1.29 sends no pulls to an IPv6 address: give the registry an IPv4 Service, "
        "or upgrade.",
        False,
    ),
    (
        ("connection refused",),
        "Nothing answers at the Service: look whether the registry's pod is ready.",
        False,
    ),
    (
        ("x509:", "certificate"),
        "Something else answered by https with a certificate that the node does not trust.",
        False,
    ),
    (
        ("deadline exceeded", "client.timeout", "i/o timeout", "no answer in time", "no route to"),
        "No answer in time: look whether this node reaches the Service's address (kube-proxy, "
        "network policies).",
        False,
    ),
    (("no space left",), "The node's disk has no room for images.", False),
)


# Where the node resolves the name itself there is no Service to look at.
_BY_DNS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("no such host", "server misbehaving", "dial tcp: lookup", "temporary failure in name"),
        "This node does not resolve {name}: add it to your DNS, or use resolve: ClusterIP.",
    ),
    (
        ("connection refused",),
        "Nothing answers at the address that this node resolves {name} to: look where it leads.",
    ),
    (
        ("deadline exceeded", "client.timeout", "i/o timeout", "no answer in time", "no route to"),
        "No answer in time from the address that this node resolves {name} to: look where it "
        "leads, and for what stands in between.",
    ),
    (
        ("x509:", "certificate", "http response code", "response body", "unexpected status"),
        "What {name} leads to is not this registry by plain http: let it lead to a Service of it, "
        "or use resolve: ClusterIP.",
    ),
)


def failure(error: Mapping[str, Any], *, hint: str = "", dns: str = "") -> Failure:
    """From the helper's `error`; `hint` is what this node's configuration makes likely; `dns` the
    name, where the node resolves it itself."""
    message = " ".join(str(error.get("message", "")).split())
    match error.get("kind"):
        case "foreign-image":
            return Failure(
                f"The registry answers, but has no probe image: another one is in its place; the "
                f"operator pushes it again. {_cut(message)}",
                settled=True,
            )
        case "not-removed":
            return Failure(f"The runtime does not remove the probe image: {_cut(message)}")
    lowered = message.lower()
    for needles, sentence in _BY_DNS if dns else ():
        if any(needle in lowered for needle in needles):
            said = sentence.format(name=dns) + (f" {hint}" if hint else "")
            return Failure(f"{said} The runtime says: {_cut(message)}")
    for needles, sentence, settled in _TABLE:
        if any(needle in lowered for needle in needles):
            extra = f" {hint}" if hint and not settled else ""
            return Failure(f"{sentence}{extra} The runtime says: {_cut(message)}", settled)
    return Failure(f"The pull failed.{f' {hint}' if hint else ''} {_cut(message)}".strip())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 1] + "…"
