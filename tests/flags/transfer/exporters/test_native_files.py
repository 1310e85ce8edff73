"""Aviary's own files: the same flags, and the same text, wherever they were."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import compile_flag, environment_document, parse_configuration, parse_definition
from flags.engine.parsing import parse_environment
from flags.transfer.exporters.base import SYNTAXES, to_yaml
from flags.transfer.exports import write_document
from flags.transfer.importers import plan_import
from flags.transfer.importers.text import read_text
from tests.flags.engine.documents import (
    contexts,
    environment,
    referring_configurations,
    relaxed,
)
from tests.flags.engine.states import state_of


def exported(**configuration: Any) -> dict[str, Any]:
    flag = parse_environment(environment(**configuration))
    return write_document([(flag.definition, {"production": flag.configuration})])


@pytest.mark.parametrize("syntax", SYNTAXES)
@relaxed
@given(configuration=referring_configurations(), context=contexts)
def test_export_and_import__any_flag__are_the_same_documents_and_answers(
    syntax: str, configuration: dict[str, Any], context: dict[str, Any]
) -> None:
    document = exported(**configuration)
    text = SYNTAXES[syntax](document)
    plan = plan_import(
        "native", read_text(text.encode(), name=f"flags.{syntax}"), environment="production"
    )
    (planned,) = plan.flags
    assert plan.skipped == []
    assert plan.notes == []
    definition = parse_definition(planned.definition)
    again = parse_configuration(planned.configuration, definition)
    assert SYNTAXES[syntax](write_document([(definition, {"production": again})])) == text
    imported = compile_flag(environment_document(definition, again, 1))
    world = state_of({"new-cart": {}}, {"testers": {"included": ["a"]}}, {"colours": {"salt": "g"}})
    original = compile_flag(environment(**configuration))
    assert imported.evaluate(context, world) == original.evaluate(context, world)


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values = st.recursive(
    storable
    | st.sampled_from(["on", "1e3", "0o7", "1_0", "~", "2026-11-23", "12:30", "=", "<<", "- a"])
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(storable, inner, max_size=3),
    max_leaves=8,
)


@relaxed
@given(values)
def test_yaml__any_value__is_read_as_the_same(value: object) -> None:
    found = read_text(to_yaml({"value": value}).encode(), name="a.yaml")
    assert json.dumps(found) == json.dumps({"value": value})


def test_flags__in_any_order__come_by_their_keys() -> None:
    flags = [parse_environment({**environment(), "key": key}) for key in ("b", "a", "c")]
    document = write_document([(flag.definition, {}) for flag in flags])
    assert [flag["key"] for flag in document["flags"]] == ["a", "b", "c"]
