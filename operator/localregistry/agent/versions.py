"""Versions as runtimes report them."""

from __future__ import annotations


def release(version: str) -> tuple[int, int, int]:
    """`26.1.5+dfsg1` → (26, 1, 5); what is no number counts as 0."""
    numbers = []
    for part in version.split(".")[:3]:
        digits = part[: next((i for i, c in enumerate(part) if not c.isdigit()), len(part))]
        numbers.append(int(digits or 0))
    numbers += [0] * (3 - len(numbers))
    return numbers[0], numbers[1], numbers[2]
