"""One reader of numbers: no text becomes another number than it writes."""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from portal.lib.numbers import MOST, read_percent, read_whole


@given(st.integers(0, MOST))
def test_read_whole__what_was_written__is_read(number: int) -> None:
    assert read_whole(str(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x1",
        "1_000",
        "\u0661",
        "\u00b2",
        str(MOST + 1),
        "9" * 5000,
    ],
)
def test_read_whole__anything_else__is_none(text: str) -> None:
    assert read_whole(text) is None


def test_read_whole__above_what_is_allowed__is_none() -> None:
    assert (read_whole("200", most=200), read_whole("201", most=200)) == (200, None)


@pytest.mark.parametrize(("text", "value"), [("12,5", "12.5"), (" 0 ", "0"), ("100", "100")])
def test_read_percent__as_people_write_it__is_read(text: str, value: str) -> None:
    assert read_percent(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "-1", "100.001", "1.0005", "nan", "inf", "1e9999999"])
def test_read_percent__anything_else__is_none(text: str) -> None:
    assert read_percent(text) is None
