"""Documents: good ones survive the round trip, bad ones are refused with all their problems."""

import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flags.engine import (
    DocumentError,
    Kind,
    compile_flag,
    default_configuration,
    dump_configuration,
    dump_definition,
    environment_document,
    limits,
    parse_configuration,
    parse_definition,
)
from tests.flags.engine import cases, documents
from tests.flags.engine.documents import BOOLEAN, any_json, configuration, environment, rule

DEFINITION = parse_definition(BOOLEAN)
PARSERS: dict[str, Callable[[Any], object]] = {
    "definition": parse_definition,
    "configuration": lambda document: parse_configuration(document, DEFINITION),
    "environment": compile_flag,
}
BASES = {"definition": BOOLEAN, "configuration": configuration(), "environment": environment()}


def refuse(parser: str, document: object) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        PARSERS[parser](document)
    return caught.value


def nest(levels: int, wrap: Callable[[Any], Any], innermost: object) -> Any:
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


@pytest.mark.parametrize("case", cases.named(cases.load("parsing")["refused"]))
def test_parse__published_bad_document__names_each_problem(case: dict[str, Any]) -> None:
    document = {**BASES[case["kind"]], **case["set"]}
    for field in case.get("remove", []):
        del document[field]
    problems = {
        problem.path: problem.message for problem in refuse(case["kind"], document).problems
    }
    assert sorted(problems) == sorted(case["problems"])
    for path, words in case["problems"].items():
        assert words in problems[path]


@pytest.mark.parametrize("case", cases.named(cases.load("parsing")["accepted"]))
def test_parse__published_good_document__is_accepted(case: dict[str, Any]) -> None:
    PARSERS[case["kind"]]({**BASES[case["kind"]], **case["set"]})


@pytest.mark.parametrize("parser", sorted(PARSERS))
@pytest.mark.parametrize("document", [None, [], "flag", 1, True, 1.5])
def test_parse__not_an_object__is_refused(parser: str, document: object) -> None:
    (problem,) = refuse(parser, document).problems
    assert (problem.path, problem.message) == ("", "Give an object.")


@pytest.mark.parametrize("parser", sorted(PARSERS))
@given(data=st.data())
def test_parse__any_json__is_read_or_refused(parser: str, data: st.DataObject) -> None:
    base = BASES[parser]
    fields = st.sampled_from([*base, "rules", "targets", "tags", "kind", "unknown"])
    changes = data.draw(st.dictionaries(fields, any_json, max_size=3))
    for document in (data.draw(any_json), {**base, **changes}):
        try:
            PARSERS[parser](document)
        except DocumentError as error:
            assert 1 <= len(error.problems) <= limits.MAX_PROBLEMS
            assert str(error).isprintable() and str(error).encode()


@given(documents.configurations(), any_json, st.lists(st.integers(0, 3), max_size=6))
def test_parse__damaged_configuration__is_read_or_refused(
    good: dict[str, Any], damage: object, way: list[int]
) -> None:
    try:
        PARSERS["configuration"](replace_at(good, way, damage))
    except DocumentError as error:
        assert str(error).isprintable()


def replace_at(document: Any, way: list[int], damage: object) -> Any:
    """The document with the part at the end of the way, by position at each level, replaced."""
    if not way or not isinstance(document, dict | list) or not document:
        return damage
    items = list(document.items() if isinstance(document, dict) else enumerate(document))
    key, part = items[way[0] % len(items)]
    changed = {**dict(items), key: replace_at(part, way[1:], damage)}
    return changed if isinstance(document, dict) else list(changed.values())


@given(documents.configurations())
@example(configuration(rules=[rule(audience={"percent": 0.001}), rule("q", name="Beta")]))
def test_configuration__dumped_and_parsed__is_the_same(document: dict[str, Any]) -> None:
    parsed = parse_configuration(document, DEFINITION)
    dumped = dump_configuration(parsed)
    assert parse_configuration(dumped, DEFINITION) == parsed
    assert dump_configuration(parse_configuration(dumped, DEFINITION)) == dumped


