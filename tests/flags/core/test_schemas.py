"""Object flags whose values are held to a schema."""

from typing import Any

import pytest

from flags.core.parsing import definition_from
from flags.core.schemas import MAX_CHARS
from portal.access.models import User
from portal.lib.errors import Invalid
from tests.support.desk import Desk

COLOURS = {"type": "object", "properties": {"colour": {"type": "string", "pattern": "^#"}}}


def themed(schema: object, *values: object, value_type: str = "object") -> dict[str, Any]:
    variants = [{"key": f"v{index}", "value": value} for index, value in enumerate(values or [{}])]
    return {
        "key": "theme",
        "value_type": value_type,
        "variants": variants,
        "json_schema": schema,
    }


def problems(document: object) -> dict[str, str]:
    with pytest.raises(Invalid) as error:
        definition_from(document)
    return error.value.problems


def test_values_that_satisfy_the_schema__are_taken() -> None:
    nested = {"$defs": {"c": {"enum": ["red"]}}, "properties": {"$ref": {"$ref": "#/$defs/c"}}}
    assert definition_from(themed(COLOURS, {"colour": "#fff"}, {})).json_schema == COLOURS
    assert definition_from(themed(nested, {"$ref": "red"})).json_schema == nested


def test_a_value_that_does_not__is_named_with_the_place_inside() -> None:
    assert problems(themed(COLOURS, {"colour": "#fff"}, {"colour": 7}, {"colour": "red"})) == {
        "variants[1].value": "Against the schema at colour: 7 is not of type 'string'.",
        "variants[2].value": "Against the schema at colour: does not fit the pattern ^#.",
    }


def test_a_schema_of_another_type__is_refused() -> None:
    assert problems(themed({}, "a", value_type="string")) == {
        "json_schema": "Only the values of object flags have a schema."
    }


BOMB = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "banana"}, "is not valid under any"),
        ({"$ref": "https://evil.example/schema.json"}, "a definition of the same schema"),
        ({"$ref": "file:///etc/passwd"}, "a definition of the same schema"),
        ({"$ref": "#/$defs/nothing"}, "a definition of the same schema"),
        ({"$ref": "#"}, "a definition of the same schema"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "refers to itself"),
        ({"$defs": BOMB | {"d40": {}}, "$ref": "#/$defs/d0"}, "too large"),
        ({"$id": "https://here.example/"}, "without “$id”"),
        ({"not": {"unevaluatedProperties": False}}, "without “unevaluatedProperties”"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "Not a valid RE2 pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft 2020-12"),
        ({"description": "x" * MAX_CHARS}, "below"),
    ],
)
def test_a_schema_that_is_none_or_a_trap__is_refused(schema: object, told: str) -> None:
    assert told in problems(themed(schema))["json_schema"]


def test_a_pattern_that_would_explode_elsewhere__ends_in_time() -> None:
    evil = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    assert problems(themed(evil, {"a": "a" * 5000 + "!"})).keys() == {"variants[0].value"}


def test_edit_flag__dana__evaluators_never_see_the_schema(desk: Desk, dana: User) -> None:
    flag = desk.create(dana, **themed(COLOURS, {"colour": "#fff"}))
    flag.refresh_from_db()
    assert flag.document["json_schema"] == COLOURS
    for configuration in flag.configurations.all():
        assert "json_schema" not in configuration.environment_document()
