"""JsonLogic against openfeature-flagd-core, where what it does is well defined.

That is: operands of the types that their operations are for. Where the two differ otherwise stands
in tests/cases/engine/jsonlogic.json.
"""

from typing import Any, TypeAlias

import cbor2
import pytest
from hypothesis import assume, given, strategies as st
from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext

from flags.engine.jsonlogic import compile_logic, fractional, read_logic
from flags.engine.jsonlogic.reading import MAX_LOGIC_DEPTH
from flags.engine.state import Steps
from tests.flags.engine.documents import relaxed

Strategy: TypeAlias = st.SearchStrategy[Any]

CONTEXT: dict[str, Any] = {
    "age": 30,
    "plan": "gold",
    "beta": True,
    "cart": [1, 5, 9],
    "app": {"version": "1.2.0", "tags": ["a", "b"]},
}


def var(*paths: str) -> Strategy:
    return st.sampled_from([{"var": path} for path in paths])


def call(name: str, *arguments: Strategy) -> Strategy:
    return st.tuples(*arguments).map(lambda given: {name: list(given)})


def several(name: str, argument: Strategy) -> Strategy:
    return st.lists(argument, min_size=1, max_size=3).map(lambda given: {name: given})


def one_of(names: str, *arguments: Strategy) -> Strategy:
    return st.one_of([call(name, *arguments) for name in names.split()])


WORDS = st.sampled_from(["gold", "old", "g", "1.2.0", "Ä", "30"])
COMPARISONS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "^", "~"])
VERSIONS = st.sampled_from(["1.2.0", "v1.3.0", "2.0.0-rc.1", "1.2", "1", "1.2.0+x"])

numbers: Strategy = st.deferred(
    lambda: (
        st.integers(-9, 99)
        | var("age", "cart.1")
        | st.one_of([several(name, numbers) for name in ("+", "*", "min", "max")])
        | call("-", numbers, numbers)
        | call("if", truths, numbers, numbers)
        | call(
            "reduce", lists, call("+", var("current", "accumulator"), st.integers(0, 9)), st.just(0)
        )
    )
)
texts: Strategy = st.deferred(
    lambda: (
        WORDS
        | var("plan", "app.version")
        | several("cat", WORDS | st.integers(0, 99))
        | call("substr", WORDS, st.integers(0, 1))
        | call("if", truths, texts, texts)
    )
)
lists: Strategy = st.deferred(
    lambda: (
        st.lists(st.integers(0, 9), max_size=3)
        | var("cart")
        | call("map", lists, call("+", st.just({"var": ""}), st.integers(0, 9)))
        | call("filter", lists, one_of("< >=", st.just({"var": ""}), st.integers(0, 9)))
        | call("merge", lists, lists)
    )
)
truths: Strategy = st.deferred(
    lambda: (
        st.booleans()
        | var("beta", "missing", "app.tags")
        | one_of("== === != !== < <= > >=", numbers, numbers)
        | one_of("< <=", numbers, numbers, numbers)
        | one_of("== === != !== starts_with ends_with in", texts, texts)
        | call("sem_ver", VERSIONS, COMPARISONS, VERSIONS)
        | call("in", st.integers(0, 9), lists)
        | one_of("all some none", lists, call("<", st.just({"var": ""}), st.integers(0, 9)))
        | st.one_of([several(name, truths) for name in ("and", "or")])
        | one_of("! !!", truths)
        | call("missing", st.sampled_from(["age", "gone"]), st.sampled_from(["plan", "app.x"]))
    )
)


def depth(logic: object) -> int:
    if isinstance(logic, dict | list):
        inner = logic.values() if isinstance(logic, dict) else logic
        return 1 + max(map(depth, inner), default=0)
    return 1


def reference(logic: dict[str, Any], targeting_key: str = "u-1", **more: Any) -> object:
    context = EvaluationContext(targeting_key, {**CONTEXT, **more})
    return targeting("flag", logic, context)


def ours(logic: dict[str, Any], targeting_key: str = "u-1", **more: Any) -> object:
    properties = {"flagKey": "flag", "timestamp": 1}
    data = {**CONTEXT, **more, "targetingKey": targeting_key, "$flagd": properties}
    return compile_logic(read_logic(logic), fractional="cbor")(data, Steps())


@relaxed
@given(numbers | texts | lists | truths)
def test_logic__operands_of_the_right_types__gives_what_flagd_core_gives(logic: Any) -> None:
    logic = {"if": [True, logic]}
    assume(depth(logic) < MAX_LOGIC_DEPTH)
    found, expected = ours(logic), reference(logic)
    assert found == expected
    assert isinstance(found, bool) is isinstance(expected, bool)


weights = st.lists(st.integers(0, 1000), min_size=1, max_size=5).filter(any)


@relaxed
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), weights)
def test_fractional__any_targeting_key__falls_where_flagd_core_has_it(
    key: str, shares: list[int]
) -> None:
    logic = {"fractional": [[f"v{place}", weight] for place, weight in enumerate(shares)]}
    assert ours(logic, key) == reference(logic, key)


units = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.floats(width=16)
    | st.booleans(),
    lambda inner: st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=5,
)


@relaxed
@given(units, weights)
def test_fractional__any_bucketing_value__falls_where_flagd_core_has_it(
    unit: object, shares: list[int]
) -> None:
    distributions = [[f"v{place}", weight] for place, weight in enumerate(shares)]
    logic = {"fractional": [{"var": "unit"}, *distributions]}
    assert ours(logic, unit=unit) == reference(logic, unit=unit)


INTEGERS = [0, 23, 24, 255, 256, 65_535, 65_536, 2**32, -1, -24, -25, 2**64 - 1, -(2**63)]
FLOATS = [0.5, 1e300, 3.4028234663852886e38, 5.960464477539063e-08, float("inf"), float("nan")]
OTHERS: list[object] = ["", "ü" * 300, [], [1, [None, True]], {"bb": 1, "a": 2, "c": {}}]


@pytest.mark.parametrize("value", [*INTEGERS, *FLOATS, *OTHERS])
def test_cbor__value__is_what_cbor2_writes(value: object) -> None:
    assert fractional.encode(value) == cbor2.dumps(value, canonical=True)
