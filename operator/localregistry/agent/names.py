"""What a node accepts as a registry's name and address, whatever the document says.

The second line of defence behind the operator's own rules: these strings become lines of
/etc/hosts, entries of daemon.json and names of directories.
"""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PORT = "(?P<port>[1-9][0-9]{0,4})"
_NAME = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::{_PORT})?", re.ASCII)
# With a port only: a dockerd before 23.0 refuses `[fd00::1]`, and with it the whole file.
_IPV6 = re.compile(rf"(?P<host>\[[0-9a-f:]{{2,39}}\]):{_PORT}", re.ASCII)
_REFUSED_HOSTS = {"localhost", "docker.io", "index.docker.io", "registry-1.docker.io"}


def check(name: str, address: str, port: int, *, dns: bool = False) -> str | None:
    """A sentence that says what is wrong with one name of a registry, or None.

    Stricter than docker (`host[:port]`, no scheme, path, wildcard or underscore): one entry that
    dockerd refuses would keep it from starting. With `dns` the node goes where the name leads, so
    that address and port are of no account.
    """
    match = _NAME.fullmatch(name) or _IPV6.fullmatch(name)
    if match is not None and match["host"].startswith("[") and not is_address(match["host"]):
        match = None
    if match is None or len(match["host"]) > 253 or int(match["port"] or 1) > 65535:
        return f"{name!r} is not a name of the form host[:port] that a runtime accepts."
    if match["host"] in _REFUSED_HOSTS:
        return f"{name!r} is never redirected: it is not a registry of this cluster."
    if dns:
        return None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is not an IP address; nothing can be sent there."
    if ip.is_unspecified or ip.is_multicast or "%" in address:
        return f"{address} is not the address of a Service."
    if not 0 < port < 65536:
        return f"{port} is not a port."
    return None


def host_of(name: str) -> str:
    """`host[:port]` without its port; an IPv6 address keeps its brackets."""
    return name.rpartition(":")[0] if ":" in name and not name.endswith("]") else name


def is_address(host: str) -> bool:
    """Whether it is an IPv4 address, or an IPv6 one with or without its brackets."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def covered(address: str | None, name: str, entries: tuple[str, ...]) -> bool:
    """Whether dockerd's own list already makes plain http allowed for `name` at `address`.

    dockerd compares the entry to the whole `host[:port]`, or a CIDR to the address that the host
    resolves to; that is not known where `address` is None. A host that is an address is that.
    """
    if is_address(host := host_of(name)):
        address = host.removeprefix("[").removesuffix("]")
    for entry in entries:
        if entry == name:
            return True
        if address is None:
            continue
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(entry, strict=False):
                return "/" in entry
        except ValueError:
            continue
    return False
