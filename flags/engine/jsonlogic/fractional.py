"""flagd's ``fractional``: a variant by weight, the same for the same bucketing value.

Three generations of flagd place a value differently. ``murmur3`` is that of flagd today (core/pkg/
evaluator/fractional.go): the text's hash on a line as long as the weights' sum. ``float`` came
before it: the hash as a percentage. ``cbor`` comes after: the value's CBOR is hashed, so that it
may be of any type; openfeature-flagd-core 2 has it already.

A distribution is a list of its variant and its weight, 1 where none is given. The first argument
is the bucketing value, unless it is a distribution: then flag key and targeting key are.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import mmh3

from flags.engine.buckets import hash_text
from flags.engine.document import DEFAULT_BUCKETING
from flags.engine.jsonlogic.eager import Function
from flags.engine.limits import MAX_FLAGD_TOTAL
from flags.engine.operators.base import is_number

_Share: TypeAlias = tuple[object, int]
_Values: TypeAlias = list[object]
_Keys: TypeAlias = tuple[str, str]


class _Refused(ValueError):
    """An argument that ``fractional`` cannot use; it then answers null."""


@dataclass(frozen=True, slots=True)
class Fractional:
    split: Callable[[_Values, object], tuple[int, _Values]]
    read_share: Callable[[object], _Share]
    place: Callable[[int, list[_Share]], object]

    def run(self, arguments: list[object], data: object) -> object:
        try:
            point, distributions = self.split(arguments, data)
            shares = [self.read_share(value) for value in distributions]
            if sum(weight for _variant, weight in shares) > MAX_FLAGD_TOTAL:
                raise _Refused("too heavy")
            return self.place(point, shares)
        except ValueError:  # of ours, and of texts with lone surrogates
            return None


def _keys(data: object) -> _Keys:
    if not isinstance(data, Mapping):
        raise _Refused("no context")
    targeting_key = data.get("targetingKey")
    about = data.get("$flagd")
    flag_key = about.get("flagKey") if isinstance(about, Mapping) else None
    if not isinstance(targeting_key, str):
        raise _Refused("no targeting key")
    return (flag_key if isinstance(flag_key, str) else "", targeting_key)


def _split_text(arguments: _Values, data: object) -> tuple[int, _Values]:
    """Texts alone are bucketing values; null means the keys, like no value at all."""
    if len(arguments) < 2:
        raise _Refused("too few arguments")
    first, *others = arguments
    if isinstance(first, str):
        return hash_text(first), others
    return hash_text("".join(_keys(data))), others if first is None else arguments


def _split_any(arguments: _Values, data: object) -> tuple[int, _Values]:
    if not arguments or arguments[0] is None:
        raise _Refused("no bucketing value")
    first, *others = arguments
    if not isinstance(first, list):
        return _hash_bytes(encode(first)), others
    keys = _keys(data)
    if not keys[1]:
        raise _Refused("no targeting key")
    return _hash_bytes(encode(keys)), arguments


def _hash_bytes(data: bytes) -> int:
    return mmh3.hash(data, 0, False)


def _items(distribution: object) -> list[object]:
    if not isinstance(distribution, list) or not distribution:
        raise _Refused("no distribution")
    return distribution


def _read_text_share(distribution: object) -> _Share:
    variant, *rest = _items(distribution)
    if not isinstance(variant, str):
        raise _Refused("no variant")
    weight = rest[0] if rest and is_number(rest[0]) else 1
    return variant, int(weight) if math.isfinite(weight) else 0  # type: ignore[call-overload, arg-type]


def _read_share(distribution: object) -> _Share:
    variant, *rest = _items(distribution)
    if isinstance(variant, (list, Mapping)):
        raise _Refused("no variant")
    weight = 1 if not rest or rest[0] is None else rest[0]
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        raise _Refused("no weight")
    if not 0 <= weight <= MAX_FLAGD_TOTAL or weight != int(weight):
        raise _Refused("no whole weight")
    return variant, int(weight)


def _read_clamped_share(distribution: object) -> _Share:
    variant, *rest = _items(distribution)
    weight = 1 if not rest or rest[0] is None else rest[0]
    if is_number(weight) and weight < 0:  # type: ignore[operator]
        weight = 0
    return _read_share([variant, weight])


def _place_float(point: int, shares: list[_Share]) -> object:
    """The hash, signed, without its sign, as a percentage; nobody's at the very end."""
    total = sum(weight for _variant, weight in shares)
    signed = point - 2**32 if point >= 2**31 else point
    bucket = abs(signed) / (2**31 - 1) * 100
    end = 0.0
    for variant, weight in shares:
        end += 100 * weight / total if total else 0
        if bucket < end:
            return variant
    return ""


def _place_whole(point: int, shares: list[_Share]) -> object:
    bucket = point * sum(weight for _variant, weight in shares) >> 32
    end = 0
    for variant, weight in shares:
        end += weight
        if bucket < end:
            return variant
    return ""


def _place_some(point: int, shares: list[_Share]) -> object:
    return _place_whole(point, shares) if any(weight for _variant, weight in shares) else None


FRACTIONALS: Final[dict[str, Function]] = {
    "float": Fractional(_split_text, _read_text_share, _place_float).run,
    DEFAULT_BUCKETING: Fractional(_split_text, _read_share, _place_whole).run,
    "cbor": Fractional(_split_any, _read_clamped_share, _place_some).run,
}


# Plain JSON values in canonical CBOR, RFC 7049 section 3.9: what flagd hashes since its testbed 3.
# Whole numbers are integers, however they are written: 7.0 is 7.


MAX_DEPTH: Final = 50


def encode(value: object, levels: int = MAX_DEPTH) -> bytes:
    """The value's bytes.

    Raises ValueError for what JSON does not have, lone surrogates, and what is nested too deeply.
    """
    if not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(encode(item, levels - 1) for item in value)
    if isinstance(value, Mapping):
        encoded = ((encode(key), encode(item, levels - 1)) for key, item in value.items())
        pairs = sorted(encoded, key=lambda pair: (len(pair[0]), pair[0]))
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise ValueError(type(value).__name__)


def _head(kind: int, size: int) -> bytes:
    if size < 24:
        return bytes([kind << 5 | size])
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if size < 1 << 8 * width:
            return bytes([kind << 5 | code]) + size.to_bytes(width, "big")
    raise ValueError("too large")


def _number(value: float) -> bytes:
    if -(2**63) <= value < 2**64 and value == int(value):
        integer = int(value)
        return _head(0, integer) if integer >= 0 else _head(1, -1 - integer)
    try:
        return _float(float(value))
    except OverflowError:
        raise ValueError("no number of JSON's") from None


def _float(value: float) -> bytes:
    if math.isnan(value):
        return b"\xf9\x7e\x00"
    for code, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return code + packed
    return b"\xfb" + struct.pack(">d", value)
