"""Durations as people write them: 90s, 5m, 1h30m, or a number of seconds."""

from __future__ import annotations

import argparse
import re

_PARTS = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# Longer is a slip of the hand; it also keeps the arithmetic small.
MAX_DIGITS = 9


def duration(text: str) -> float:
    """Seconds. Raises ArgumentTypeError."""
    match = _PARTS.fullmatch(text) if text else None
    if len(text) > 3 * MAX_DIGITS or not (match or text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 90s, 5m or 1h30m")
    if match is None:
        return float(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def short(seconds: float) -> str:
    """12s, 5m, 1h30m: what `duration` reads."""
    whole = int(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
