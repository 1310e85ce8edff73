"""Small documents to start from, and hypothesis strategies for whole ones."""

import string
from collections.abc import Collection
from typing import Any

from hypothesis import settings, strategies as st

from flags.engine import OPERATORS

# A busy machine pauses for longer than hypothesis' 200 ms.
relaxed = settings(deadline=None)

BOOLEAN = {
    "key": "checkout",
    "value_type": "boolean",
    "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
}


def configuration(**changes: object) -> dict[str, Any]:
    plain = {"enabled": True, "off_variant": "off", "fallthrough": {"variant": "off"}, "salt": "s"}
    return {**plain, **changes}


def environment(**changes: object) -> dict[str, Any]:
    return {**BOOLEAN, "client_visible": False, "version": 1, **configuration(**changes)}


def split(on: int, **others: object) -> dict[str, Any]:
    shares = [{"variant": "on", "weight": on}, {"variant": "off", "weight": 100_000 - on}]
    return {"split": shares, **others}


def rule(identity: str = "r", **changes: object) -> dict[str, Any]:
    return {"id": identity, "when": {"all": []}, "serve": {"variant": "on"}, **changes}


# Any JSON, as Python reads it: NaN, infinities, lone surrogates and all.
any_text = st.text(st.characters(exclude_categories=()), max_size=8)
any_scalar = st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.just(10**400)
any_json = st.recursive(
    any_scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)

attributes = st.sampled_from(["country", "age", "a.b", "targetingKey", "user.email"])
contexts = st.dictionaries(attributes | st.just("a") | st.just("user") | any_text, any_json)

_texts = st.text(string.ascii_letters + "äß🐦 ", min_size=1, max_size=5)
_safe = st.integers(-(2**53) + 1, 2**53 - 1)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_patterns = st.sampled_from([r"^a\d{1,2}$", "a|b", r"[^,]+, x", "(?i)ß", "x\ny", " a "])
_times = st.sampled_from(["2026-11-23", "2026-11-23T06:30:00.25+01:00", 1_700_000_000, -0.5])
_versions = st.sampled_from(["1.2.0", "v2.0.0-beta.1+linux", "0.0.10"])
_networks = st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "::ffff:10.1.0.0/112", "192.0.2.1"])
_divisions = st.integers(1, 2**53 - 1).flatmap(
    lambda divisor: st.tuples(st.just(divisor), st.integers(0, divisor - 1)).map(list)
)
_plain_values = _texts | st.booleans() | _safe | _finite
_VALUES = {
    **dict.fromkeys(
        ["in", "not_in", "contains", "not_contains", "array_contains_any", "array_contains_all"],
        st.lists(_plain_values, min_size=1, max_size=4),
    ),
    **dict.fromkeys(["equals", "not_equals"], st.lists(_plain_values, min_size=1, max_size=1)),
    **dict.fromkeys(["starts_with", "ends_with"], st.lists(_texts, min_size=1, max_size=3)),
    **dict.fromkeys(
        [f"{prefix}{name}" for prefix in ("", "num_") for name in ("gt", "gte", "lt", "lte")]
        + ["num_eq"],
        st.lists(_safe | _finite, min_size=1, max_size=1),
    ),
    "matches": st.lists(_patterns, min_size=1, max_size=3),
    **dict.fromkeys(["before", "after"], st.lists(_times, min_size=1, max_size=1)),
    **dict.fromkeys(
        [f"semver_{comparison}" for comparison in ("eq", "gt", "gte", "lt", "lte")],
        st.lists(_versions, min_size=1, max_size=1),
    ),
    "in_cidr": st.lists(_networks, min_size=1, max_size=3),
    "modulo": _divisions,
}


@st.composite
def attribute_tests(draw: st.DrawFn, operators: Collection[str] = OPERATORS) -> dict[str, Any]:
    operator = draw(st.sampled_from(sorted(operators)))
    test: dict[str, Any] = {"attribute": draw(attributes), "operator": operator}
    if operator in _VALUES:
        test["values"] = draw(_VALUES[operator])
    if OPERATORS[operator].ignores_case and draw(st.booleans()):
        test["ignore_case"] = True
    return test


conditions = st.recursive(
    attribute_tests(),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda group: {"all": group})
        | st.lists(inner, max_size=3).map(lambda group: {"any": group})
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=6,
)
percents = st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000)
weights = st.integers(0, 100_000)
serves = (
    st.sampled_from([{"variant": "on"}, {"variant": "off"}])
    | st.builds(split, weights)
    | st.builds(split, weights, bucket_by=attributes)
    | st.builds(split, weights, algorithm=st.just("flagd"), seed=_texts | st.just(""))
)
audiences = st.fixed_dictionaries({"percent": percents}, optional={"bucket_by": attributes})


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    parts = {"when": conditions, "serve": serves}
    bodies = draw(
        st.lists(st.fixed_dictionaries(parts, optional={"audience": audiences}), max_size=3)
    )
    keys = draw(st.lists(_texts, unique=True, max_size=4))
    return configuration(
        enabled=draw(st.booleans()),
        rules=[{"id": f"r-{index}", **body} for index, body in enumerate(bodies)],
        targets=[{"variant": "on", "keys": keys[:2]}, {"variant": "off", "keys": keys[2:]}],
        fallthrough=draw(serves),
    )


# References for configurations that stand in a world: what is there, and what is not.
segment_tests = st.sampled_from([{"segment": "testers"}, {"segment": "nowhere"}])
flag_tests = st.sampled_from(
    [{"flag": "new-cart", "variants": ["on"]}, {"flag": "nowhere", "variants": ["on", "off"]}]
)
now_tests = st.sampled_from(
    [{"attribute": "$now", "operator": "gt", "values": [value]} for value in (10, 10_000)]
)
logic_tests = st.sampled_from(
    [
        {"jsonlogic": {"==": [{"var": "country"}, "DE"]}},
        {"jsonlogic": {"fractional": [["", 1], ["x", 1]]}, "bucketing": "float"},
    ]
)
referring_conditions = st.recursive(
    attribute_tests() | logic_tests | segment_tests | flag_tests | now_tests,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda group: {"all": group})
        | st.lists(inner, max_size=3).map(lambda group: {"any": group})
        | inner.map(lambda one: {"not": one})
    ),
    max_leaves=6,
)
referring_audiences = st.fixed_dictionaries(
    {"percent": percents},
    optional={
        "bucket_by": attributes,
        "else_by": st.lists(attributes, min_size=1, max_size=2),
        "group": st.sampled_from(["colours", "colours", "nowhere"]),
    },
)
referring_serves = (
    serves
    | st.just({"code_default": True})
    | st.just({"jsonlogic": {"if": [{"var": "country"}, "on", None]}})
    | st.just({"jsonlogic": {"fractional": [["on", 1], ["other", 1]]}})
    | st.builds(
        lambda weight, when: split(weight, overrides=[{"variant": "on", "when": when}]),
        weights,
        referring_conditions,
    )
)


@st.composite
def referring_configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Referring to flag new-cart, segment testers, group colours, and to what is not there."""
    parts = {"when": referring_conditions, "serve": referring_serves}
    rules = st.fixed_dictionaries(parts, optional={"audience": referring_audiences})
    bodies = draw(st.lists(rules, max_size=3))
    return {
        **draw(configurations()),
        "rules": [{"id": f"r-{index}", **body} for index, body in enumerate(bodies)],
        "fallthrough": draw(referring_serves),
        "prerequisites": draw(st.lists(flag_tests, max_size=1)),
    }
