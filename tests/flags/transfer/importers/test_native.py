"""Aviary's own documents, from JSON and from YAML as people write it."""

from typing import Any

import pytest

from flags.transfer.importers import FileRefused, ImportPlan, plan_import
from flags.transfer.importers.text import read_text
from tests.flags.transfer.importers.plans import compiled, variant

FLAG: dict[str, Any] = {
    "key": "new-cart",
    "value_type": "boolean",
    "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
    "environments": {
        "production": {"enabled": True, "off_variant": "off", "fallthrough": {"variant": "on"}}
    },
}
YAML = b"""
# what a person writes
- key: new-cart
  value_type: boolean
  variants: [{key: on, value: true}, {key: off, value: false}]
  environments:
    production:
      enabled: true
      off_variant: off
      fallthrough: {variant: on}
"""


def plan(document: object, environment: str = "production") -> Any:
    return plan_import("native", document, environment=environment)


@pytest.mark.parametrize(
    "document",
    [
        FLAG,
        [FLAG],
        {"flags": [FLAG]},
        {"flags": {"new-cart": FLAG}},
        {"new-cart": FLAG},
        {"new-cart": {k: v for k, v in FLAG.items() if k != "key"}},
        read_text(YAML),
        read_text(YAML, name="flags.yaml"),
    ],
)
def test_every_shape_of_file__is_the_same_flag(document: object) -> None:
    planned = plan(document)
    assert (planned.skipped, planned.notes) == ([], [])
    assert variant(compiled(planned.flags[0]), {}) == "on"
    assert planned.flags[0].definition == {k: v for k, v in FLAG.items() if k != "environments"}


def test_another_environment__has_no_configuration_and_says_so() -> None:
    planned = plan(FLAG, "staging")
    assert planned.flags[0].configuration is None
    assert planned.notes == ["without a configuration for 'staging': new-cart"]


@pytest.mark.parametrize("document", [None, 1, "x", [1], {"a": 1}, [{}], [{"key": 1}], {1: {}}])
def test_a_file_of_no_flags__is_refused_whole(document: object) -> None:
    with pytest.raises(FileRefused, match=r"^Expected a list of flags"):
        plan(document)


@pytest.mark.parametrize(
    "segments", [1, "x", [1], [{}], [{"key": 1}], {"beta": 1}, [{"key": "a", 1: 2}]]
)
def test_a_file_whose_segments_are_none__is_refused_whole(segments: object) -> None:
    with pytest.raises(FileRefused, match=r"^Expected segments to be a list of objects"):
        plan({"flags": [FLAG], "segments": segments})


def test_a_plan__from_its_own_document__asks_for_the_same() -> None:
    groups = {"line": {"salt": "s"}}
    planned = plan({"flags": [FLAG], "segments": [{"key": "beta"}], "groups": groups})
    assert planned.groups.documents == {"line": {"key": "line", "salt": "s"}}
    assert ImportPlan.from_document(planned.document) == planned


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"archived": True}, "archived: the file says that this flag is archived"),
        ({"key": "other"}, "key: 'other' stands under 'new-cart'"),
        ({"environments": []}, "environments: expected an object by environment"),
        ({"environments": {"production": 1}}, "environments.production: expected an object"),
    ],
)
def test_a_flag_of_another_shape__is_skipped(changes: dict[str, object], reason: str) -> None:
    planned = plan({"new-cart": FLAG | changes, "fine": {k: FLAG[k] for k in ("variants",)}})
    assert [(s.flag, s.reason) for s in planned.skipped] == [("new-cart", reason)]
    assert [flag.key for flag in planned.flags] == ["fine"]


def test_a_schema_for_values__is_taken_over() -> None:
    (planned,) = plan(FLAG | {"json_schema": {"type": "object"}}).flags
    assert planned.definition["json_schema"] == {"type": "object"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "This is not JSON: Expecting property name"),
        (b'{"a": 1e400}', "The number 1e400 is too large."),
        (b'{"a": NaN}', "NaN is not a JSON number."),
        (b'{"a": 1, "a": 2}', "The name 'a' stands twice in one object."),
        (b'["\\u0000"]', "Remove the NUL characters"),
        (b'["\\ud800"]', "Remove the NUL characters and lone surrogates"),
        (b'{"\\ud800": 1}', "Remove the NUL characters and lone surrogates from the names"),
        (b"[" * 101 + b"]" * 101, "Nest lists and objects at most 100 deep."),
        (b"[" * 100_000, "Nest lists and objects at most 100 deep."),
        (b"[" + b"9" * 5000 + b"]", "A number has 5000 digits"),
        (b'["\xff"]', "Send JSON in UTF-8."),
        (b"a: [", "This is neither JSON nor YAML: "),
        (b"a: 1\na: 2", "a name stands twice in one mapping (line 1, column 1)"),
        (b"1: x", "Put the name 1 into quotes"),
        (b"a: &b [1]\nc: [*b, *b]", "references to other parts are not read"),
        (b"a: &b [*b]", "references to other parts are not read"),
        (b"a: !!python/object/apply:os.system [ls]", "This is neither JSON nor YAML: could not"),
        (b"a: !!timestamp 2020-01-01", "Use JSON's own types only, not date."),
        (b"a: !!set {b}", "Use JSON's own types only, not set."),
        (b"a: 1e999", "Use finite numbers only."),
        (b"a: " + b"[" * 200 + b"]" * 200, "Nest lists and objects at most 100 deep."),
        (b"a: " + b"[" * 100_000 + b"]" * 100_000, "Nest lists and objects at most 100 deep."),
        (b"\x00\x01", "This is neither JSON nor YAML"),
        (b"\xff\xfe\xff", "This is neither JSON nor YAML"),
    ],
)
def test_a_file_that_nothing_can_read__is_refused_in_one_sentence(raw: bytes, reason: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_text(raw)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_yaml__reads_on_and_off_as_names_and_no_dates() -> None:
    raw = b"a: [on, off, yes, no, 2020-01-01, 010, 1:30, <<, ~, 1.5, 1e3]"
    assert read_text(raw) == {
        "a": ["on", "off", "yes", "no", "2020-01-01", "010", "1:30", "<<", None, 1.5, 1000.0]
    }
