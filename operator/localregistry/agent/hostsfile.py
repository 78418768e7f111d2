"""Our marked block in /etc/hosts. Pure: bytes in, bytes out.

The block stands last. Where the file had no final newline the block has none either, so that
cutting it gives the old bytes back without any memory of them.
"""

from __future__ import annotations

from collections.abc import Mapping

BEGIN = b"# BEGIN localregistry"
END = b"# END localregistry"


def without_block(content: bytes) -> bytes:
    """The file as its other writers left it: every line of ours cut, wherever it stands.

    A block whose end mark is lost ends at the first line that we would not have written.
    """
    kept: list[bytes] = []
    lines = content.splitlines(keepends=True)
    index = 0
    while index < len(lines):
        if lines[index].strip() != BEGIN:
            kept.append(lines[index])
            index += 1
            continue
        index += 1
        while index < len(lines) and b"\t" in lines[index] and not lines[index].startswith(b"#"):
            index += 1
        if index < len(lines) and lines[index].strip() == END:
            ends_file = index == len(lines) - 1
            if ends_file and not lines[index].endswith(b"\n") and kept:
                kept[-1] = kept[-1].removesuffix(b"\n")
            index += 1
    return b"".join(kept)


def with_block(content: bytes, addresses: Mapping[str, str]) -> bytes:
    """The file with exactly `addresses` (host → IP address) in our block; none, no block."""
    base = without_block(content)
    if not addresses:
        return base
    lines = [BEGIN, *(f"{ip}\t{host}".encode() for host, ip in sorted(addresses.items())), END]
    block = b"\n".join(lines)
    if base and not base.endswith(b"\n"):
        return base + b"\n" + block
    return base + block + b"\n"


def hosts_of_block(content: bytes) -> list[bytes]:
    """The hosts that our block gives an address."""
    rest = set(without_block(content).splitlines())
    ours = [line for line in content.splitlines() if line not in rest]
    return [host for line in ours if b"\t" in line for host in line.split()[1:]]


def foreign_address(content: bytes, host: str) -> set[str]:
    """The addresses that lines outside of our block give to `host`."""
    found = set()
    for line in without_block(content).splitlines():
        fields = line.split(b"#", 1)[0].split()
        if host.encode() in (name.lower() for name in fields[1:]):
            found.add(fields[0].decode(errors="replace"))
    return found
