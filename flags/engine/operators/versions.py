"""Semantic versions, https://semver.org/spec/v2.0.0.html: compared by precedence.

A leading ``v`` is tolerated, for so tags are written; so is nothing else: ``1.2`` is no version.
Build metadata does not count: 1.0.0+linux is equal to 1.0.0.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from flags.engine.operators.base import Build, Predicate, Values, cost_of_reading
from portal.lib.documents.readers import list_of, refuse

_MAX_CHARS: Final = 256
_NUMBER: Final = r"0|[1-9][0-9]*"
_VERSION: Final = re.compile(
    rf"v?({_NUMBER})(?:\.({_NUMBER})(?:\.({_NUMBER})"
    rf"(?:-((?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    rf"(?:\.(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?"
)

Version: TypeAlias = tuple[Any, ...]
"""(major, minor, patch, pre-release) that compare as versions do; each but the last a number."""


def parse_version(value: object, *, is_short_allowed: bool = False) -> Version | None:
    """A version to compare with others; None for what is none.

    With ``is_short_allowed`` 1 and 1.2 stand for 1.0.0 and 1.2.0, as flagd has it.
    """
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        return None
    found = _VERSION.fullmatch(value)
    if not found or (found[3] is None and not is_short_allowed):
        return None
    numbers = (_number(found[place] or "0") for place in (1, 2, 3))
    return (*numbers, _pre_release(found[4]))


def _number(digits: str) -> tuple[int, str]:
    """Compares as the number does, of however many digits: none has leading zeros."""
    return (len(digits), digits)


def _pre_release(text: str | None) -> tuple[Any, ...]:
    """A version without one comes after all that have one; numbers come before words."""
    if text is None:
        return (1,)
    parts = text.split(".")
    return (0, [(0, *_number(part)) if part.isdigit() else (1, part) for part in parts])


cost_of_versions: Final = cost_of_reading(_MAX_CHARS, 60)


def compared(compare: Callable[[Version, Version], bool]) -> Build:
    """An operator that compares the attribute's version with the one value."""

    def build(values: Values) -> Predicate:
        bound = parse_version(values[0])
        assert bound is not None  # read_version saw to it

        def does_compare(value: object) -> bool:
            version = parse_version(value)
            return version is not None and compare(version, bound)

        return does_compare

    return build


def _read_version(value: object) -> str:
    if not isinstance(value, str) or parse_version(value) is None:
        refuse("Give a semantic version of three numbers, such as 1.2.0 or 2.0.0-beta.1.")
    return value


read_version = list_of(_read_version, least=1, most=1)