@given(st.integers(0, 100_000))
def test_audience__every_thousandth__survives_the_round_trip_exactly(thousandths: int) -> None:
    percent = float(f"{thousandths // 1000}.{thousandths % 1000:03}")
    document = configuration(rules=[rule(audience={"percent": percent})])
    parsed = parse_configuration(document, DEFINITION)
    assert parsed.rules[0].audience is not None
    assert (parsed.rules[0].audience.threshold, parsed.rules[0].audience.percent) == (
        thousandths, percent,
    )  # fmt: skip


@pytest.mark.parametrize("case", cases.named(cases.load("parsing")["definitions"]))
def test_definition__dumped_and_parsed__is_the_same(case: dict[str, Any]) -> None:
    parsed = parse_definition(case["document"])
    assert dump_definition(parsed) == case["canonical"]
    assert parse_definition(case["canonical"]) == parsed


def test_definition__number_flag_with_whole_values__holds_floats() -> None:
    document = {"key": "rate", "value_type": "number", "variants": [{"key": "one", "value": 1}]}
    value = parse_definition(document).variants[0].value
    assert (value, type(value)) == (1.0, float)


def test_definition__shortest__takes_the_defaults() -> None:
    assert (DEFINITION.kind, DEFINITION.tags, DEFINITION.client_visible) == (
        Kind.RELEASE,
        (),
        False,
    )


def test_definition__object_value_changed_by_its_author__stays_as_parsed() -> None:
    value = {"colours": ["red"]}
    variants = [{"key": "a", "value": value}]
    parsed = parse_definition({"key": "k", "value_type": "object", "variants": variants})
    value["colours"].append("blue")
    assert parsed.variants[0].value == {"colours": ["red"]}


@pytest.mark.parametrize(
    ("value_type", "values", "off", "on"),
    [
        ("boolean", [True, False], "v1", "v0"),
        ("boolean", [False, True], "v0", "v1"),
        ("boolean", [False, False], "v0", "v0"),
        ("boolean", [True, True], "v1", "v0"),
        ("string", ["a", "b", "c"], "v2", "v0"),
        ("integer", [0, 1], "v1", "v0"),
    ],
)
def test_default_configuration__of_a_new_flag__is_off_and_serves_all_the_same(
    value_type: str, values: list[object], off: str, on: str
) -> None:
    variants = [{"key": f"v{index}", "value": value} for index, value in enumerate(values)]
    definition = parse_definition({"key": "k", "value_type": value_type, "variants": variants})
    default = default_configuration(definition, salt="pepper")
    assert (default.enabled, default.off_variant, default.salt) == (False, off, "pepper")
    assert dump_configuration(default)["fallthrough"] == {"variant": on}
    assert parse_configuration(dump_configuration(default), definition) == default


def test_environment_document__of_a_full_definition__leaves_out_what_is_descriptive() -> None:
    full = {
        **BOOLEAN,
        "description": "secret",
        "owner": "alice",
        "tags": ["web"],
        "name": "Checkout",
    }
    definition = parse_definition(full)
    document = environment_document(definition, default_configuration(definition, salt="s"), 3)
    assert set(document) == {
        "key", "value_type", "variants", "client_visible", "version",
        "enabled", "off_variant", "targets", "rules", "fallthrough", "salt",
    }  # fmt: skip
    assert compile_flag(document).version == 3


@pytest.mark.parametrize(
    "wrap", [lambda c: {"not": c}, lambda c: {"all": [c]}, lambda c: {"any": [c]}]
)
@pytest.mark.parametrize("levels", [limits.MAX_CONDITION_DEPTH, 100_000])
def test_condition__nested_too_deep__is_refused(levels: int, wrap: Callable[[Any], Any]) -> None:
    rules = [rule(when=nest(levels, wrap, {"all": []}))]
    (problem,) = refuse("configuration", configuration(rules=rules)).problems
    assert "at most 20 deep" in problem.message


