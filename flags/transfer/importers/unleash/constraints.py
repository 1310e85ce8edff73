"""Unleash's constraints as conditions of ours.

A constraint on a missing attribute holds only where it is inverted or NOT_IN. Whatever no SDK can
read, an unknown operator or a text for a number, makes its strategy match nobody, inverted or
not; the older SDKs say so of the constraint, the newer ones even of the whole toggle.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flags.engine import DocumentError, limits
from flags.engine.document import NOW, TARGETING_KEY
from flags.engine.operators.instants import parse_version
from flags.engine.operators.networks import read_patterns
from flags.transfer.importers.base import (
    NEVER,
    Document,
    any_of,
    combine,
    negate,
    quote,
    refuse,
    test,
)

# Taking the parts of a toggle out of JSON, each with a name for the report if it is wrong.

Object: TypeAlias = Mapping[str, Any]


class NeverHolds(ValueError):
    """A strategy that matches nobody in Unleash, whatever else it says; the text is the reason."""


def objects_in(parent: Object, field: str, path: str = "") -> Iterator[tuple[Object, str]]:
    for index, item in enumerate(list_in(parent, field, path)):
        place = f"{path}{field}[{index}]"
        if not isinstance(item, Mapping):
            refuse(place, f"expected an object, found {quote(item)}")
        yield item, place


def list_in(parent: Object, field: str, path: str = "") -> list[Any]:
    found = parent.get(field)
    if found is None:
        return []
    if not isinstance(found, list):
        refuse(f"{path}{field}", f"expected a list, found {quote(found)}")
    return found


def text_in(parent: Object, field: str, path: str = "") -> str:
    found = parent.get(field)
    if not isinstance(found, str):
        refuse(f"{path}{field}", f"expected a text, found {quote(found)}")
    return found


def switch_in(parent: Object, field: str, path: str = "", *, default: bool | None = False) -> bool:
    found = default if parent.get(field) is None else parent[field]
    if not isinstance(found, bool):
        refuse(f"{path}{field}", f"expected true or false, found {quote(found)}")
    return found


def texts_in(parent: Object, field: str, path: str = "") -> list[str]:
    return [
        written(item, f"{path}{field}[{index}]")
        for index, item in enumerate(list_in(parent, field, path))
    ]


def written(value: object, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        refuse(path, f"expected a text, found {quote(value)}")
    return str(value)


Build: TypeAlias = Callable[[str], Document]
"""From an attribute to a condition that never holds where it is missing."""

_STAND_INS: Final = {"userId": TARGETING_KEY, "currentTime": NOW}
_ALWAYS_TEXTS: Final = frozenset(
    {"userId", "sessionId", "environment", "appName", "remoteAddress", "currentTime"}
)


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint, its parts checked; ``value`` is empty where it has none."""

    attribute: str
    operator: str
    value: str
    values: list[str]
    ignore_case: bool
    inverted: bool


def read_constraint(node: Object, path: str) -> Document:
    """The condition it stands for. Raises NeverHolds, and NotExpressible for what is malformed."""
    place = f"{path}."
    value = node.get("value")
    constraint = Constraint(
        attribute=text_in(node, "contextName", place),
        operator=text_in(node, "operator", place),
        value="" if value is None else written(value, f"{place}value"),
        values=texts_in(node, "values", place),
        ignore_case=switch_in(node, "caseInsensitive", place),
        inverted=switch_in(node, "inverted", place),
    )
    build = _OPERATORS.get(constraint.operator)
    if build is None:
        raise NeverHolds(f"{path}: the operator {quote(constraint.operator)} is unknown")
    try:
        condition = on_attribute(constraint.attribute, build(constraint))
    except NeverHolds as never:
        raise NeverHolds(f"{path}: {never}") from None
    is_negated = constraint.inverted != (constraint.operator == "NOT_IN")
    return negate(condition) if is_negated else condition


def on_attribute(name: str, build: Build) -> Document:
    stand_in = _STAND_INS.get(name)
    if stand_in is None:
        return build(name)
    instead = build(stand_in)
    if instead == NEVER:
        return NEVER
    return {"any": [build(name), combine([test(name, "not_exists"), instead])]}


def is_one_of(values: list[str], *, ignore_case: bool = False) -> Build:
    return lambda attribute: _one_of(attribute, values, ignore_case)


def _one_of(attribute: str, values: list[str], ignore_case: bool) -> Document:
    wanted: list[object] = [*dict.fromkeys(values)]
    if attribute not in _ALWAYS_TEXTS:
        wanted += [one for value in dict.fromkeys(values) for one in _typed(value)]
    most = limits.MAX_CONDITION_VALUES
    parts = [wanted[start : start + most] for start in range(0, len(wanted), most)]
    tests = [test(attribute, "in", *part) for part in parts]
    return any_of([_folded(one, ignore_case) for one in tests]) if tests else NEVER


