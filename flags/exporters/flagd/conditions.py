"""Conditions in JsonLogic; what they refer to is written into them.

That another flag serves something is registered in ``answers``.
"""

from functools import singledispatch

from flags.engine import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    LogicTest,
    Not,
    Segment,
    SegmentTest,
)
from flags.exporters.base import refuse
from flags.exporters.flagd import passing
from flags.exporters.flagd.logic import Logic, either, every, negate
from flags.exporters.flagd.operators import write_test
from flags.exporters.flagd.state import Writing


@singledispatch
def write_condition(condition: Condition, writing: Writing) -> Logic:
    """Whether a context meets the condition. Raises NotExpressible."""
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
    logic = passing.write_condition(condition)
    if writing.is_inside and passing.speaks_of_its_flag(logic):
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
