"""What /proc says of one process, read from the text that a node prints."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass

# USER_HZ, the unit of /proc/PID/stat on every Linux since 2.6.
TICKS_PER_SECOND = 100

# /proc/net/tcp: a listening socket has no other side.
_LISTEN = "0A"


@dataclass(frozen=True)
class Sample:
    """`ticks` are the process's own CPU time, `children` that of processes that it waited for; the
    memory is in KiB. `peers` has the other side of each of its TCP connections."""

    pid: int
    rss: int
    anonymous: int
    threads: int
    ticks: int
    children: int
    peers: tuple[tuple[str, int], ...]


# Prints what `read` understands. The pattern has to match the whole command line, so that the shell
# that looks for it is not found.
SCRIPT = r"""
pid=$(pgrep -o -f -x '/[^ ]*python3 .*-m localregistry\.cli agent')
echo "pid $pid"
grep -E '^(VmRSS|RssAnon|Threads):' /proc/$pid/status
echo "stat $(cat /proc/$pid/stat)"
ls -l /proc/$pid/fd | sed -n 's/.*socket:\[\([0-9]*\)\]$/socket \1/p'
sed 1d /proc/$pid/net/tcp
sed 1d /proc/$pid/net/tcp6
"""


def read(text: str) -> Sample:
    """Raises ValueError or KeyError where the node has no agent."""
    numbers = dict(re.findall(r"^(VmRSS|RssAnon|Threads):\s*(\d+)", text, re.MULTILINE))
    (pid,) = re.findall(r"^pid (\d+)$", text, re.MULTILINE)
    (stat,) = re.findall(r"^stat (.*)$", text, re.MULTILINE)
    # The command may hold blanks and parentheses; fields 14 to 17 of proc(5) are the times.
    times = [int(field) for field in stat.rpartition(")")[2].split()[11:15]]
    inodes = set(re.findall(r"^socket (\d+)$", text, re.MULTILINE))
    lines = re.findall(r"^\s*\d+: [0-9A-F]+:.*$", text, re.MULTILINE)
    peers = [_peer(fields[2]) for fields in map(str.split, lines) if _is_open(fields, inodes)]
    return Sample(
        pid=int(pid),
        rss=int(numbers["VmRSS"]),
        anonymous=int(numbers["RssAnon"]),
        threads=int(numbers["Threads"]),
        ticks=times[0] + times[1],
        children=times[2] + times[3],
        peers=tuple(peers),
    )


def millicores(before: int, after: int, seconds: float) -> float:
    """Of two counts of ticks."""
    return (after - before) * 1000 / TICKS_PER_SECOND / seconds


def _is_open(fields: list[str], inodes: set[str]) -> bool:
    return len(fields) > 9 and fields[9] in inodes and fields[3] != _LISTEN


def _peer(field: str) -> tuple[str, int]:
    """`0100007F:1F90` -> 127.0.0.1, 8080: the address is in words of the machine's byte order."""
    digits, _, port = field.partition(":")
    raw = b"".join(
        struct.pack("=I", int(digits[at : at + 8], 16)) for at in range(0, len(digits), 8)
    )
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6
    address = socket.inet_ntop(family, raw)
    return address.removeprefix("::ffff:"), int(port, 16)
