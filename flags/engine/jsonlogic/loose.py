"""Values compared and converted loosely: as JavaScript does, in flagd's reading of it.

Truth is Python's own: false, null, 0, and what is empty are false.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeAlias

from flags.engine.operators.base import is_number
from flags.engine.state import Steps

NAN: Final = math.nan
# No white space, hexadecimals, "inf" or underscores, which Python or JavaScript would read.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MAX_NUMBER_CHARS: Final = 400


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _parse(text: str) -> float | None:
    if len(text) > _MAX_NUMBER_CHARS or not _NUMBER.fullmatch(text):
        return None
    return float(text)


def operand(value: object) -> float:
    """A number to calculate with; a text that is not a number counts as 0.

    Raises Unanswerable for what is neither number nor text.
    """
    if isinstance(value, str):
        return _parse(value) or 0.0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _float(value)
    raise Unanswerable("no number")


def whole(value: object) -> int:
    number = operand(value)
    if not math.isfinite(number):
        raise Unanswerable("no whole number")
    return int(number)


def comparable(value: object) -> float:
    """What a value counts in a comparison: true 1, null and blank texts 0, others often NaN."""
    if value is None:
        return 0.0
    if isinstance(value, (int, float)):  # True and False too
        return _float(value)
    if not isinstance(value, str):
        return NAN
    if not value.strip():
        return 0.0
    number = _parse(value)
    return NAN if number is None else number


def equal(one: object, other: object) -> bool:
    """``==``: null equals only null, texts are compared as such, all else as numbers."""
    if one is None or other is None:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    return comparable(one) == comparable(other)


def _kind(value: object) -> object:
    return float if is_number(value) else type(value)


def identical(one: object, other: object) -> bool:
    """``===``: equal and of the same type. Two lists are never the same one, nor two objects."""
    return _kind(one) is _kind(other) and equal(one, other)


def less(one: object, other: object) -> bool:
    """``<``: texts by their code points, all else as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return comparable(one) < comparable(other)


def less_or_equal(one: object, other: object) -> bool:
    return less(one, other) or equal(one, other)


def text_of(value: object) -> str:
    """A value as part of a text; Raises Unanswerable for booleans, lists and objects."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Unanswerable("no text")
    number = _float(value)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{number:+}".title()
    plain = format(Decimal(repr(number)), "f")
    return plain.removesuffix(".0")


# What compiled logic is made of, and what ends it early.


# The longest text that logic may put together; with the steps it bounds the memory too.
MAX_TEXT_CHARS: Final = 10_000


class Unanswerable(Exception):
    """No answer: a value is of a type that an operation cannot use, or a text grew too long."""


# From the data in scope to a value; raises Unanswerable, OverBudget, and nothing else.
Compiled: TypeAlias = Callable[[object, Steps], object]
