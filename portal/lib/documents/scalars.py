"""Readers of single values: texts, names and numbers."""

import math
import re
import unicodedata
from decimal import Decimal

from portal.lib.documents.readers import Reader, refuse

# Neither can be stored by PostgreSQL nor, a lone surrogate, be encoded as UTF-8.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def read_boolean(value: object) -> bool:
    """``true`` or ``false``, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        refuse("Give true or false.")
    return value


def text(most: int, least: int = 0) -> Reader[str]:
    """A text of ``least`` to ``most`` characters, line breaks allowed."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            refuse("Give a text.")
        if not least <= len(value) <= most:
            refuse(f"Give a text of {least} to {most} characters.")
        if UNSTORABLE.search(value):
            refuse("Remove the NUL characters and lone surrogates from this text.")
        return value

    return read


def name(most: int, least: int = 0) -> Reader[str]:
    """A text for one line: no control characters, no white space around it.

    Control characters are those of every Unicode category C*: also formatting ones that nobody
    sees, private use, and code points not assigned yet.
    """
    read_text = text(most, least)

    def read(value: object) -> str:
        result = read_text(value)
        if any(unicodedata.category(character).startswith("C") for character in result):
            refuse("Remove the control and invisible characters from this text.")
        if result != result.strip():
            refuse("Remove the white space around this text.")
        return result

    return read


def integer(least: int, most: int) -> Reader[int]:
    """A whole number from ``least`` to ``most``, written as one: 1.0 is refused."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse("Give a whole number.")
        if not least <= value <= most:
            refuse(f"Give a whole number from {least} to {most}.")
        return value

    return read


def read_number(value: object) -> float:
    """A finite number, as a float: 1 becomes 1.0, so that it goes out as one everywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("Give a number.")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        refuse("Give a finite number, of at most 1.7e308.")
    return number


def read_percentage(value: object) -> int:
    """A percentage in thousandths, exactly: the decimal number as it was written, times 1000."""
    percent = read_number(value)
    thousandths = Decimal(repr(percent)) * 1000
    if not 0 <= percent <= 100 or thousandths % 1:
        refuse("Give a percentage from 0 to 100 with at most 3 decimals.")
    return int(thousandths)
