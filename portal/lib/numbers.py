"""Numbers in forms, addresses and options: read in one way, so that none becomes another."""

from decimal import Decimal, InvalidOperation
from typing import Final

MOST: Final = 10**18 - 1
"""What fits the database's largest whole numbers."""
_DIGITS: Final = len(str(MOST))


def read_whole(text: str, *, most: int = MOST) -> int | None:
    """The whole number that a text writes in digits; None for anything else, and above ``most``."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    number = int(text)
    return number if number <= most else None


def read_percent(text: str) -> Decimal | None:
    """A percentage from 0 to 100 with at most 3 decimals, by point or comma; None for the rest."""
    try:
        value = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None
    return value if value.is_finite() and 0 <= value <= 100 and not value * 1000 % 1 else None
