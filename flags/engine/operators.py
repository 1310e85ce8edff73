"""The operators of attribute tests: a table of functions.

An operator builds, once, from its values a predicate over the attribute's value. They share:

- A missing attribute, like one that is null, arrives as None. None is of no type, so it fails
  every positive operator. A negated operator is the exact negation of its positive one, so it
  matches there; so does ``not_exists``.
- Nothing raises on a value of the wrong type: it does not match (and the negation does).
- Types are strict: "5" is not 5 and True is not 1; but numbers compare as such, 1 == 1.0.
- ``contains`` looks for any of its texts in a text, or for any of its values in a list.
- With ``ignore_case`` both sides are case-folded (Unicode's full folding: "ß" is "ss").
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flags.engine.limits import MAX_CONDITION_TEXT_CHARS, MAX_CONDITION_VALUES
from flags.engine.reading import Reader, list_of
from flags.engine.results import Scalar
from flags.engine.scalars import read_condition_value, read_number_as_is, text

Values: TypeAlias = tuple[Scalar, ...]
Predicate: TypeAlias = Callable[[object], bool]

# Tuples, not unions: a union is built anew, and searched slower, at every call.
_NUMBERS: Final = (int, float)
_SCALARS: Final = (str, int, float)
_LISTS: Final = (list, tuple)

# In a set True and 1 are one; these two stand in for the booleans.
_BOOLEANS: Final = (object(), object())


def _comparable(value: object) -> object:
    """``value`` as one that compares type-strictly; None when it equals nothing."""
    if isinstance(value, bool):
        return _BOOLEANS[value]
    return value if isinstance(value, _SCALARS) else None


def _is_in(values: Values) -> Predicate:
    allowed = frozenset(map(_comparable, values))
    return lambda value: _comparable(value) in allowed


def _contains(values: Values) -> Predicate:
    is_member = _is_in(values)
    texts = [value for value in values if isinstance(value, str)]

    def contains(value: object) -> bool:
        if isinstance(value, str):
            return any(text in value for text in texts)
        return isinstance(value, _LISTS) and any(map(is_member, value))

    return contains


def _starts_with(values: Values) -> Predicate:
    texts = tuple(map(str, values))
    return lambda value: isinstance(value, str) and value.startswith(texts)


def _ends_with(values: Values) -> Predicate:
    texts = tuple(map(str, values))
    return lambda value: isinstance(value, str) and value.endswith(texts)


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Values], Predicate]:
    """NaN needs no case of its own: it compares false with everything."""

    def build(values: Values) -> Predicate:
        (bound,) = values
        return lambda value: _is_number(value) and compare(value, bound)

    return build


def _negated(build: Callable[[Values], Predicate]) -> Callable[[Values], Predicate]:
    def build_negated(values: Values) -> Predicate:
        predicate = build(values)
        return lambda value: not predicate(value)

    return build_negated


@dataclass(frozen=True, slots=True)
class Operator:
    """``read_values`` reads the test's values, None where it takes none; ``build`` gets them."""

    build: Callable[[Values], Predicate]
    read_values: Reader[Values] | None = None
    ignores_case: bool = False


_read_one = list_of(read_condition_value, least=1, most=1)
_read_number: Reader[Values] = list_of(read_number_as_is, least=1, most=1)
_read_many = list_of(read_condition_value, least=1, most=MAX_CONDITION_VALUES)
_read_texts: Reader[Values] = list_of(
    text(MAX_CONDITION_TEXT_CHARS, least=1), least=1, most=MAX_CONDITION_VALUES
)

OPERATORS: Final[dict[str, Operator]] = {
    "in": Operator(_is_in, _read_many, ignores_case=True),
    "not_in": Operator(_negated(_is_in), _read_many, ignores_case=True),
    "equals": Operator(_is_in, _read_one, ignores_case=True),
    "not_equals": Operator(_negated(_is_in), _read_one, ignores_case=True),
    "contains": Operator(_contains, _read_many, ignores_case=True),
    "not_contains": Operator(_negated(_contains), _read_many, ignores_case=True),
    "starts_with": Operator(_starts_with, _read_texts, ignores_case=True),
    "ends_with": Operator(_ends_with, _read_texts, ignores_case=True),
    "gt": Operator(_ordering(operator.gt), _read_number),
    "gte": Operator(_ordering(operator.ge), _read_number),
    "lt": Operator(_ordering(operator.lt), _read_number),
    "lte": Operator(_ordering(operator.le), _read_number),
    "exists": Operator(lambda _: lambda value: value is not None),
    "not_exists": Operator(lambda _: lambda value: value is None),
    "is_true": Operator(lambda _: lambda value: value is True),
    "is_false": Operator(lambda _: lambda value: value is False),
}


def build_predicate(name: str, values: Values, *, ignore_case: bool = False) -> Predicate:
    """The predicate of the operator called ``name``; KeyError if there is none."""
    build = OPERATORS[name].build
    if not ignore_case:
        return build(values)
    predicate = build(tuple(map(_fold_scalar, values)))
    return lambda value: predicate(_fold(value))


def _fold_scalar(value: Scalar) -> Scalar:
    return value.casefold() if isinstance(value, str) else value


def _fold(value: object) -> object:
    """Texts folded, in a list too; anything else as it is."""
    if isinstance(value, _LISTS):
        return [item.casefold() if isinstance(item, str) else item for item in value]
    return value.casefold() if isinstance(value, str) else value
