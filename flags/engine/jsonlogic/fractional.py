"""flagd's ``fractional``: a variant by weight, the same for the same bucketing value.

Three generations of flagd place a value differently. ``murmur3`` is that of flagd today (core/pkg/
evaluator/fractional.go): the text's hash on a line as long as the weights' sum. ``float`` came
before it: the hash as a percentage. ``cbor`` comes after: the value's CBOR is hashed, so that it
may be of any type; openfeature-flagd-core 2 has it already.

A distribution is a list of its variant and its weight, 1 where none is given. The first argument
is the bucketing value, unless it is a distribution: then flag key and targeting key are.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import mmh3

from flags.engine.buckets import hash_text
from flags.engine.document import DEFAULT_BUCKETING
from flags.engine.jsonlogic import cbor
from flags.engine.jsonlogic.eager import Function
from flags.engine.jsonlogic.loose import is_number
from flags.engine.limits import MAX_FLAGD_TOTAL

_Share: TypeAlias = tuple[object, int]
_Values: TypeAlias = list[object]
_Keys: TypeAlias = tuple[str, str]


class _Refused(ValueError):
    """An argument that ``fractional`` cannot use; it then answers null."""


@dataclass(frozen=True, slots=True)
class Fractional:
    """A generation: what is hashed, what its shares may be, and how the hash picks one."""

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
    """The flag's key and the targeting key."""
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
    """Anything but a list is a bucketing value, and null is none."""
    if not arguments or arguments[0] is None:
        raise _Refused("no bucketing value")
    first, *others = arguments
    if not isinstance(first, list):
        return _hash_bytes(cbor.encode(first)), others
    keys = _keys(data)
    if not keys[1]:
        raise _Refused("no targeting key")
    return _hash_bytes(cbor.encode(keys)), arguments


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
    """Weights below 0, as calculated ones may become, are 0."""
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
