"""``before`` and ``after``: points in time, written in any of these ways on either side.

- RFC 3339: ``2026-11-23T06:30:00Z``, ``2026-11-23T07:30:00.25+01:00``. Seconds may be left out,
  a space may stand for the T, and a text without an offset means UTC. Fractions count to about
  a quarter of a microsecond, as far as a number of seconds holds them.
- A date, ``2026-11-23``: midnight UTC, at which that day begins.
- A number: seconds since 1970-01-01T00:00:00Z. A text of digits is no point in time.

The module datetime is not used: the engine reads no clock, and years after 9999 need no exception.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, TypeAlias

from flags.engine.operators.base import Build, Predicate, Values, cost_of_reading, is_number
from flags.engine.results import Scalar
from flags.engine.scalars import read_number_as_is
from portal.lib.documents import list_of, refuse

_MAX_CHARS: Final = 40
_INSTANT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(?:[Zz]|([+-])(\d\d):(\d\d))?)?",
    re.ASCII,
)
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def seconds_of(value: object) -> int | float | None:
    """Seconds since 1970 in UTC; None for what is no point in time."""
    if isinstance(value, str):
        return _parse(value)
    return value if is_number(value) else None  # type: ignore[return-value]


def _parse(text: str) -> int | float | None:
    found = _INSTANT.fullmatch(text) if len(text) <= _MAX_CHARS else None
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = found.groups()[6:]
    away = (int(offset_hours or 0), int(offset_minutes or 0))
    # A second of 60 is a leap second: the same as the one after it.
    if not _is_date(year, month, day) or hour > 23 or minute > 59 or second > 60:
        return None
    if away > (23, 59) or away[1] > 59:
        return None
    offset = (away[0] * 60 + away[1]) * (-60 if sign == "-" else 60)
    whole = _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
    # Rounded once, so that .1 here is the .1 of the same point written as a number.
    return float(whole + Fraction(int(fraction), 10 ** len(fraction))) if fraction else whole


def _is_date(year: int, month: int, day: int) -> bool:
    if not (1 <= month <= 12 and day >= 1):
        return False
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= _MONTH_DAYS[month - 1] + (month == 2 and is_leap)


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01, by the Gregorian calendar carried back to year 0.

    Years begin in March here, so that the leap day is the last of its year.
    """
    shifted = year - (month < 3)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468


def comparing(read: Callable[[object], Any], compare: Callable[[Any, Any], bool]) -> Build:
    def build(values: Values) -> Predicate:
        bound = read(values[0])

        def does_compare(value: object) -> bool:
            found = read(value)
            return found is not None and compare(found, bound)

        return does_compare

    return build


def _read_instant(value: object) -> Scalar:
    if not isinstance(value, str):
        return read_number_as_is(value)
    if _parse(value) is None:
        refuse(
            "Give a point in time such as 2026-11-23T06:30:00Z, a date such as 2026-11-23,"
            " or a number of seconds since 1970."
        )
    return value


cost_of_instants: Final = cost_of_reading(_MAX_CHARS, 60)
read_instants = list_of(_read_instant, least=1, most=1)


# Semantic versions, https://semver.org/spec/v2.0.0.html: compared by precedence. A leading ``v``
# is tolerated, for so tags are written; so is nothing else: ``1.2`` is no version. Build metadata
# does not count: 1.0.0+linux is equal to 1.0.0.


_MAX_VERSION_CHARS: Final = 256
_NUMBER: Final = r"0|[1-9][0-9]*"
_VERSION: Final = re.compile(
    rf"v?({_NUMBER})(?:\.({_NUMBER})(?:\.({_NUMBER})"
    rf"(?:-((?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    rf"(?:\.(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?"
)

# (major, minor, patch, pre-release) that compare as versions do; each but the last a number.
Version: TypeAlias = tuple[Any, ...]


def parse_version(value: object, *, is_short_allowed: bool = False) -> Version | None:
    """A version to compare with others; None where it is not one.

    With ``is_short_allowed`` 1 and 1.2 stand for 1.0.0 and 1.2.0, as flagd has it.
    """
    if not isinstance(value, str) or len(value) > _MAX_VERSION_CHARS:
        return None
    found = _VERSION.fullmatch(value)
    if not found or (found[3] is None and not is_short_allowed):
        return None
    numbers = (_number(found[place] or "0") for place in (1, 2, 3))
    return (*numbers, _pre_release(found[4]))


def _number(digits: str) -> tuple[int, str]:
    return (len(digits), digits)


def _pre_release(text: str | None) -> tuple[Any, ...]:
    if text is None:
        return (1,)
    parts = text.split(".")
    return (0, [(0, *_number(part)) if part.isdigit() else (1, part) for part in parts])


cost_of_versions: Final = cost_of_reading(_MAX_VERSION_CHARS, 60)


def _read_version(value: object) -> str:
    if not isinstance(value, str) or parse_version(value) is None:
        refuse("Give a semantic version of three numbers, such as 1.2.0 or 2.0.0-beta.1.")
    return value


read_version = list_of(_read_version, least=1, most=1)
