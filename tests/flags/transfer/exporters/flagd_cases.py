"""Flags that flagd can hold, one for every construct, and contexts to ask them with."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

from flags.engine import (
    CompiledFlag,
    EvaluationState,
    compile_flag,
    compile_group,
    compile_segment,
    parse_environment,
    parse_group,
    parse_segment,
)
from flags.transfer.exporters.base import Corpus
from tests.flags.engine.documents import environment, rule, split

Document = dict[str, Any]


def when(operator: str, attribute: str, *values: object) -> Document:
    test: Document = {"attribute": attribute, "operator": operator}
    return {**test, "values": list(values)} if values else test


_TESTS = {
    "in": when("in", "country", "DE", "FR", 7, True, 0.5),
    "in-one": when("in", "country", "DE"),
    "in-numbers": when("in", "age", 5, 7, 18, -3, 1e300),
    "not-in": when("not_in", "country", "DE", "FR"),
    "equals-number": when("equals", "age", 1),
    "equals-text": when("equals", "age", "1"),
    "not-equals": when("not_equals", "beta", True),
    "contains": when("contains", "tags", "a", "", 5),
    "contains-text": when("contains", "tags", "b", "é"),
    "not-contains": when("not_contains", "tags", "b", 1, False),
    "starts": when("starts_with", "country", "D", "F "),
    "ends": when("ends_with", "country", "E", "🐦"),
    "gt": when("gt", "age", 0),
    "gte": when("gte", "age", 18),
    "lt": when("lt", "age", 0.5),
    "lte": when("lte", "age", -3),
    "semver-eq": when("semver_eq", "version", "1.2.0"),
    "semver-gt": when("semver_gt", "version", "1.2.0-beta.1"),
    "semver-gte": when("semver_gte", "version", "v1.2.0"),
    "semver-lt": when("semver_lt", "version", "2.0.0"),
    "semver-lte": when("semver_lte", "version", "0.9.0+linux"),
    "modulo": when("modulo", "age", 3, 2),
    "modulo-0": when("modulo", "age", 5, 0),
    "any-of": when("array_contains_any", "tags", "a", 5, True),
    "all-of": when("array_contains_all", "tags", "a", "b"),
    "all-of-one": when("array_contains_all", "tags", 5),
    "exists": when("exists", "country"),
    "not-exists": when("not_exists", "country"),
    "is-true": when("is_true", "beta"),
    "is-false": when("is_false", "beta"),
    "always": {"all": []},
    "never": {"any": []},
    "nested": {
        "any": [
            {"not": {"all": [when("gt", "age", 5), when("is_true", "beta")]}},
            {"all": [when("in", "country", "DE"), {"not": when("exists", "tags")}]},
        ]
    },
    "segment": {"segment": "testers"},
    "not-segment": {"not": {"segment": "nested"}},
    "flag": {"flag": "split", "variants": ["on"]},
    "off-flag": {"flag": "disabled", "variants": ["off"]},
    "no-flag": {"not": {"flag": "nowhere", "variants": ["on"]}},
    "logic": {"jsonlogic": {"and": [{"==": [{"var": "country"}, "DE"]}, {"var": "beta"}]}},
    "logic-bucket": {"jsonlogic": {"==": [{"fractional": [["a", 1], ["b", 1]]}, "a"]}},
}
_HALF = {"percent": 50.0}
_BY_LOGIC = {"jsonlogic": {"if": [{"in": [{"var": "country"}, ["DE", "FR"]]}, "on", None]}}

_FLAGS: dict[str, Document] = {
    "disabled": {"enabled": False},
    "static": {"fallthrough": {"variant": "on"}},
    "code-default": {"fallthrough": {"code_default": True}},
    "targets": {
        "targets": [
            {"variant": "on", "keys": ["u1", "7", " u2", "-3"]},
            {"variant": "off", "keys": ["u3", "9007199254740993"]},
        ],
        "fallthrough": {"variant": "on"},
    },
    "split": {"fallthrough": split(50_000)},
    "split-by": {"fallthrough": split(30_000, bucket_by="country", else_by=["targetingKey"])},
    "split-flagd": {"fallthrough": split(3, algorithm="flagd")},
    "split-bare": {"fallthrough": split(50_000, algorithm="flagd", seed="")},
    "split-nobody": {"fallthrough": split(0)},
    "split-overridden": {
        "fallthrough": split(
            20_000, overrides=[{"variant": "on", "when": when("in", "country", "DE")}]
        )
    },
    "split-rule": {
        "rules": [rule(serve=split(50_000, bucket_by="country"), when=when("exists", "age"))]
    },
    "audience": {"rules": [rule(audience=_HALF)]},
    "audience-all": {"rules": [rule(audience={"percent": 100.0})]},
    "audience-none": {"rules": [rule(audience={"percent": 0.0})]},
    "audience-split": {"rules": [rule(audience=_HALF, serve=split(50_000))]},
    "audience-by": {
        "rules": [rule(audience={**_HALF, "bucket_by": "age", "else_by": ["country"]})]
    },
    "group": {"rules": [rule(audience={**_HALF, "group": "colours"})]},
    "group-all": {"rules": [rule(audience={"percent": 100.0, "group": "colours"})]},
    "group-without": {"rules": [rule(audience={"percent": 100.0, "group": "colours"})]},
    "two-rules": {
        "rules": [
            rule("a", when=_TESTS["gte"], serve={"variant": "off"}),
            rule("b", when=_TESTS["in-one"], audience=_HALF),
        ],
        "fallthrough": {"variant": "off"},
    },
    "rule-default": {
        "rules": [rule(when=_TESTS["is-true"], serve={"code_default": True})],
        "fallthrough": {"variant": "on"},
    },
    "by-logic": {"fallthrough": _BY_LOGIC},
    "by-logic-bucket": {"fallthrough": {"jsonlogic": {"fractional": [["on", 1], ["off", 1]]}}},
    "by-wrong-logic": {"fallthrough": {"jsonlogic": {"var": "country"}}},
    "by-logic-rule": {"rules": [rule(serve=_BY_LOGIC)], "fallthrough": {"variant": "off"}},
    "prerequisite": {
        "prerequisites": [{"flag": "audience", "variants": ["on"]}],
        "fallthrough": {"variant": "on"},
    },
    "prerequisite-split": {
        "prerequisites": [{"flag": "split-rule", "variants": ["off"]}],
        "rules": [rule(when=_TESTS["in"])],
        "fallthrough": split(50_000),
    },
    "prerequisite-missing": {"prerequisites": [{"flag": "nowhere", "variants": ["on"]}]},
    **{
        f"when-{name}": {"rules": [rule(when=condition)], "fallthrough": {"variant": "off"}}
        for name, condition in _TESTS.items()
    },
}
_SEGMENTS: list[Document] = [
    {
        "key": "testers",
        "included": ["u1", "7"],
        "excluded": ["u3", "u4"],
        "when": {"any": [when("in", "country", "DE"), when("gte", "age", 18)]},
    },
    {"key": "nested", "when": {"all": [{"segment": "testers"}, when("is_true", "beta")]}},
]
_SLOTS = [
    {"flag": "group", "from": 10.0, "to": 60.0},
    {"flag": "group-all", "from": 60.0, "to": 90.0},
]
_GROUPS: list[Document] = [{"key": "colours", "salt": "g", "slots": _SLOTS, "holdout": 10.0}]


class Place:
    """An environment: as exporters get it, and as we answer from it."""

    def __init__(
        self,
        flags: Mapping[str, Document],
        segments: list[Document] | None = None,
        groups: list[Document] | None = None,
    ) -> None:
        documents = [{**environment(**one), "key": key} for key, one in flags.items()]
        segments, groups = segments or [], groups or []
        self.corpus = Corpus(
            {one["key"]: parse_environment(one) for one in documents},
            {one["key"]: parse_segment(one) for one in segments},
            {one["key"]: parse_group(one) for one in groups},
        )
        self.flags: dict[str, CompiledFlag] = {one["key"]: compile_flag(one) for one in documents}
        self.state = EvaluationState(
            self.flags,
            {one["key"]: compile_segment(one) for one in segments},
            {one["key"]: compile_group(one) for one in groups},
            0.0,
        )


def every_construct() -> Place:
    return Place(_FLAGS, _SEGMENTS, _GROUPS)


_ODD: list[object] = [
    *(None, True, False, 0, 1, -1, 5, 7, 7.0, 18, 0.5, -3, 1e300, 2.0**60, 2.0**53, -(2.0**55)),
    *("", " ", "1", "7", "0", "-3", "true", "u1", " u2", "u3 ", "é", "🐦", "x" * 300),
    *([], [1], ["a"], ["a", "b"], [5, "b"], [["a"]], [True], [None], {}, {"a": 1}, {"var": "age"}),
]
_POOLS: dict[str, list[object]] = {
    "targetingKey": [*(f"u{number}" for number in range(40)), 7, 12, "9007199254740993"],
    "country": ["DE", "FR", "F x", "Berlin🐦", 7, "de"],
    "age": [0, 1, 2, 5, 17, 18, 19, -1, -3, -4, 8.0, 2.5, 1e300, 2.0**53 + 2],
    "tags": [["a", "b"], ["a"], ["é", 5], "abc", "é", [False, 1]],
    "beta": [True, False],
    "version": [
        "1.2.0",
        "1.2",
        "1",
        "v1.2.0",
        "V1.2.0",
        "2.0.0-rc.1",
        "1.2.0+x",
        "0.9.0",
        "1.2.0 ",
    ],
}


def contexts(count: int, *, odd: float = 0.2, seed: int = 4) -> Iterator[Document]:
    """Reasonable values mostly; some missing, some of no type that anybody expects."""
    chance = random.Random(seed)
    for _ in range(count):
        yield {
            name: chance.choice(_ODD if chance.random() < odd else pool)
            for name, pool in _POOLS.items()
            if chance.random() < 0.85
        }
