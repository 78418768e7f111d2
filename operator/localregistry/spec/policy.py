"""Which namespaces may declare which hosts: the administrator's table.

A ValidatingAdmissionPolicy asks the same of each new host or alias, by the same table and with the
same sentence. This is for what admission has not seen: resources that are older than a grant's end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from .hosts import Host

# The chart's schema has the same two.
NAMESPACES = re.compile(r"[*]|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?|[a-z0-9][-a-z0-9]{0,61}[*]")
HOSTS = re.compile(
    r"[*]"
    # A name, whose last part has a letter, with or without *. before it.
    r"|([*][.])?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])*([0-9][-0-9]*)?[a-z]([-a-z0-9]*[a-z0-9])?"
    r"|[0-9]{1,3}([.][0-9]{1,3}){3}(/[0-9]{1,2})?"
    r"|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}(/[0-9]{1,3})?"
)
MAX_HOST = 253
NAMES_ONLY = "; * stands for names, and an address needs a pattern of its own"


class InvalidPolicy(ValueError):
    """The table cannot be read; the message says where and why."""


@dataclass(frozen=True)
class Grant:
    """Every namespace that fits one of `namespaces` may declare what fits one of `hosts`."""

    namespaces: tuple[str, ...]
    hosts: tuple[str, ...]


# An empty table: every namespace may declare every name, and no address.
EVERY_NAME = Grant(("*",), ("*",))


@dataclass(frozen=True)
class HostPolicy:
    """Nothing is granted but what stands in `grants`."""

    grants: tuple[Grant, ...] = (EVERY_NAME,)

    @classmethod
    def parse(cls, text: str) -> HostPolicy:
        """From JSON, `[{"namespaces": ["team-*"], "hosts": ["*.example.com", "10.0.0.0/8"]}]`.

        Raises InvalidPolicy. An empty list or text grants every namespace every name.
        """
        try:
            rules = json.loads(text or "[]")
        except (ValueError, RecursionError) as error:
            raise InvalidPolicy(f"hostPolicy is not JSON: {error}") from None
        if not isinstance(rules, list):
            raise InvalidPolicy("hostPolicy must be a list of {namespaces, hosts}")
        grants = tuple(_grant(rule, f"hostPolicy[{index}]") for index, rule in enumerate(rules))
        return cls(grants) if grants else cls()

    def patterns(self, namespace: str) -> tuple[str, ...]:
        """What this namespace may declare, in the table's order."""
        return tuple(
            pattern
            for grant in self.grants
            if any(_fits_namespace(one, namespace) for one in grant.namespaces)
            for pattern in grant.hosts
        )

    def allows(self, namespace: str, host: Host) -> bool:
        return any(_fits(pattern, host) for pattern in self.patterns(namespace))

    def refused(self, namespace: str, hosts: Iterable[Host]) -> tuple[Host, ...]:
        """Those of the hosts that the namespace may not declare."""
        return tuple(host for host in hosts if not self.allows(namespace, host))

    def sentence(self, namespace: str, refused: Iterable[Host]) -> str:
        """Why these are refused, in the words of the admission policy."""
        patterns = self.patterns(namespace)
        granted = ", ".join(patterns) or "no host"
        words = (
            f"namespace {namespace} may not declare {', '.join(map(str, refused))}: hostPolicy"
            f" grants it {granted}"
        )
        return words + NAMES_ONLY if "*" in patterns else words


def _fits_namespace(pattern: str, namespace: str) -> bool:
    if pattern.endswith("*"):
        return namespace.startswith(pattern[:-1])
    return pattern == namespace


def _fits(pattern: str, host: Host) -> bool:
    """`*.example.com` fits every name below example.com, however deep, and not example.com."""
    address = host.address
    if address is not None:
        return _is_address(pattern) and address in ip_network(pattern, strict=False)
    if pattern.startswith("*."):
        return host.name.endswith(pattern[1:])
    return pattern in ("*", host.name)


def _is_address(pattern: str) -> bool:
    return ":" in pattern or pattern.replace(".", "").replace("/", "").isdecimal()


def _grant(rule: Any, path: str) -> Grant:
    if not isinstance(rule, Mapping) or rule.keys() != {"namespaces", "hosts"}:
        raise InvalidPolicy(f"{path} must have namespaces and hosts, and nothing else")
    namespaces = _texts(rule["namespaces"], f"{path}.namespaces")
    hosts = _texts(rule["hosts"], f"{path}.hosts")
    for text in namespaces:
        if not NAMESPACES.fullmatch(text):
            raise InvalidPolicy(
                f"{path}.namespaces: {text[:80]!r} is neither a namespace nor the beginning of one"
                " with a * after it"
            )
    for text in hosts:
        if len(text) > MAX_HOST or not HOSTS.fullmatch(text) or not _is_readable(text):
            raise InvalidPolicy(
                f"{path}.hosts: {text[:80]!r} is none of *, a name, *. before a name, an address"
                " and a network such as 10.100.0.0/16 (names and addresses are without a port)"
            )
    return Grant(namespaces, hosts)


def _texts(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise InvalidPolicy(f"{path} must be a list of at least one text")
    return tuple(value)


def _is_readable(pattern: str) -> bool:
    if not _is_address(pattern):
        return True
    try:
        ip_address(pattern.partition("/")[0])
        ip_network(pattern, strict=False)
    except ValueError:
        return False
    return True
