"""Conditions back to plain documents."""

from functools import singledispatch

from flags.engine.document import (
    DEFAULT_BUCKETING,
    AllOf,
    AnyOf,
    AttributeTest,
    ByLogic,
    Condition,
    FlagTest,
    LogicTest,
    Not,
    SegmentTest,
)
from flags.engine.jsonlogic import dump_logic


@singledispatch
def dump_condition(condition: Condition) -> dict[str, object]:
    """The condition as a plain document."""
    raise TypeError(type(condition).__name__)


@dump_condition.register
def _(condition: AllOf) -> dict[str, object]:
    return {"all": list(map(dump_condition, condition.conditions))}


@dump_condition.register
def _(condition: AnyOf) -> dict[str, object]:
    return {"any": list(map(dump_condition, condition.conditions))}


@dump_condition.register
def _(condition: Not) -> dict[str, object]:
    return {"not": dump_condition(condition.condition)}


@dump_condition.register
def _(condition: AttributeTest) -> dict[str, object]:
    return {
        "attribute": condition.attribute,
        "operator": condition.operator,
        **({"values": list(condition.values)} if condition.values else {}),
        **({"ignore_case": True} if condition.ignore_case else {}),
    }


@dump_condition.register
def _(condition: SegmentTest) -> dict[str, object]:
    return {"segment": condition.segment}


@dump_condition.register
def _(condition: FlagTest) -> dict[str, object]:
    return {"flag": condition.flag, "variants": list(condition.variants)}


@dump_condition.register
def _(condition: LogicTest) -> dict[str, object]:
    return dump_by_logic(condition)


def dump_by_logic(one: LogicTest | ByLogic) -> dict[str, object]:
    """Logic as a plain document."""
    is_default = one.bucketing == DEFAULT_BUCKETING
    bucketing = {} if is_default else {"bucketing": one.bucketing}
    return {"jsonlogic": dump_logic(one.logic), **bucketing}
