"""The schemas that object flags hold their values to: JSON Schema 2020-12, without its traps.

A schema comes from people and is run over values on every save, so it must be cheap whatever it
says: it is small, refers to nothing outside itself, without cycles, its patterns are RE2's, and
what the library checks in exponential time is refused.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError, validators

from flags.core.naming import check_pattern, compile_pattern
from flags.engine import FlagDefinition
from portal.lib.errors import Invalid, refuse

MAX_CHARS = 20_000
MAX_PARTS = 2_000
"""Objects and lists of a schema, each reference counted as what it refers to."""
_MOST_TOLD = 200
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# They change what a reference means, or are checked in exponential time or by Python's own regular
# expressions (patternProperties).
_REFUSED = {
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveRef",
    "$vocabulary",
    "dependencies",
    "patternProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
}
_DEFINED = "#/$defs/"
# What these hold are values, or names of people's own, in which a keyword means nothing.
_LITERALS = {"const", "enum", "default", "examples"}
_NAMED = {"properties", "$defs", "dependentSchemas", "dependentRequired"}


def check_values(definition: FlagDefinition) -> None:
    schema = definition.json_schema
    if schema is None:
        return
    _check_schema(schema)
    validator = _Validator(schema)
    problems = {}
    for index, variant in enumerate(definition.variants):
        if error := next(_errors(validator, variant.value), None):
            problems[f"variants[{index}].value"] = _told(error)
    refuse(problems)


def _check_schema(schema: Mapping[str, Any]) -> None:
    if len(json.dumps(schema)) > MAX_CHARS:
        _refuse(_("Keep the schema below {most} characters.").format(most=MAX_CHARS))
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker([]))
    except SchemaError as error:
        _refuse(_told(error))
    if schema.get("$schema", _DIALECT).rstrip("#") != _DIALECT:
        _refuse(_("Schemas are of the draft 2020-12; leave $schema out or give that."))
    if _Counter(schema).count(schema) > MAX_PARTS:
        _refuse(_("The schema is too large; its references count as what they refer to."))


def _refuse(text: str) -> None:
    raise Invalid({"json_schema": text})


class _Counter:
    """Goes through a schema as a validator would, and counts; raises Invalid for a trap."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.definitions = schema.get("$defs", {})
        self.under_way: list[str] = []
        self.known: dict[str, int] = {}

    def count(self, part: object, *, named: bool = False) -> int:
        if isinstance(part, list):
            return 1 + sum(map(self.count, part))
        if not isinstance(part, dict):
            return 0
        return 1 + sum(self._member(name, value, named) for name, value in part.items())

    def _member(self, name: str, value: object, named: bool) -> int:
        if named:
            return self.count(value)
        if name in _REFUSED:
            _refuse(_("Write the schema without “{name}”.").format(name=name))
        if name == "$ref":
            return self._reference(str(value))
        if name == "pattern":
            check_pattern(str(value), "json_schema")
        if name in _LITERALS:
            return 1
        return self.count(value, named=name in _NAMED)

    def _reference(self, where: str) -> int:
        name = where.removeprefix(_DEFINED)
        if not where.startswith(_DEFINED) or name not in self.definitions:
            text = _("A reference leads to a definition of the same schema: {example}.")
            _refuse(text.format(example=f"{_DEFINED}name"))
        if name in self.under_way:
            _refuse(_("The definition “{name}” refers to itself.").format(name=name))
        if name not in self.known:
            self.under_way.append(name)
            self.known[name] = self.count(self.definitions[name])
            self.under_way.pop()
        return self.known[name]


def _pattern(
    validator: Any, pattern: str, instance: object, schema: object
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not compile_pattern(pattern).search(instance):
        yield ValidationError(_("does not fit the pattern {pattern}").format(pattern=pattern))


_Validator = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def _errors(validator: Any, value: object) -> Iterator[ValidationError]:
    found: Iterator[ValidationError] = validator.iter_errors(value)
    return found


def _told(error: ValidationError | SchemaError) -> str:
    """The problem and where it is; the library's sentence may quote all of the value."""
    message = error.message
    short = message if len(message) <= _MOST_TOLD else f"{message[:_MOST_TOLD]}…"
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
    if not place:
        return _("Against the schema: {problem}.").format(problem=short)
    return _("Against the schema at {place}: {problem}.").format(
        place=place.lstrip("."), problem=short
    )
