"""Kubernetes quantities such as `20Gi`, `1.5G`, `1e3` or `100m`."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("", *"KMGTPE")) if power}
_DECIMAL = {
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+))"
    r"((?P<binary>[KMGTPE])i|[eE](?P<exponent>[+-]?[0-9]{1,3})|(?P<decimal>[numkMGTPE]?))"
)
# The CRD takes no longer quantity, so none is worth reading: it also bounds the work.
MAX_LENGTH = 32


def parse_quantity(value: str | int) -> Decimal:
    """The number of units (bytes, cores) as an exact decimal; ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{value!r} is not a quantity such as 20Gi")
    if isinstance(value, int):
        return Decimal(value)
    match = _QUANTITY.fullmatch(value) if len(value) <= MAX_LENGTH else None
    if match is None:
        raise ValueError(f"{value[:MAX_LENGTH]!r} is not a quantity such as 20Gi")
    # 32 digits times 2^60 need 51 digits; the default context would round at 28.
    with localcontext() as context:
        context.prec = 64
        return Decimal(match["number"]) * _factor(match)


def format_bytes(size: int) -> str:
    """A quantity of bytes to be read by people: two digits at least, `1.2Gi` or `830Mi`."""
    value, suffix = Decimal(max(0, size)), ""
    for power in "KMGTPE":
        # 1023.7Mi reads as 1Gi.
        if round(value) < 1024:
            break
        value, suffix = value / 1024, f"{power}i"
    text = f"{value:.1f}" if suffix and round(value, 1) < 10 else f"{value:.0f}"
    return f"{text.removesuffix('.0')}{suffix}"


def _factor(match: re.Match[str]) -> Decimal:
    if match["binary"]:
        return _BINARY[match["binary"]]
    if match["exponent"]:
        return Decimal(10) ** int(match["exponent"])
    return _DECIMAL[match["decimal"]]
