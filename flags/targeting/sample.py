"""The sample user beside the form: which attributes to ask for, and the context they make.

The sample stays in the browser: contexts are about people, so the portal keeps none.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from flags.engine import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    Configuration,
    Not,
    Rule,
    Segment,
    SegmentTest,
    Serve,
    Split,
)
from flags.engine.document import NOW, RANDOM, TARGETING_KEY
from flags.explain.web import read_value
from flags.targeting.form import Form, dicts_in, text_in
from portal.lib.errors import Invalid
from portal.lib.web.pages import Fields, read_json, texts

FIELDS: Fields = {"sample": {**texts("key", "json"), "attributes": [texts("name", "value")]}}
_NOT_ASKED: Final = frozenset({TARGETING_KEY, NOW, RANDOM})
_MOST_FIELDS: Final = 12


@dataclass(frozen=True, slots=True)
class Attribute:
    path: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SampleUser:
    key: str
    values: Mapping[str, str]
    json: str

    def fields(self, names: list[str]) -> list[Attribute]:
        return [
            Attribute(f"sample.attributes[{index}]", name, self.values.get(name, ""))
            for index, name in enumerate(names)
        ]


def read_sample(form: Form) -> SampleUser:
    sample = form.get("sample", {})
    values = {text_in(one, "name"): text_in(one, "value") for one in dicts_in(sample, "attributes")}
    return SampleUser(text_in(sample, "key"), values, text_in(sample, "json"))


def context_of(sample: SampleUser, names: list[str]) -> dict[str, object]:
    """The evaluation context; what is left empty is not given, the JSON wins over the fields.

    Raises Invalid for a text that is not valid JSON, or not an object.
    """
    given = {name: sample.values.get(name, "").strip() for name in names}
    context = {name: read_value(text) for name, text in given.items() if text}
    if sample.key:
        context[TARGETING_KEY] = sample.key
    return context | _more(sample.json)


def _more(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    found = read_json(text, "sample.json")
    if not isinstance(found, dict):
        example = json.dumps({"country": "DE"})
        raise Invalid.of(
            "sample.json",
            _("Give the attributes as one JSON object, such as {example}."),
            example=example,
        )
    return found


def attributes_in(configuration: Configuration, segments: Mapping[str, Segment]) -> list[str]:
    found = dict.fromkeys(
        name for rule in configuration.rules for name in _of_rule(rule, segments)
    ) | dict.fromkeys(_of_serve(configuration.fallthrough, segments))
    return [name for name in found if name not in _NOT_ASKED][:_MOST_FIELDS]


def _of_rule(rule: Rule, segments: Mapping[str, Segment]) -> Iterator[str]:
    yield from _of_condition(rule.when, segments, frozenset())
    if rule.audience is not None:
        yield from (rule.audience.bucket_by, *rule.audience.else_by)
    yield from _of_serve(rule.serve, segments)


def _of_serve(serve: Serve, segments: Mapping[str, Segment]) -> Iterator[str]:
    if isinstance(serve, Split):
        for override in serve.overrides:
            yield from _of_condition(override.when, segments, frozenset())
        yield from (serve.bucket_by, *serve.else_by)


def _of_condition(
    condition: Condition, segments: Mapping[str, Segment], opened: frozenset[str]
) -> Iterator[str]:
    if isinstance(condition, AttributeTest):
        yield condition.attribute
    elif isinstance(condition, Not):
        yield from _of_condition(condition.condition, segments, opened)
    elif isinstance(condition, AllOf | AnyOf):
        for part in condition.conditions:
            yield from _of_condition(part, segments, opened)
    elif isinstance(condition, SegmentTest) and condition.segment not in opened:
        segment = segments.get(condition.segment)
        if segment is not None:
            yield segment.keyed_by
            yield from _of_condition(segment.when, segments, opened | {condition.segment})
