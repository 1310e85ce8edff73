"""``matches``: RE2 patterns, searched for anywhere in a text unless the pattern is anchored.

RE2 takes time linear in the text whatever the pattern; the text's length is bounded too.
"""

from typing import Any, Final

import re2

from flags.engine.limits import (
    MAX_CONDITION_TEXT_CHARS,
    MAX_MATCHED_CHARS,
    MAX_PATTERN_BYTES,
    MAX_PATTERNS,
)
from flags.engine.operators.base import Build, Cost, Predicate, Values
from portal.lib.documents.readers import list_of, quote, refuse
from portal.lib.documents.scalars import text


def _compile(pattern: str, *, ignore_case: bool) -> Any:
    """The compiled pattern; re2.error where it is none, or needs too much memory."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_PATTERN_BYTES
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


def _matching(*, ignore_case: bool) -> Build:
    def build(values: Values) -> Predicate:
        # One by one: joined with "|", an unclosed \Q of one would swallow those behind it.
        searches = [_compile(str(value), ignore_case=ignore_case).search for value in values]

        def matches(value: object) -> bool:
            encoded = _encode(value)
            return encoded is not None and any(search(encoded) for search in searches)

        return matches

    return build


def cost_of_matches(values: Values) -> Cost:
    """RE2 usually takes a step per character, but one per instruction where it has to."""
    size: int = sum(_compile(str(v), ignore_case=False).programsize for v in values)

    def cost(value: object) -> int:
        if not isinstance(value, str) or len(value) > MAX_MATCHED_CHARS:
            return 0
        return len(value) * size >> 5

    return cost


def _encode(value: object) -> bytes | None:
    """A text's bytes; None for what no pattern is searched in."""
    if not isinstance(value, str) or len(value) > MAX_MATCHED_CHARS:
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return None


matches: Final = _matching(ignore_case=False)
matches_folded: Final = _matching(ignore_case=True)

_read_text = text(MAX_CONDITION_TEXT_CHARS, least=1)


def _read_pattern(value: object) -> str:
    pattern = _read_text(value)
    try:
        # Both ways, for ignoring case may be what makes a pattern too large.
        _compile(pattern, ignore_case=False)
        _compile(pattern, ignore_case=True)
    except re2.error as error:
        refuse(f"RE2 cannot use this pattern: {_explain(error)}.")
    return pattern


def _explain(error: Exception) -> str:
    (reason,) = error.args
    return quote(reason.decode(errors="replace") if isinstance(reason, bytes) else reason, 200)


read_patterns = list_of(_read_pattern, least=1, most=MAX_PATTERNS)
