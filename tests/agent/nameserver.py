"""A name server of one node: `python -I nameserver.py NAME=ADDRESS …`, on UDP port 53 of loopback.

It knows these IPv4 addresses, has none of the other kinds for the same names, and denies all else.
"""

import socket
import struct
import sys

_A, _IN = 1, 1
_OK, _NO_SUCH_NAME = 0, 3


def answer(query: bytes, known: dict[str, str]) -> bytes:
    """To one question (RFC 1035, section 4)."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind = struct.unpack_from("!H", query, at + 1)[0]
    question = query[12 : at + 5]
    address = known.get(".".join(labels).lower())
    records = b""
    if address is not None and kind == _A:
        records = struct.pack("!HHHIH", 0xC00C, _A, _IN, 0, 4) + socket.inet_aton(address)
    code = _OK if address is not None else _NO_SUCH_NAME
    # A response, with recursion asked for and offered.
    header = struct.pack("!2sHHHHH", query[:2], 0x8180 | code, 1, bool(records), 0, 0)
    return header + question + records


def main() -> None:
    known = dict(pair.split("=") for pair in sys.argv[1:])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        # For who waits for it.
        print("serving", flush=True)
        while True:
            query, asker = server.recvfrom(4096)
            server.sendto(answer(query, known), asker)


if __name__ == "__main__":
    main()
