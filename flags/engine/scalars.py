import re
from collections.abc import Mapping

from flags.engine.document import ValueType
from flags.engine.limits import (
    MAX_CONDITION_TEXT_CHARS,
    MAX_DESCRIPTION_CHARS,
    MAX_KEY_CHARS,
    MAX_METADATA,
    MAX_NAME_CHARS,
    MAX_RULE_ID_CHARS,
    MAX_SAFE_INTEGER,
    MAX_SALT_CHARS,
    MAX_STRING_VALUE_CHARS,
    MAX_VALUE_DEPTH,
    MAX_VARIANT_KEY_CHARS,
)
from flags.engine.results import Scalar
from portal.lib.documents import (
    Reader,
    integer,
    name,
    read_boolean,
    read_number,
    refuse,
    text,
)

_RULE_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_RULE_ID_CHARS}}}")


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


def read_rule_id(value: object) -> str:
    if not isinstance(value, str) or not _RULE_ID.fullmatch(value):
        refuse(f"Give an id of 1 to {MAX_RULE_ID_CHARS} letters, digits, hyphens, underscores.")
    return value


read_safe_integer = integer(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)


_read_condition_text = text(MAX_CONDITION_TEXT_CHARS)


def read_number_as_is(value: object) -> int | float:
    """A finite number; an integer stays one, and must be one that JavaScript holds exactly."""
    if isinstance(value, int) and not isinstance(value, bool):
        return read_safe_integer(value)
    return read_number(value)


def read_condition_value(value: object) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return read_number_as_is(value)
    if not isinstance(value, str):
        refuse("Give a text, a number, true or false.")
    return _read_condition_text(value)


def read_json_object(value: object) -> dict[str, object]:
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

ABOUT: dict[str, Reader[object]] = {
    "name": name(MAX_NAME_CHARS),
    "description": text(MAX_DESCRIPTION_CHARS),
}