def _typed(value: str) -> list[object]:
    """The number or switch that SDKs would have written like this."""
    if value in ("true", "false"):
        return [value == "true"]
    is_whole = re.fullmatch(r"0|-?[1-9][0-9]{0,14}", value)
    if is_whole:
        return [int(value)]
    return [float(value)] if re.fullmatch(r"-?(0|[1-9]\d{0,9})\.\d{0,5}[1-9]", value) else []


def _folded(condition: Document, ignore_case: bool) -> Document:
    return {**condition, "ignore_case": True} if ignore_case else condition


def _in(constraint: Constraint) -> Build:
    return is_one_of(constraint.values, ignore_case=constraint.ignore_case)


def _text(name: str) -> Callable[[Constraint], Build]:
    def build(constraint: Constraint) -> Build:
        values = constraint.values
        if not values:
            raise NeverHolds("it has no values")
        if "" in values:  # every text begins with, ends with and contains the empty one
            return lambda attribute: test(attribute, "contains", "")
        return lambda attribute: _folded(test(attribute, name, *values), constraint.ignore_case)

    return build


_NUMBER: Final = re.compile(
    r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE
)


def _number(name: str) -> Callable[[Constraint], Build]:
    def build(constraint: Constraint) -> Build:
        if not _NUMBER.fullmatch(constraint.value):
            raise NeverHolds(f"{quote(constraint.value)} is no number")
        number = float(constraint.value)
        is_short = number.is_integer() and abs(number) <= limits.MAX_SAFE_INTEGER
        bound = int(number) if is_short else number
        return lambda attribute: test(attribute, name, bound)

    return build


_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


def _time(name: str) -> Callable[[Constraint], Build]:
    def build(constraint: Constraint) -> Build:
        if not _TIME.fullmatch(constraint.value):
            raise NeverHolds(f"{quote(constraint.value)} is no point in time")
        return lambda attribute: test(attribute, name, constraint.value)

    return build


def _version(name: str) -> Callable[[Constraint], Build]:
    def build(constraint: Constraint) -> Build:
        value = constraint.value
        if not value or value.startswith("v"):
            raise NeverHolds(f"{quote(value)} is no version")
        if parse_version(value) is None:
            return lambda _attribute: NEVER
        no_tag = "v"  # we read v1.2.0 as 1.2.0, which is no version there
        return lambda attribute: combine(
            [test(attribute, name, value), negate(test(attribute, "starts_with", no_tag))]
        )

    return build


def _pattern(constraint: Constraint) -> Build:
    pattern = constraint.value
    try:
        read_patterns([pattern or "."])
    except DocumentError:
        return lambda _attribute: NEVER
    if not pattern:
        return lambda attribute: test(attribute, "contains", "")
    return lambda attribute: _folded(test(attribute, "matches", pattern), constraint.ignore_case)


def _in_networks(constraint: Constraint) -> Build:
    return is_within(constraint.values)


_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def is_within(networks: list[str]) -> Build:
    """Whether the attribute is an address in one of the networks; invalid networks are ignored.

    To us 10.0.0.1 and ::ffff:10.0.0.1 are the same; Unleash keeps them apart.
    """
    found = [network for network in map(_network, networks) if network is not None]
    if any(n.version == 6 and n.overlaps(_MAPPED) for n in found):
        refuse("", "a network that holds IPv4 addresses written as IPv6 ones is not available")
    version_4 = [str(network) for network in found if network.version == 4]
    version_6 = [str(network) for network in found if network.version == 6]

    def build(attribute: str) -> Document:
        parts = [test(attribute, "in_cidr", *version_6)] if version_6 else []
        if version_4:
            plain = test(attribute, "not_contains", ":")
            parts.append(combine([test(attribute, "in_cidr", *version_4), plain]))
        return any_of(parts) if parts else NEVER

    return build


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return None if "%" in text else ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


_OPERATORS: Final[dict[str, Callable[[Constraint], Build]]] = {
    "IN": _in,
    "NOT_IN": _in,
    "STR_STARTS_WITH": _text("starts_with"),
    "STR_ENDS_WITH": _text("ends_with"),
    "STR_CONTAINS": _text("contains"),
    "NUM_EQ": _number("num_eq"),
    "NUM_GT": _number("num_gt"),
    "NUM_GTE": _number("num_gte"),
    "NUM_LT": _number("num_lt"),
    "NUM_LTE": _number("num_lte"),
    "DATE_AFTER": _time("after"),
    "DATE_BEFORE": _time("before"),
    "SEMVER_EQ": _version("semver_eq"),
    "SEMVER_GT": _version("semver_gt"),
    "SEMVER_GTE": _version("semver_gte"),
    "SEMVER_LT": _version("semver_lt"),
    "SEMVER_LTE": _version("semver_lte"),
    "REGEX": _pattern,
    "IN_CIDR": _in_networks,
}