def test_condition__nested_as_deep_as_allowed__evaluates() -> None:
    when = nest(limits.MAX_CONDITION_DEPTH - 1, lambda inner: {"not": inner}, {"all": []})
    assert compile_flag(environment(rules=[rule(when=when)])).evaluate({}).variant == "off"


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: {"a": [inner]}])
def test_object_value__nested_100000_deep__is_refused(wrap: Callable[[Any], Any]) -> None:
    variants = [{"key": "a", "value": nest(100_000, wrap, {})}]
    (problem,) = refuse(
        "definition", {"key": "k", "value_type": "object", "variants": variants}
    ).problems
    assert "at most 20 deep" in problem.message


def test_object_value__nested_as_deep_as_allowed__is_read() -> None:
    value = nest(limits.MAX_VALUE_DEPTH - 1, lambda inner: {"a": inner}, {})
    variants = [{"key": "a", "value": value}]
    parsed = parse_definition({"key": "k", "value_type": "object", "variants": variants})
    assert parsed.variants[0].value == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, -(10**400)])
def test_number_value__not_finite__is_refused(value: float) -> None:
    variants = [{"key": "a", "value": value}]
    error = refuse("definition", {"key": "k", "value_type": "number", "variants": variants})
    assert [problem.path for problem in error.problems] == ["variants[0].value"]


def over(most: int, make: Callable[[int], object]) -> list[object]:
    return [make(index) for index in range(most + 1)]


TOO_MANY = {
    "rules": over(limits.MAX_RULES, lambda index: rule(f"r{index}")),
    "targets": [
        {"variant": "on", "keys": over(limits.MAX_TARGET_KEYS // 2, lambda index: f"{side}{index}")}
        for side in "ab"
    ],
}
VALUES = over(limits.MAX_CONDITION_VALUES, str)


@pytest.mark.parametrize("field", sorted(TOO_MANY))
def test_configuration__more_than_a_limit__is_refused(field: str) -> None:
    (problem,) = refuse("configuration", configuration(**{field: TOO_MANY[field]})).problems
    assert problem.path == field


def test_configuration__too_many_values_of_a_condition__is_refused() -> None:
    when = {"attribute": "x", "operator": "in", "values": VALUES}
    (problem,) = refuse("configuration", configuration(rules=[rule(when=when)])).problems
    assert problem.path == "rules[0].when.values"


def test_definition__too_many_variants__is_refused() -> None:
    variants = over(limits.MAX_VARIANTS, lambda index: {"key": f"v{index}", "value": True})
    (problem,) = refuse("definition", {**BOOLEAN, "variants": variants}).problems
    assert problem.path == "variants"


def test_problems__a_million_wrong_fields__are_reported_up_to_the_limit() -> None:
    unknown = dict.fromkeys(map(str, range(1_000_000)))
    assert len(refuse("definition", {**BOOLEAN, **unknown}).problems) == limits.MAX_PROBLEMS


def test_document_error__printed__is_readable() -> None:
    error = refuse("configuration", configuration(enabled=1, off_variant="blue"))
    assert isinstance(error, ValueError)
    assert str(error) == (
        "enabled: Give true or false. off_variant: There is no variant 'blue'; use one of: on, off."
    )


def test_document_error__sent_to_another_process__arrives_whole() -> None:
    error = refuse("configuration", configuration(enabled=1))
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 10_000, "<script>"])
def test_document_error__hostile_field_name__is_quoted_short_and_printable(name: str) -> None:
    (problem,) = refuse("configuration", configuration(**{name: 1})).problems
    assert re.fullmatch(r"[ -~]{1,60}…?", problem.path)
    assert problem.message.isprintable()
