"""Numbers that may be written as texts: "12" is 12 to the ``num_`` operators.

For contexts that hold texts only, as those of Unleash do. A text reads as a number as it does
there: ``12``, ``-1.50``, ``+3``, ``.5``, ``1e3``, ``inf``; not `` 12``, ``1_000`` or ``0x1f``.
"""

import operator
import re
from collections.abc import Callable
from typing import Final

from flags.engine.operators.base import Build, Predicate, Values, cost_of_reading, is_number

_MAX_CHARS: Final = 400
_NUMBER: Final = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
)
_EPSILON: Final = 2.0**-52
"""Unleash takes numbers this close for equal: 0.1 + 0.2 is 0.3."""


def _read(value: object) -> int | float | None:
    if isinstance(value, str):
        return float(value) if len(value) <= _MAX_CHARS and _NUMBER.fullmatch(value) else None
    return value if is_number(value) else None  # type: ignore[return-value]


def _compared(compare: Callable[[float, float], bool]) -> Build:
    def build(values: Values) -> Predicate:
        (bound,) = values
        assert is_number(bound), "the reader has checked it"

        def does_compare(value: object) -> bool:
            number = _read(value)
            return number is not None and compare(number, float(bound))

        return does_compare

    return build


def _is_close(number: float, bound: float) -> bool:
    # Compared first, so that nothing is subtracted from an integer that is no float.
    return number == bound or (bound - 1 < number < bound + 1 and abs(number - bound) < _EPSILON)


cost_of_written: Final = cost_of_reading(_MAX_CHARS, 15)

num_eq: Final = _compared(_is_close)
num_gt: Final = _compared(operator.gt)
num_gte: Final = _compared(operator.ge)
num_lt: Final = _compared(operator.lt)
num_lte: Final = _compared(operator.le)
