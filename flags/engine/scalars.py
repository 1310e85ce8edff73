"""Readers of single values: texts, names, numbers, and the values of variants."""

import math
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal

from flags.engine.document import ValueType
from flags.engine.limits import (
    MAX_CONDITION_TEXT_CHARS,
    MAX_KEY_CHARS,
    MAX_METADATA,
    MAX_RULE_ID_CHARS,
    MAX_SAFE_INTEGER,
    MAX_SALT_CHARS,
    MAX_STRING_VALUE_CHARS,
    MAX_VALUE_DEPTH,
    MAX_VARIANT_KEY_CHARS,
)
from flags.engine.reading import Reader, refuse
from flags.engine.results import Scalar

# Neither can be stored by PostgreSQL nor, a lone surrogate, be encoded as UTF-8.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_RULE_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_RULE_ID_CHARS}}}")


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
        if _UNSTORABLE.search(value):
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


def read_flag_key(value: object) -> str:
    """A flag's key: it goes into URLs, where "." and empty segments would be normalised away."""
    key = _read_key(value)
    if {"", ".", ".."} & set(key.split("/")):
        refuse('Remove empty, "." and ".." parts between the slashes of this key.')
    return key


_read_key = name(MAX_KEY_CHARS, least=1)
read_variant_key = name(MAX_VARIANT_KEY_CHARS, least=1)
read_salt = name(MAX_SALT_CHARS, least=1)
read_segment_key = read_flag_key
"""Keys of segments and exclusion groups go into URLs too."""


def read_rule_id(value: object) -> str:
    """A rule's id, stable for as long as the rule lives."""
    if not isinstance(value, str) or not _RULE_ID.fullmatch(value):
        refuse(f"Give an id of 1 to {MAX_RULE_ID_CHARS} letters, digits, hyphens, underscores.")
    return value


def integer(least: int, most: int) -> Reader[int]:
    """A whole number from ``least`` to ``most``, written as one: 1.0 is refused."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse("Give a whole number.")
        if not least <= value <= most:
            refuse(f"Give a whole number from {least} to {most}.")
        return value

    return read


read_safe_integer = integer(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)


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


_read_condition_text = text(MAX_CONDITION_TEXT_CHARS)


def read_number_as_is(value: object) -> int | float:
    """A finite number; an integer stays one, and must be one that JavaScript holds exactly."""
    if isinstance(value, int) and not isinstance(value, bool):
        return read_safe_integer(value)
    return read_number(value)


def read_percentage(value: object) -> int:
    """A percentage in thousandths, exactly: the decimal number as it was written, times 1000."""
    percent = read_number(value)
    thousandths = Decimal(repr(percent)) * 1000
    if not 0 <= percent <= 100 or thousandths % 1:
        refuse("Give a percentage from 0 to 100 with at most 3 decimals.")
    return int(thousandths)


def read_condition_value(value: object) -> Scalar:
    """A text, number or boolean to compare an attribute with."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return read_number_as_is(value)
    if not isinstance(value, str):
        refuse("Give a text, a number, true or false.")
    return _read_condition_text(value)


def read_json_object(value: object) -> dict[str, object]:
    """A JSON object; what it holds may be any JSON."""
    if not isinstance(value, Mapping):
        refuse("Give a JSON object.")
    return _read_members(value, MAX_VALUE_DEPTH - 1)


def _read_json(value: object, levels: int) -> object:
    if value is None:
        return None
    if isinstance(value, list | tuple | Mapping) and not levels:
        refuse(f"Nest lists and objects at most {MAX_VALUE_DEPTH} deep.")
    if isinstance(value, list | tuple):
        return [_read_json(item, levels - 1) for item in value]
    if isinstance(value, Mapping):
        return _read_members(value, levels - 1)
    return _read_leaf(value)


def _read_members(members: Mapping[object, object], levels: int) -> dict[str, object]:
    return {_read_value_text(key): _read_json(item, levels) for key, item in members.items()}


_read_value_text = text(MAX_STRING_VALUE_CHARS)


def _read_leaf(value: object) -> Scalar:
    return _read_value_text(value) if isinstance(value, str) else read_condition_value(value)


_read_metadata_name = name(MAX_KEY_CHARS, least=1)


def read_metadata(value: object) -> dict[str, Scalar]:
    """What answers carry along: an object of texts, numbers and booleans."""
    if not isinstance(value, Mapping):
        refuse("Give an object of texts, numbers and booleans.")
    if len(value) > MAX_METADATA:
        refuse(f"Give at most {MAX_METADATA} fields.")
    return {_read_metadata_name(key): _read_leaf(one) for key, one in value.items()}


VALUE_READERS: dict[ValueType, Reader[object]] = {
    ValueType.BOOLEAN: read_boolean,
    ValueType.STRING: _read_value_text,
    ValueType.INTEGER: read_safe_integer,
    ValueType.NUMBER: read_number,
    ValueType.OBJECT: read_json_object,
}
