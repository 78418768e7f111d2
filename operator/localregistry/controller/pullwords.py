"""Why a pod's image could not be pulled, by the words of the kubelet's Event on it: pure.

Only the registry's name and the kind of the cause are taken out of them. Whose pod it is, which
repository, and what else stands in the words is not told to whoever may read a LocalRegistry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_PULL = re.compile(r'Failed to pull image "([^"]+)": *(.+)', re.DOTALL)
# Whoever may write an Event chooses its words, and this much of them is told on.
_REGISTRY = re.compile(r"[a-zA-Z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-fA-F:]{2,45}\](:[0-9]{1,5})?")
# Names and addresses in the words hold what their owners like: `x509:` is a good repository.
_QUOTED = re.compile(r'"[^"]*"')
_URL = re.compile(r"https?://\S+")


class Cause(StrEnum):
    """The words that a user searches for, and what they mean."""

    HTTP_ANSWER = "HTTP response to HTTPS client (the node does not take the name for plain http)"
    NO_NAME = "no such host (the node cannot resolve the name)"
    CERTIFICATE = "x509 (the node reached something with a certificate that it does not trust)"
    REFUSED = "connection refused (nothing answers at that address and port)"
    NO_ROUTE = "no route to host (the node cannot reach the address)"
    TOO_LARGE = "413 (a proxy in between refuses large bodies)"
    NOT_REGISTRY = "no registry (something else answered by that name)"
    REDIRECT = "redirect (something in between sends the node to another address)"
    DENIED = "denied (something asks for a login that the registry does not have)"
    UNAVAILABLE = "5xx (the registry or a proxy in between is not well)"
    TIME_OUT = "time-out (no answer in time)"
    CUT = "connection cut (by a proxy in between, or a restart)"
    NODE_FULL = "no space left on device (the node's disk is full)"
    NO_IMAGE = "manifest unknown (no such repository, tag or digest)"
    OTHER = "another cause (see the Events of the pods on that node)"


# Of each the words that show it, and the first that fits counts. A lookup that timed out is one of
# names; what a registry or a proxy has answered comes before what the runtime makes of it, which
# often ends in `not found`. A status is no port and no part of an address.
_WORDS: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (Cause.HTTP_ANSWER, ("gave HTTP response to HTTPS client",)),
    (Cause.NO_NAME, (r"\blookup \S+", "no such host", "name resolution")),
    (Cause.CERTIFICATE, (r"\bx509:", "failed to verify certificate", "unknown authority")),
    (Cause.REFUSED, ("connection refused",)),
    (Cause.NO_ROUTE, ("no route to host", "network is unreachable")),
    (Cause.TOO_LARGE, (r"(?<![:.])\b413\b", "request entity too large")),
    (Cause.NOT_REGISTRY, (r"error parsing HTTP \d+ response body", "invalid character '")),
    (
        Cause.REDIRECT,
        (r"stopped after \d+ redirects", r"\b30[1278] (moved|found|temporary|permanent)"),
    ),
    (Cause.DENIED, (r"(?<![:.])\b40[13]\b", "access denied", "unauthorized", "forbidden")),
    (Cause.NODE_FULL, ("no space left on device",)),
    (
        Cause.TIME_OUT,
        ("i/o timeout", "handshake timeout", "deadline ?exceeded", r"client\.timeout"),
    ),
    (Cause.UNAVAILABLE, (r"(?<![:.])\b50[0234]\b", "bad gateway", "service unavailable")),
    (Cause.CUT, ("connection reset", "unexpected EOF", r": EOF\b", "broken pipe")),
    (
        Cause.NO_IMAGE,
        ("manifest unknown", r"manifest for \S+ not found", ": not found", "name unknown"),
    ),
)
_CAUSES = [(cause, re.compile("|".join(words), re.IGNORECASE)) for cause, words in _WORDS]


@dataclass(frozen=True)
class FailedPull:
    """`registry` is the name before the first slash of the image, with its port if it has one."""

    registry: str
    cause: Cause


def read(note: str) -> FailedPull | None:
    """None where the note is of no pull, or of an image whose name holds no registry."""
    found = _PULL.match(" ".join(note.split()))
    if not found:
        return None
    image, words = found.groups()
    registry, slash, _ = image.partition("/")
    if not slash or not _REGISTRY.fullmatch(registry):
        return None
    # As docker tells a registry from the first part of a repository on Docker Hub.
    if not ({".", ":"} & set(registry) or registry == "localhost"):
        return None
    return FailedPull(registry, _cause(words.replace(image, "IMAGE")))


def _cause(words: str) -> Cause:
    plain = _URL.sub("URL", _QUOTED.sub('""', words))
    return next((cause for cause, pattern in _CAUSES if pattern.search(plain)), Cause.OTHER)
