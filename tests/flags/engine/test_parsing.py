"""Documents: good ones survive the round trip, bad ones are refused with all their problems."""

import pickle
import re
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from flags.engine import (
    Kind,
    compile_flag,
    default_configuration,
    dump_configuration,
    dump_definition,
    environment_document,
    parse_configuration,
    parse_definition,
)
from portal.lib.documents import MAX_PROBLEMS
from tests.flags.engine import cases, documents
from tests.flags.engine.documents import (
    BOOLEAN,
    any_json,
    configuration,
    relaxed,
    rule,
)
from tests.flags.engine.parsers import BASES, DEFINITION, PARSERS, find_problems, refuse


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
@relaxed
@given(data=st.data())
def test_parse__any_json__is_read_or_refused(parser: str, data: st.DataObject) -> None:
    base = BASES[parser]
    fields = st.sampled_from([*base, "rules", "targets", "tags", "kind", "unknown"])
    changes = data.draw(st.dictionaries(fields, any_json, max_size=3))
    for document in (data.draw(any_json), {**base, **changes}):
        problems = find_problems(parser, document)
        assert len(problems) <= MAX_PROBLEMS
        assert "".join(map(str, problems)).isprintable()


@relaxed
@given(documents.configurations(), any_json, st.lists(st.integers(0, 3), max_size=6))
def test_parse__damaged_configuration__is_read_or_refused(
    good: dict[str, Any], damage: object, way: list[int]
) -> None:
    problems = find_problems("configuration", replace_at(good, way, damage))
    assert "".join(map(str, problems)).isprintable()


def replace_at(document: Any, way: list[int], damage: object) -> Any:
    """The document with the part at the end of the way, by position at each level, replaced."""
    if not way or not isinstance(document, dict | list) or not document:
        return damage
    items = list(document.items() if isinstance(document, dict) else enumerate(document))
    key, part = items[way[0] % len(items)]
    changed = {**dict(items), key: replace_at(part, way[1:], damage)}
    return changed if isinstance(document, dict) else list(changed.values())


@relaxed
@given(documents.configurations() | documents.referring_configurations())
@example(configuration(rules=[rule(audience={"percent": 0.001}), rule("q", name="Beta")]))
def test_configuration__dumped_and_parsed__is_the_same(document: dict[str, Any]) -> None:
    parsed = parse_configuration(document, DEFINITION)
    dumped = dump_configuration(parsed)
    assert parse_configuration(dumped, DEFINITION) == parsed
    assert dump_configuration(parse_configuration(dumped, DEFINITION)) == dumped


@relaxed
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


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 10**400, -(10**400)], ids=["nan", "inf", "huge", "-huge"]
)
def test_number_value__not_finite__is_refused(value: float) -> None:
    variants = [{"key": "a", "value": value}]
    error = refuse("definition", {"key": "k", "value_type": "number", "variants": variants})
    assert [problem.path for problem in error.problems] == ["variants[0].value"]
