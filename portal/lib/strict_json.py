"""JSON as it may enter: one meaning for every reader, and nothing that a database cannot keep."""

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn

from portal.lib.documents import UNSTORABLE

MAX_DEPTH: Final = 100
MAX_PARTS: Final = 1_000_000
"""Commas and opening brackets: what reading costs goes with their number, not with the size."""
# In a text of JSON what cannot be stored can only come from an escape.
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# What numbers look like that may be too large. Looking at each one would take five times as long.
_LARGE = re.compile(r"(?<![0-9])[0-9]{300}|[0-9.][eE]\+?[0-9]{3}")


class NotStrict(ValueError):
    """What was sent is refused; the text is one sentence for people."""


def loads(raw: bytes) -> Any:
    """The document in ``raw``, as UTF-8. Raises NotStrict.

    Refused beside malformed JSON: numbers that are not finite, a name that stands twice in an
    object, NUL characters and lone surrogates, more than 100 levels, and so many values that
    reading them would take longer than a second.
    """
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_PARTS:
        refuse_crowds(MAX_PARTS)
    try:
        text = raw.decode("utf-8-sig")
        is_large = _LARGE.search(text) is not None
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite if is_large else None,
            parse_int=_whole if is_large else None,
        )
    except UnicodeDecodeError:
        raise NotStrict("Send JSON in UTF-8.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotStrict(f"This is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        refuse_depth()
    if _ESCAPED.search(text):
        check(document)
    else:
        _check_depth(document)
    return document


def loads_text(text: str) -> Any:
    """The document in a field of a form. Raises NotStrict."""
    return loads(text.encode("utf-8", "surrogatepass"))


def _check_depth(document: object) -> None:
    """All that is left to check of what was read from JSON without escapes."""
    level = [document]
    for _depth in range(MAX_DEPTH):
        level = [
            one
            for value in level
            if isinstance(value, dict | list) and value
            for one in (value.values() if isinstance(value, dict) else value)
            if type(one) is dict or type(one) is list
        ]
        if not level:
            return
    refuse_depth()


def check(document: object) -> None:
    """Refuse what JSON cannot say or a database cannot keep. Raises NotStrict."""
    levels: list[object] = [document]
    seen: set[int] = set()
    for _depth in range(MAX_DEPTH):
        below: list[object] = []
        for value in levels:
            _check_one(value, below, seen)
        if not below:
            return
        levels = below
    refuse_depth()


def _check_one(value: object, below: list[object], seen: set[int]) -> None:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            raise NotStrict("Remove the NUL characters and lone surrogates from the texts.")
    elif isinstance(value, dict | list):
        if id(value) in seen:
            raise NotStrict("Write every part out; references to other parts are not read.")
        seen.add(id(value))
        if isinstance(value, dict):
            _check_names(value)
        below.extend(value.values() if isinstance(value, dict) else value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotStrict("Use finite numbers only.")
    elif value is not None and not isinstance(value, bool | int | float):
        raise NotStrict(f"Use JSON's own types only, not {type(value).__name__}.")


def _check_names(members: dict[Any, object]) -> None:
    for name in members:
        if not isinstance(name, str):
            raise NotStrict(f"Put the name {str(name)[:60]} into quotes; names are texts.")
        if UNSTORABLE.search(name):
            raise NotStrict("Remove the NUL characters and lone surrogates from the names.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        (twice, _times) = Counter(name for name, _value in pairs).most_common(1)[0]
        raise NotStrict(f"The name {twice[:60]!a} stands twice in one object.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is not a JSON number.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict(f"The number {text[:40]} is too large.")
    return number


def _whole(text: str) -> int:
    if len(text) > 400:
        raise NotStrict(f"A number has {len(text)} digits; that is too large.")
    return int(text)


def refuse_depth() -> NoReturn:
    """Raise NotStrict for what nests too deep."""
    raise NotStrict(f"Nest lists and objects at most {MAX_DEPTH} deep.")


def refuse_crowds(most: int, advice: str = "send it in several parts") -> NoReturn:
    """Raise NotStrict for what would take too long to read."""
    raise NotStrict(f"This holds more than {most:,} values and brackets: {advice}.")
