from collections.abc import Callable
from functools import singledispatch
from typing import Final, TypeAlias

from flags.engine import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    LogicTest,
    Not,
    Scalar,
    Segment,
    SegmentTest,
)
from flags.transfer.exporters.base import refuse
from flags.transfer.exporters.flagd import state
from flags.transfer.exporters.flagd.logic import (
    BEYOND_UNITS,
    Logic,
    as_number,
    as_text,
    attribute,
    either,
    every,
    is_list_with,
    is_number,
    is_one_of,
    is_text,
    negate,
    same,
)
from flags.transfer.exporters.flagd.state import Writing

Values: TypeAlias = tuple[Scalar, ...]
Write: TypeAlias = Callable[[Logic, Values], Logic]

_ITEM: Final[Logic] = {"var": ""}
_MAX_VERSION_CHARS: Final = 256


def write_test(test: AttributeTest) -> Logic:
    write = _OPERATORS.get(test.operator)
    if write is None:
        refuse(f"flagd has nothing like the operator '{test.operator}'")
    if test.ignore_case:
        refuse(f"flagd cannot ignore the case of '{test.attribute}'")
    return write(attribute(test.attribute), test.values)


def _is_in(value: Logic, values: Values) -> Logic:
    texts = [one for one in values if isinstance(one, str)]
    others = [one for one in values if not isinstance(one, str)]
    if len(texts) > 1:  # in a list of texts flagd finds numbers too
        return either([every([is_text(value), is_one_of(value, texts)]), _is_in(value, (*others,))])
    return either(same(value, one) for one in values)


def _contains(value: Logic, values: Values) -> Logic:
    texts = [one for one in values if isinstance(one, str)]
    found = [{"in": [text, as_text(value)]} for text in texts if text]
    inside = [is_text(value)] if "" in texts else found
    return either([*inside, _has_any(value, values)])


def _has_any(value: Logic, values: Values) -> Logic:
    return is_list_with(value, _is_in(_ITEM, values), _is_in(value, values))


def _has_all(value: Logic, values: Values) -> Logic:
    return every(_has_any(value, (one,)) for one in values)


def _affix(name: str) -> Write:
    def write(value: Logic, values: Values) -> Logic:
        # Null, for what is no text, would pass for true inside an "and" of some versions.
        return either(same({name: [value, one]}, True) for one in values)

    return write


def _compared(name: str) -> Write:
    return lambda value, values: every([is_number(value), {name: [value, values[0]]}])


def _not_compared(name: str) -> Write:
    """flagd's ``<=`` and ``>=`` do not take every type."""
    return lambda value, values: every([is_number(value), negate({name: [value, values[0]]})])


def _version(name: str) -> Write:
    """flagd takes 1.2 and 1 for versions too; those go on being some with ".0" behind them."""

    def write(value: Logic, values: Values) -> Logic:
        text = as_text(value)
        longer = {"cat": [text, ".0"]}
        is_full = [{"in": ["-", text]}, {"in": ["+", text]}, negate(_is_version(longer))]
        return every(
            [
                same({"sem_ver": [text, name, values[0]]}, True),
                either(is_full),
                negate(same({"starts_with": [text, "V"]}, True)),
                same({"substr": [text, 0, _MAX_VERSION_CHARS]}, text),
            ]
        )

    return write


def _is_version(text: Logic) -> Logic:
    return same({"sem_ver": [text, "=", text]}, True)


def _modulo(value: Logic, values: Values) -> Logic:
    """flagd's remainder has the sign of the number; ours is never below 0."""
    divisor, remainder = (int(one) for one in values)
    found = {"%": [as_number(value), divisor]}
    wanted = [remainder, remainder - divisor] if remainder else [0]
    return every(
        [
            is_number(value),
            {"<": [-BEYOND_UNITS, value, BEYOND_UNITS]},
            either(same(found, one) for one in wanted),
        ]
    )


def _negated(write: Write) -> Write:
    return lambda value, values: negate(write(value, values))


# Without what flagd has nothing for: patterns, networks, and points in time.
_OPERATORS: Final[dict[str, Write]] = {
    "in": _is_in,
    "not_in": _negated(_is_in),
    "equals": _is_in,
    "not_equals": _negated(_is_in),
    "contains": _contains,
    "not_contains": _negated(_contains),
    "starts_with": _affix("starts_with"),
    "ends_with": _affix("ends_with"),
    "gt": _compared(">"),
    "gte": _not_compared("<"),
    "lt": _compared("<"),
    "lte": _not_compared(">"),
    "semver_eq": _version("="),
    "semver_gt": _version(">"),
    "semver_gte": _version(">="),
    "semver_lt": _version("<"),
    "semver_lte": _version("<="),
    "modulo": _modulo,
    "array_contains_any": _has_any,
    "array_contains_all": _has_all,
    "exists": lambda value, _values: {"!==": [value, None]},
    "not_exists": lambda value, _values: same(value, None),
    "is_true": lambda value, _values: same(value, True),
    "is_false": lambda value, _values: same(value, False),
}


# Conditions in JsonLogic; what they refer to is written into them. That another flag serves
# something is registered in ``answers``.


@singledispatch
def write_condition(condition: Condition, writing: Writing) -> Logic:
    raise TypeError(type(condition).__name__)


@write_condition.register
def _(condition: AttributeTest, _writing: Writing) -> Logic:
    return write_test(condition)


@write_condition.register
def _(condition: AllOf, writing: Writing) -> Logic:
    return every([write_condition(one, writing) for one in condition.conditions])


@write_condition.register
def _(condition: AnyOf, writing: Writing) -> Logic:
    return either([write_condition(one, writing) for one in condition.conditions])


@write_condition.register
def _(condition: Not, writing: Writing) -> Logic:
    return negate(write_condition(condition.condition, writing))


@write_condition.register
def _(condition: LogicTest, writing: Writing) -> Logic:
    logic = state.write_condition(condition)
    if writing.is_inside and state.speaks_of_its_flag(logic):
        refuse("its logic speaks of the flag that it stands in")
    return logic


@write_condition.register
def _(condition: SegmentTest, writing: Writing) -> Logic:
    key = condition.segment
    segment = writing.look_up("segment", key, writing.corpus.segments)
    if segment is None:
        refuse(f"there is no segment '{key}' that can be evaluated")
    return writing.segment(key, lambda inner: _write_membership(segment, inner))


def _write_membership(segment: Segment, writing: Writing) -> Logic:
    matches = write_condition(segment.when, writing)
    if not segment.included and not segment.excluded:
        return matches
    included = writing.is_listed(segment.keyed_by, segment.included)
    excluded = writing.is_listed(segment.keyed_by, segment.excluded)
    return either([included, every([negate(excluded), matches])])
