"""Reads conditions. A new kind of condition adds its reader to the table in ``_conditions``."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from flags.engine import limits
from flags.engine.document import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    FlagTest,
    LogicTest,
    Not,
    SegmentTest,
)
from flags.engine.jsonlogic import FRACTIONALS, read_logic
from flags.engine.operators import OPERATORS, Operator
from flags.engine.scalars import (
    read_condition_value,
    read_flag_key,
    read_segment_key,
    read_variant_key,
)
from portal.lib.documents.readers import (
    Reader,
    list_of,
    one_of,
    read_object,
    record,
    refuse,
    tagged,
)
from portal.lib.documents.scalars import name, read_boolean

T = TypeVar("T")

read_attribute = name(limits.MAX_ATTRIBUTE_CHARS, least=1)
_TEST_FIELDS: dict[str, Reader[object]] = {
    "attribute": read_attribute,
    "operator": one_of(OPERATORS, "operator"),
}


def _attribute_test(operator: Operator) -> Reader[Condition]:
    """Which other fields a test has is its operator's to say."""
    values = {"values": operator.read_values} if operator.read_values else {}
    ignore_case = {"ignore_case": read_boolean} if operator.ignores_case else {}
    return record(AttributeTest, {**_TEST_FIELDS, **values}, ignore_case)


_ATTRIBUTE_TESTS = {key: _attribute_test(operator) for key, operator in OPERATORS.items()}

# Only ever refuses: it lets a test without a known operator name all its problems.
_TEST_OF_NO_OPERATOR: Reader[Condition] = record(
    AttributeTest,
    _TEST_FIELDS,
    {
        "values": list_of(read_condition_value, most=limits.MAX_CONDITION_VALUES),
        "ignore_case": read_boolean,
    },
)


def _read_attribute_test(value: object) -> Condition:
    operator = read_object(value).get("operator")
    reader = _ATTRIBUTE_TESTS.get(operator) if isinstance(operator, str) else None
    return (reader or _TEST_OF_NO_OPERATOR)(value)


FLAG_AND_VARIANTS: Final[dict[str, Reader[object]]] = {
    "flag": read_flag_key,
    "variants": list_of(read_variant_key, least=1, most=limits.MAX_VARIANTS),
}
_read_segment_test: Reader[Condition] = record(SegmentTest, {"segment": read_segment_key})
_read_flag_test: Reader[Condition] = record(FlagTest, FLAG_AND_VARIANTS)


def logic_reader(build: Callable[..., T]) -> Reader[T]:
    """Reads JsonLogic, and the generation of flagd's bucketing that it means."""
    return record(
        lambda jsonlogic, **others: build(logic=jsonlogic, **others),
        {"jsonlogic": read_logic},
        {"bucketing": one_of(FRACTIONALS, "bucketing")},
    )


_read_logic_test: Reader[Condition] = logic_reader(LogicTest)
_IN_SEGMENTS: Final[dict[str, Reader[Condition]]] = {
    "attribute": _read_attribute_test,
    "segment": _read_segment_test,
    "jsonlogic": _read_logic_test,
}
_IN_FLAGS: Final[dict[str, Reader[Condition]]] = {**_IN_SEGMENTS, "flag": _read_flag_test}


def _only(field: str, reader: Reader[object], build: Callable[..., Condition]) -> Reader[Condition]:
    """An object with the one field, whose name need not be a Python name ("not" is none)."""
    return record(lambda **fields: build(fields[field]), {field: reader})


def _refuse_depth(_value: object) -> Condition:
    refuse(f"Nest conditions at most {limits.MAX_CONDITION_DEPTH} deep.")


def _conditions(leaves: Mapping[str, Reader[Condition]], levels: int) -> Reader[Condition]:
    """Reads a condition that nests at most ``levels`` deep, the outermost one included."""
    if not levels:
        return _refuse_depth
    inner = _conditions(leaves, levels - 1)
    group = list_of(inner, most=limits.MAX_GROUP_CONDITIONS)
    return tagged(
        {
            "all": _only("all", group, AllOf),
            "any": _only("any", group, AnyOf),
            "not": _only("not", inner, Not),
            **leaves,
        }
    )


read_condition = _conditions(_IN_FLAGS, limits.MAX_CONDITION_DEPTH)
read_segment_condition = _conditions(_IN_SEGMENTS, limits.MAX_CONDITION_DEPTH)
"""The conditions of a segment: who belongs does not depend on what flags serve."""
