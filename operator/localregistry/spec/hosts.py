"""The names under which images are pulled: `name[:port]`, and of aliases addresses too.

The CRD refuses the same inputs with the same sentences; a shared table tests both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

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

NOT_AN_ADDRESS = "must be a DNS name, not an IP address or a network"
# The reasons of a refusal, the first that fits is told: (pattern to search for, sentence). The
# patterns mean the same in Python and in the CRD's CEL (RE2).
FAULTS: tuple[tuple[str, str], ...] = (
    ("://", "must be without a scheme: registry.example.com, not http://registry.example.com"),
    ("@", "must be without user information: nothing may stand before the name"),
    ("[*]", "must be one name: a wildcard would make nodes trust every registry it fits"),
    (
        r"^(\[.*|[0-9.]*[0-9][0-9.]*(:[0-9]*)?(/.*)?|[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*(/.*)?)$",
        NOT_AN_ADDRESS,
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

# Of aliases. An IPv6 address stands in brackets and with its port: older releases of docker refuse
# a whole daemon.json over one without.
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = re.compile(f"{_OCTET}([.]{_OCTET}){{3}}(:{_PORT})?")
IPV6 = re.compile(rf"\[[0-9a-f:]{{2,39}}\]:{_PORT}")
ADDRESS_FAULT = (
    "must be one address in its shortest form, such as 10.100.0.1, 10.100.0.1:30500 or"
    " [fd00::1]:30500 (IPv6 with brackets and port), and not a network"
)
UNICAST_FAULT = (
    "must be the address of a machine that each node means the same by: not loopback, link-local,"
    " multicast, broadcast or unspecified"
)

Address = IPv4Address | IPv6Address


class InvalidHost(ValueError):
    """The text is no host that nodes may trust; the message says why, in a sentence."""


@dataclass(frozen=True)
class Host:
    """A registry's name as it stands in image references; `port` is None where none was given.

    An alias may be an address: then `name` is that, with the brackets around an IPv6 one.
    """

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """A DNS name. Raises InvalidHost for all that the CRD refuses."""
        if len(text) > MAX_TEXT:
            raise InvalidHost(TOO_LONG)
        if not GRAMMAR.fullmatch(text) or any(re.search(fault, text) for fault in NAME_FAULTS):
            raise InvalidHost(_explain(text))
        name, _, port = text.partition(":")
        if len(name) > MAX_NAME:
            raise InvalidHost(TOO_LONG)
        if is_public(name):
            raise InvalidHost(f"{name} {PUBLIC_FAULT}")
        return cls(name, int(port) if port else None)

    @classmethod
    def parse_alias(cls, text: str) -> Host:
        """A DNS name or an address. Raises InvalidHost for all that the CRD refuses."""
        if len(text) <= MAX_TEXT and (IPV4.fullmatch(text) or IPV6.fullmatch(text)):
            name = name_of(text)
            port = text[len(name) + 1 :]
            host = cls(name, int(port) if port else None)
            if host.address is None:
                raise InvalidHost(ADDRESS_FAULT)
            if not _is_unicast(host.address):
                raise InvalidHost(UNICAST_FAULT)
            return host
        try:
            return cls.parse(text)
        except InvalidHost:
            if len(text) <= MAX_TEXT and _explain(text) == NOT_AN_ADDRESS:
                raise InvalidHost(ADDRESS_FAULT) from None
            raise

    @property
    def address(self) -> Address | None:
        """The address that it is; None for a DNS name, and for text that is no address."""
        try:
            if self.name.startswith("["):
                ip = IPv6Address(self.name[1:-1])
                # Go's own text of an IPv4-mapped one differs, and CEL takes none.
                return ip if str(ip) == self.name[1:-1] and ip.ipv4_mapped is None else None
            return IPv4Address(self.name)
        except AddressValueError:
            return None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"


def name_of(text: str) -> str:
    """`name[:port]` without its port; an IPv6 address keeps its brackets."""
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]


def is_public(name: str) -> bool:
    """Whether the name is one of the public registries or lies below one."""
    # Amazon's private registries are <account>.dkr.ecr.<region>.amazonaws.com.
    return ".dkr.ecr." in name or any(
        name == public or name.endswith(f".{public}") for public in PUBLIC_REGISTRIES
    )


def _explain(text: str) -> str:
    return next((why for fault, why in FAULTS if re.search(fault, text)), GENERAL_FAULT)


def _is_unicast(ip: Address) -> bool:
    """As CEL's `isGlobalUnicast` has it: private addresses are."""
    return not (
        ip.is_unspecified
        or ip.is_loopback
        or ip.is_multicast
        or ip.is_link_local
        or ip == IPv4Address("255.255.255.255")
    )
