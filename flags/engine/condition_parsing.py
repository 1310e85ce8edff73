"""Reads conditions. A new kind of condition adds its reader to the table in ``_conditions``."""

from collections.abc import Callable

from flags.engine.document import AllOf, AnyOf, AttributeTest, Condition, Not
from flags.engine.limits import (
    MAX_ATTRIBUTE_CHARS,
    MAX_CONDITION_DEPTH,
    MAX_CONDITION_VALUES,
    MAX_GROUP_CONDITIONS,
)
from flags.engine.operators import OPERATORS, Operator
from flags.engine.reading import Reader, list_of, one_of, read_object, record, refuse, tagged
from flags.engine.scalars import name, read_boolean, read_condition_value

read_attribute = name(MAX_ATTRIBUTE_CHARS, least=1)
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
        "values": list_of(read_condition_value, most=MAX_CONDITION_VALUES),
        "ignore_case": read_boolean,
    },
)


def _read_attribute_test(value: object) -> Condition:
    operator = read_object(value).get("operator")
    reader = _ATTRIBUTE_TESTS.get(operator) if isinstance(operator, str) else None
    return (reader or _TEST_OF_NO_OPERATOR)(value)


def _only(field: str, reader: Reader[object], build: Callable[..., Condition]) -> Reader[Condition]:
    """An object with the one field, whose name need not be a Python name ("not" is none)."""
    return record(lambda **fields: build(fields[field]), {field: reader})


def _refuse_depth(_value: object) -> Condition:
    refuse(f"Nest conditions at most {MAX_CONDITION_DEPTH} deep.")


def _conditions(levels: int) -> Reader[Condition]:
    """Reads a condition that nests at most ``levels`` deep, the outermost one included."""
    if not levels:
        return _refuse_depth
    inner = _conditions(levels - 1)
    group = list_of(inner, most=MAX_GROUP_CONDITIONS)
    return tagged(
        {
            "all": _only("all", group, AllOf),
            "any": _only("any", group, AnyOf),
            "not": _only("not", inner, Not),
            "attribute": _read_attribute_test,
        }
    )


read_condition = _conditions(MAX_CONDITION_DEPTH)
