"""Kubernetes quantities."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec.quantity import format_bytes, parse_quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20Gi", 20 * 1024**3),
        ("1.5Gi", 1536 * 1024**2),
        ("1024Mi", 1024**3),
        ("1Ki", 1024),
        ("1Ei", 1024**6),
        ("5G", 5_000_000_000),
        ("1k", 1000),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12e-1", Decimal("1.2")),
        ("100m", Decimal("0.1")),
        ("1n", Decimal("1e-9")),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("+1", 1),
        ("-1Gi", -(1024**3)),
        ("0", 0),
        (7, 7),
    ],
)
def test_a_quantity_is_read_exactly(text: str | int, number: Any) -> None:
    assert parse_quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "10GB", "1 Gi", "1gi", "Gi", "1KI", "1e", "--1", "1Gi\n", "١Gi", "9" * 33, "1Ni"],
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as 20Gi"):
        parse_quantity(text)


@pytest.mark.parametrize("value", [True, None, 1.5, [], {}])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(value)


@given(st.integers(min_value=0, max_value=10**15), st.sampled_from("KMGTPE"))
def test_nothing_is_rounded(number: int, unit: str) -> None:
    assert int(parse_quantity(f"{number}{unit}i")) == number * 1024 ** ("KMGTPE".index(unit) + 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (-5, "0"),
        (1, "1"),
        (1023, "1023"),
        (1024, "1Ki"),
        (1536, "1.5Ki"),
        (10_188, "9.9Ki"),
        (10_200, "10Ki"),
        (1024**2 - 1, "1Mi"),
        (int(1.2 * 1024**3), "1.2Gi"),
        (830 * 1024**2, "830Mi"),
        (int(1023.7 * 1024**2), "1Gi"),
        (50 * 1024**3, "50Gi"),
        (2**63, "8Ei"),
        (5000 * 1024**6, "5000Ei"),
    ],
)
def test_bytes_are_shown_as_people_read_them(size: int, text: str) -> None:
    assert format_bytes(size) == text


@given(st.integers(min_value=0, max_value=2**64))
def test_what_is_shown_is_a_quantity_close_to_what_it_is(size: int) -> None:
    text = format_bytes(size)
    assert len(text) <= 6
    assert abs(parse_quantity(text) - size) <= Decimal(size) / 18
