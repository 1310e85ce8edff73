"""The operators of attribute tests: a table of functions.

An operator builds, once, from its values a predicate over the attribute's value. They share:

- A missing attribute, like one that is null, arrives as None. None is of no type, so it fails
  every positive operator. A negated operator is the exact negation of its positive one, so it
  matches there; so does ``not_exists``.
- Nothing raises on a value of the wrong type: it does not match (and the negation does).
- Types are strict: "5" is not 5 and True is not 1; but numbers compare as such, 1 == 1.0. Only the
  ``num_`` ones read a number out of a text.
- ``contains`` looks for any of its texts in a text, or for any of its values in a list; the
  ``array_`` ones look into lists alone.
- With ``ignore_case`` both sides are case-folded (Unicode's full folding: "ß" is "ss"); patterns
  are matched without regard to case instead.
- Work is bounded: ``build_cost`` tells before what it comes to for a value, and what is too long
  for what an operator reads (a version, an address, a point in time, a text to search for
  patterns) does not match.
"""

import operator
from collections.abc import Callable
from typing import Final

from flags.engine.limits import MAX_CONDITION_TEXT_CHARS, MAX_CONDITION_VALUES
from flags.engine.operators import comparing, instants, networks
from flags.engine.operators.base import Cost, Operator, Predicate, Values, negated
from flags.engine.scalars import read_condition_value, read_number_as_is
from portal.lib.documents import Reader, list_of, text

__all__ = ["OPERATORS", "Cost", "Operator", "Predicate", "Values", "build_cost", "build_predicate"]

_read_one = list_of(read_condition_value, least=1, most=1)
_read_number: Reader[Values] = list_of(read_number_as_is, least=1, most=1)
_read_many = list_of(read_condition_value, least=1, most=MAX_CONDITION_VALUES)
_read_texts: Reader[Values] = list_of(
    text(MAX_CONDITION_TEXT_CHARS, least=1), least=1, most=MAX_CONDITION_VALUES
)


def _ordering(compare: comparing.Comparison) -> Operator:
    return Operator(comparing.ordering(compare), _read_number)


def _version(compare: comparing.Comparison) -> Operator:
    return Operator(
        instants.comparing(instants.parse_version, compare),
        instants.read_version,
        cost=instants.cost_of_versions,
    )


def _written(compare: Callable[[float, float], bool]) -> Operator:
    return Operator(comparing.written(compare), _read_number, cost=comparing.cost_of_written)


def _instant(compare: comparing.Comparison) -> Operator:
    return Operator(
        instants.comparing(instants.seconds_of, compare),
        instants.read_instants,
        cost=instants.cost_of_instants,
    )


OPERATORS: Final[dict[str, Operator]] = {
    "in": Operator(comparing.is_in, _read_many, ignores_case=True),
    "not_in": Operator(negated(comparing.is_in), _read_many, ignores_case=True),
    "equals": Operator(comparing.is_in, _read_one, ignores_case=True),
    "not_equals": Operator(negated(comparing.is_in), _read_one, ignores_case=True),
    "contains": Operator(
        comparing.contains, _read_many, ignores_case=True, cost=comparing.cost_of_contains
    ),
    "not_contains": Operator(
        negated(comparing.contains), _read_many, ignores_case=True, cost=comparing.cost_of_contains
    ),
    "starts_with": Operator(
        comparing.starts_with, _read_texts, ignores_case=True, cost=comparing.cost_of_affixes
    ),
    "ends_with": Operator(
        comparing.ends_with, _read_texts, ignores_case=True, cost=comparing.cost_of_affixes
    ),
    "matches": Operator(
        networks.matches,
        networks.read_patterns,
        ignores_case=True,
        build_folded=networks.matches_folded,
        cost=networks.cost_of_matches,
    ),
    "gt": _ordering(operator.gt),
    "gte": _ordering(operator.ge),
    "lt": _ordering(operator.lt),
    "lte": _ordering(operator.le),
    "num_eq": _written(comparing.is_close),
    "num_gt": _written(operator.gt),
    "num_gte": _written(operator.ge),
    "num_lt": _written(operator.lt),
    "num_lte": _written(operator.le),
    "before": _instant(operator.lt),
    "after": _instant(operator.gt),
    "semver_eq": _version(operator.eq),
    "semver_gt": _version(operator.gt),
    "semver_gte": _version(operator.ge),
    "semver_lt": _version(operator.lt),
    "semver_lte": _version(operator.le),
    "in_cidr": Operator(networks.in_cidr, networks.read_networks, cost=networks.cost_of_networks),
    "modulo": Operator(comparing.modulo, comparing.read_divisor_and_remainder),
    "array_contains_any": Operator(
        comparing.array_contains_any, _read_many, ignores_case=True, cost=comparing.cost_of_list
    ),
    "array_contains_all": Operator(
        comparing.array_contains_all, _read_many, ignores_case=True, cost=comparing.cost_of_list
    ),
    "exists": Operator(lambda _: lambda value: value is not None),
    "not_exists": Operator(lambda _: lambda value: value is None),
    "is_true": Operator(lambda _: lambda value: value is True),
    "is_false": Operator(lambda _: lambda value: value is False),
}


def build_predicate(name: str, values: Values, *, ignore_case: bool = False) -> Predicate:
    known = OPERATORS[name]
    if not ignore_case:
        return known.build(values)
    if known.build_folded:
        return known.build_folded(values)
    predicate = known.build(tuple(v.casefold() if isinstance(v, str) else v for v in values))
    return lambda value: predicate(_fold(value))


def build_cost(name: str, values: Values, *, ignore_case: bool = False) -> Cost | None:
    known = OPERATORS[name]
    cost = known.cost(values)
    if not ignore_case or known.build_folded:
        return cost
    return (lambda value: _cost_of_folding(value) + cost(value)) if cost else _cost_of_folding


def _cost_of_folding(value: object) -> int:
    if isinstance(value, str):
        return len(value) >> 4
    if not isinstance(value, comparing.LISTS):
        return 0
    return len(value) + (sum(len(item) for item in value if isinstance(item, str)) >> 4)


def _fold(value: object) -> object:
    if isinstance(value, comparing.LISTS):
        return [item.casefold() if isinstance(item, str) else item for item in value]
    return value.casefold() if isinstance(value, str) else value
