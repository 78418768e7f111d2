"""The name under which images are pulled: `name[:port]`.

The CRD refuses the same inputs with the same sentences; a shared table tests both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Whoever makes every node trust plain http for one of these could take over every pull of it, so
# neither these names nor any name below them can be a LocalRegistry's host.
PUBLIC_REGISTRIES = (
    "docker.io",
    "docker.com",
    "ghcr.io",
    "docker.pkg.github.com",
    "quay.io",
    "registry.k8s.io",
    "gcr.io",
    "pkg.dev",
    "mcr.microsoft.com",
    "azurecr.io",
    "public.ecr.aws",
    "registry.gitlab.com",
    "registry.redhat.io",
    "registry.access.redhat.com",
    "registry.connect.redhat.com",
    "registry.fedoraproject.org",
    "registry.suse.com",
    "registry.opensuse.org",
    "container-registry.oracle.com",
    "ocir.io",
    "icr.io",
    "nvcr.io",
    "docker.elastic.co",
    "registry.digitalocean.com",
    "xpkg.upbound.io",
    "cgr.dev",
    "lscr.io",
    "dhi.io",
)

MAX_NAME = 253
MAX_TEXT = MAX_NAME + len(":65535")

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_PORT = (
    "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9][0-9]|6[0-4][0-9][0-9][0-9]"
    "|[1-5][0-9][0-9][0-9][0-9]|[1-9][0-9]?[0-9]?[0-9]?)"
)
GRAMMAR = re.compile(f"{_LABEL}([.]{_LABEL})+(:{_PORT})?")

# The reasons of a refusal, the first that fits is told: (pattern to search for, sentence). The
# patterns mean the same in Python and in the CRD's CEL (RE2).
FAULTS: tuple[tuple[str, str], ...] = (
    ("://", "must be without a scheme: registry.example.com, not http://registry.example.com"),
    ("@", "must be without user information: nothing may stand before the name"),
    ("[*]", "must be one name: a wildcard would make nodes trust every registry it fits"),
    (
        r"^(\[.*|[0-9.]*[0-9][0-9.]*(:[0-9]*)?(/.*)?|[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(/.*)?)$",
        "must be a DNS name, not an IP address or a network",
    ),
    (
        "[.](0[xX][0-9a-fA-F]*|[0-9]+)(:[0-9]*)?$",
        "must be a DNS name, not an IP address: its last part may not be a number",
    ),
    ("[/?#]", "must be without a path: only name[:port], such as registry.example.com"),
    ("[A-Z]", "must be lower case: image references know no upper case in the name of a registry"),
    ("^_default(:|$)", "must not be _default: on a node it stands for every registry"),
    (
        "^([^:]*[.])?localhost[.]?(:|$)|^localhost[.]",
        "must not be localhost: on each node that is another machine",
    ),
    (f"^{_LABEL}(:{_PORT})?$", "must have at least one dot, as in registry.example.com"),
    (
        f"^{_LABEL}([.]{_LABEL})*:",
        "must have a port from 1 to 65535 after the colon, without leading zeros",
    ),
)
# Those that a name of correct grammar can still have.
NAME_FAULTS = (FAULTS[4][0], FAULTS[8][0])
GENERAL_FAULT = (
    "must be a DNS name with an optional port, such as registry.example.com:5000: parts of 1 to 63"
    " lower-case letters, digits and inner hyphens, separated by single dots"
)
TOO_LONG = "must have a name of at most 253 characters before the port"
PUBLIC_FAULT = "is a public registry, or a name below one, and cannot be taken over"


class InvalidHost(ValueError):
    """The text is no host that nodes may trust; the message says why, in a sentence."""


@dataclass(frozen=True)
class Host:
    """A registry's name as it stands in image references; `port` is None where none was given."""

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Raises InvalidHost for all that the CRD refuses."""
        if len(text) > MAX_TEXT:
            raise InvalidHost(f"host {TOO_LONG}")
        if not GRAMMAR.fullmatch(text) or any(re.search(fault, text) for fault in NAME_FAULTS):
            raise InvalidHost(f"host {_explain(text)}")
        name, _, port = text.partition(":")
        if len(name) > MAX_NAME:
            raise InvalidHost(f"host {TOO_LONG}")
        if is_public(name):
            raise InvalidHost(f"host {name} {PUBLIC_FAULT}")
        return cls(name, int(port) if port else None)

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


def is_public(name: str) -> bool:
    """Whether the name is one of the public registries or lies below one."""
    # Amazon's private registries are <account>.dkr.ecr.<region>.amazonaws.com.
    return ".dkr.ecr." in name or any(
        name == public or name.endswith(f".{public}") for public in PUBLIC_REGISTRIES
    )


def _explain(text: str) -> str:
    return next((why for fault, why in FAULTS if re.search(fault, text)), GENERAL_FAULT)
