"""JSON as it may enter: one meaning for every reader, and nothing that a database cannot keep."""

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 100
# Neither PostgreSQL nor UTF-8 can hold them. In a text of JSON they can only come from an escape.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class NotStrict(ValueError):
    """What was sent is refused; the text is one sentence for people."""


def loads(raw: bytes) -> Any:
    """The document in ``raw``, as UTF-8. Raises NotStrict.

    Refused beside what is no JSON: numbers that are not finite, a name that stands twice in an
    object, NUL characters and lone surrogates, and more than 100 levels.
    """
    try:
        text = raw.decode("utf-8-sig")
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError:
        raise NotStrict("Send JSON in UTF-8.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise NotStrict(f"This is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        refuse_depth()
    check(document, texts=_ESCAPED.search(text) is not None)
    return document


def check(document: object, *, texts: bool = True) -> None:
    """Refuse what JSON cannot say or a database cannot keep. Raises NotStrict.

    ``texts`` False spares the look into each text where it is known to be fine.
    """
    levels: list[object] = [document]
    seen: set[int] = set()
    for _depth in range(MAX_DEPTH):
        below: list[object] = []
        for value in levels:
            _check_one(value, below, seen, texts)
        if not below:
            return
        levels = below
    refuse_depth()


def _check_one(value: object, below: list[object], seen: set[int], texts: bool) -> None:
    if isinstance(value, str):
        if texts and _UNSTORABLE.search(value):
            raise NotStrict("Remove the NUL characters and lone surrogates from the texts.")
    elif isinstance(value, dict | list):
        if id(value) in seen:
            raise NotStrict("Write every part out; references to other parts are not read.")
        seen.add(id(value))
        if isinstance(value, dict):
            _check_names(value, texts)
        below.extend(value.values() if isinstance(value, dict) else value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotStrict("Use finite numbers only.")
    elif value is not None and not isinstance(value, bool | int | float):
        raise NotStrict(f"Use JSON's own types only, not {type(value).__name__}.")


def _check_names(members: dict[Any, object], texts: bool) -> None:
    for name in members:
        if not isinstance(name, str):
            raise NotStrict(f"Put the name {str(name)[:60]} into quotes; names are texts.")
        if texts and _UNSTORABLE.search(name):
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
