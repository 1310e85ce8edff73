"""Reads conditions. A new kind of condition adds its reader to the table in ``_conditions``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from flags.engine import limits
from flags.engine.buckets import ALGORITHMS
from flags.engine.document import (
    AllOf,
    AnyOf,
    AttributeTest,
    Audience,
    ByLogic,
    CodeDefault,
    Condition,
    Fixed,
    FlagTest,
    LogicTest,
    Not,
    Override,
    SegmentTest,
    Serve,
    Share,
    Split,
)
from flags.engine.jsonlogic import FRACTIONALS, read_logic
from flags.engine.operators import OPERATORS, Operator
from flags.engine.scalars import (
    read_condition_value,
    read_flag_key,
    read_segment_key,
    read_variant_key,
)
from portal.lib.documents import (
    Problem,
    Reader,
    checked,
    integer,
    list_of,
    name,
    one_of,
    read_boolean,
    read_object,
    read_percentage,
    record,
    refuse,
    tagged,
    text,
)

T = TypeVar("T")

read_attribute = name(limits.MAX_ATTRIBUTE_CHARS, least=1)
_TEST_FIELDS: dict[str, Reader[object]] = {
    "attribute": read_attribute,
    "operator": one_of(OPERATORS, "operator"),
}


def _attribute_test(operator: Operator) -> Reader[Condition]:
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


_read_segment_test: Reader[Condition] = record(SegmentTest, {"segment": read_segment_key})
read_flag_test: Reader[FlagTest] = record(
    FlagTest,
    {
        "flag": read_flag_key,
        "variants": list_of(read_variant_key, least=1, most=limits.MAX_VARIANTS),
    },
)


def logic_reader(build: Callable[..., T]) -> Reader[T]:
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
_IN_FLAGS: Final[dict[str, Reader[Condition]]] = {**_IN_SEGMENTS, "flag": read_flag_test}


def _only(field: str, reader: Reader[object], build: Callable[..., Condition]) -> Reader[Condition]:
    """An object with one field, whose name ("not") need not be a Python name."""
    return record(lambda **fields: build(fields[field]), {field: reader})


def _refuse_depth(_value: object) -> Condition:
    refuse(f"Nest conditions at most {limits.MAX_CONDITION_DEPTH} deep.")


def _conditions(leaves: Mapping[str, Reader[Condition]], levels: int) -> Reader[Condition]:
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
# The conditions of a segment: who belongs does not depend on what flags serve.
read_segment_condition = _conditions(_IN_SEGMENTS, limits.MAX_CONDITION_DEPTH)


# Reads what rules serve and to what share: splits, audiences and how they bucket.


_BUCKETING: dict[str, Reader[object]] = {
    "bucket_by": read_attribute,
    "else_by": list_of(read_attribute, most=limits.MAX_ELSE_BY),
    "algorithm": one_of(ALGORITHMS, "algorithm"),
    "seed": text(limits.MAX_KEY_CHARS),
}


def _check_audience(audience: Audience) -> Iterable[Problem]:
    algorithm = ALGORITHMS[audience.algorithm]
    if algorithm.place_audience is None:
        yield Problem("algorithm", "Use another algorithm; this one is for splits only.")
    if audience.seed is not None and algorithm.salted:
        yield Problem("seed", "Remove the seed; the salt alone shuffles this algorithm.")


read_audience: Reader[Audience] = checked(
    record(
        lambda percent, **others: Audience(threshold=percent, **others),
        {"percent": read_percentage},
        {**_BUCKETING, "group": read_segment_key},
    ),
    _check_audience,
)


def serve_reader(variant: Reader[str]) -> Reader[Serve]:
    return tagged(
        {
            "variant": record(Fixed, {"variant": variant}),
            "split": _split(variant),
            "jsonlogic": logic_reader(ByLogic),
            "code_default": record(lambda code_default: CodeDefault(), {"code_default": _read_yes}),
        }
    )


def _read_yes(value: object) -> bool:
    if not read_boolean(value):
        refuse("Give true, or serve something else.")
    return True


def _split(variant: Reader[str]) -> Reader[Serve]:
    weight = integer(0, limits.MAX_FLAGD_TOTAL)
    share = record(Share, {"variant": variant, "weight": weight})
    override = record(Override, {"variant": variant, "when": read_condition})
    split = record(
        lambda split, **others: Split(shares=split, **others),
        {"split": list_of(share, least=1, most=limits.MAX_VARIANTS)},
        {**_BUCKETING, "overrides": list_of(override, most=limits.MAX_OVERRIDES)},
    )
    return checked(split, lambda split: ALGORITHMS[split.algorithm].check(split))
