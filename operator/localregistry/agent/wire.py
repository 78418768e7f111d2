"""The part of protocol buffers that the CRI's small messages need: length-delimited fields."""

from __future__ import annotations

from collections.abc import Iterator


def message(*fields: tuple[int, str | bytes | bool]) -> bytes:
    """A message of `(number, value)`; a nested message is given as bytes."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, bool):
            out += _varint(number << 3) + _varint(int(value))
            continue
        raw = value.encode() if isinstance(value, str) else value
        out += _varint(number << 3 | 2) + _varint(len(raw)) + raw
    return bytes(out)


def first(data: bytes, number: int) -> bytes:
    """The first length-delimited field of that number, b"" where there is none."""
    return next(every(data, number), b"")


def text(data: bytes, number: int) -> str:
    return first(data, number).decode(errors="replace")


def every(data: bytes, number: int) -> Iterator[bytes]:
    """All length-delimited fields of that number. Raises ValueError on a damaged message."""
    index = 0
    while index < len(data):
        tag, index = _read_varint(data, index)
        match tag & 7:
            case 0:
                _, index = _read_varint(data, index)
            case 1:
                index += 8
            case 2:
                size, index = _read_varint(data, index)
                if index + size > len(data):
                    raise ValueError("the message ends in the middle of a field")
                if tag >> 3 == number:
                    yield data[index : index + size]
                index += size
            case 5:
                index += 4
            case kind:
                raise ValueError(f"wire type {kind} is not known")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, index: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if index >= len(data):
            break
        byte = data[index]
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index
    raise ValueError("the message ends in the middle of a number")
