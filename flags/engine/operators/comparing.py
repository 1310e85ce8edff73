import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, cast

from flags.engine.limits import MAX_UNIT_INTEGER
from flags.engine.operators.base import Build, Cost, Predicate, Values, cost_of_reading, is_number
from flags.engine.scalars import read_safe_integer
from portal.lib.documents import Problem, checked, list_of

Comparison: TypeAlias = Callable[[Any, Any], bool]

# Tuples, not unions: a union is built anew, and searched slower, at every call.
_SCALARS: Final = (str, int, float)
LISTS: Final = (list, tuple)

# In a set True and 1 are one; these two stand in for the booleans.
_BOOLEANS: Final = (object(), object())


def _comparable(value: object) -> object:
    if isinstance(value, bool):
        return _BOOLEANS[value]
    return value if isinstance(value, _SCALARS) else None


def is_in(values: Values) -> Predicate:
    allowed = frozenset(map(_comparable, values))
    return lambda value: _comparable(value) in allowed


def contains(values: Values) -> Predicate:
    is_member = is_in(values)
    texts = [value for value in values if isinstance(value, str)]

    def contains_any(value: object) -> bool:
        if isinstance(value, str):
            return any(text in value for text in texts)
        return isinstance(value, LISTS) and any(map(is_member, value))

    return contains_any


def cost_of_contains(values: Values) -> Cost:
    texts = sum(isinstance(value, str) for value in values)

    def cost(value: object) -> int:
        if isinstance(value, str):
            return (len(value) + 20) * texts >> 6
        return len(value) if isinstance(value, LISTS) else 0

    return cost


def cost_of_list(_values: Values) -> Cost:
    return lambda value: len(value) if isinstance(value, LISTS) else 0


def cost_of_affixes(values: Values) -> Cost | None:
    count = len(values) >> 2
    return (lambda _value: count) if count > 4 else None


def array_contains_any(values: Values) -> Predicate:
    is_member = is_in(values)
    return lambda value: isinstance(value, LISTS) and any(map(is_member, value))


def array_contains_all(values: Values) -> Predicate:
    wanted = frozenset(map(_comparable, values))
    return lambda value: isinstance(value, LISTS) and wanted.issubset(map(_comparable, value))


def starts_with(values: Values) -> Predicate:
    texts = tuple(map(str, values))
    return lambda value: isinstance(value, str) and value.startswith(texts)


def ends_with(values: Values) -> Predicate:
    texts = tuple(map(str, values))
    return lambda value: isinstance(value, str) and value.endswith(texts)


def ordering(compare: Comparison) -> Build:
    def build(values: Values) -> Predicate:
        (bound,) = values
        return lambda value: is_number(value) and compare(value, bound)

    return build


def modulo(values: Values) -> Predicate:
    """Whole numbers only, 7.0 included, up to where such a number identifies a unit.

    The remainder is never negative: -1 modulo 3 is 2.
    """
    divisor, remainder = cast(tuple[int, int], values)

    def has_remainder(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if not -MAX_UNIT_INTEGER <= value <= MAX_UNIT_INTEGER or value != int(value):
            return False
        return int(value) % divisor == remainder

    return has_remainder


def _check_divisor(values: tuple[int, ...]) -> Iterable[Problem]:
    divisor, remainder = values
    if divisor < 1:
        yield Problem("[0]", "Give a divisor of at least 1.")
    elif not 0 <= remainder < divisor:
        yield Problem("[1]", f"Give a remainder from 0 to {divisor - 1}.")


read_divisor_and_remainder = checked(list_of(read_safe_integer, least=2, most=2), _check_divisor)


# Numbers that may be written as texts: "12" is 12 to the ``num_`` operators. For contexts that
# hold texts only, as those of Unleash do. A text reads as a number as it does there: ``12``,
# ``-1.50``, ``+3``, ``.5``, ``1e3``, ``inf``; not `` 12``, ``1_000`` or ``0x1f``.


_MAX_CHARS: Final = 400
_NUMBER: Final = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
)
# Unleash takes numbers this close for equal: 0.1 + 0.2 is 0.3.
_EPSILON: Final = 2.0**-52


def _read(value: object) -> int | float | None:
    if isinstance(value, str):
        return float(value) if len(value) <= _MAX_CHARS and _NUMBER.fullmatch(value) else None
    return value if is_number(value) else None  # type: ignore[return-value]


def written(compare: Callable[[float, float], bool]) -> Build:
    def build(values: Values) -> Predicate:
        (bound,) = values
        assert is_number(bound), "the reader has checked it"

        def does_compare(value: object) -> bool:
            number = _read(value)
            return number is not None and compare(number, float(bound))

        return does_compare

    return build


def is_close(number: float, bound: float) -> bool:
    # Compared first, so that nothing is subtracted from an integer that is no float.
    return number == bound or (bound - 1 < number < bound + 1 and abs(number - bound) < _EPSILON)


cost_of_written: Final = cost_of_reading(_MAX_CHARS, 15)
