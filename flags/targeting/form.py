"""What the parts of the targeting form have in common: its fields, its problems, its JSON."""

import csv
import io
import json
import math
import re
from typing import Any, Final, cast

from django.http import HttpRequest
from django.utils.translation import gettext as _

from flags.engine.document import DEFAULT_ALGORITHM, TARGETING_KEY
from portal.lib import strict_json
from portal.lib.web.pages import Fields, texts

__all__ = ["CODE", "LOGIC", "SPLIT", "TARGETING_KEY", "Form", "Problems"]

Form = dict[str, Any]
# What is chosen instead of a variant; a variant's key may hold any character, but starting like
# this it could not be told apart.
SPLIT: Final = "*split"
LOGIC: Final = "*logic"
CODE: Final = "*code"


class Problems(dict[str, str]):
    """Problems by the path of the input that has them."""


def dicts_in(node: Form, name: str) -> list[Form]:
    value = node.get(name, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_in(node: Form, name: str) -> str:
    value = node.get(name, "")
    return value if isinstance(value, str) else ""


def write_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def read_json(text: str, path: str, problems: Problems) -> Any:
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict as error:
        problems[path] = str(error)
        return None


def is_in_parts(algorithm: object) -> bool:
    """Whether weights are whole numbers of any total; ours are percentages."""
    return algorithm not in (None, "", DEFAULT_ALGORITHM)


_BUCKETING = texts("bucket_by", "else_by", "algorithm", "seed")
_SERVE: Fields = {
    **texts("variant", "logic", "bucketing", "overrides"),
    **_BUCKETING,
    "split": [texts("variant", "weight", "listed")],
}
_FLAG_AND_VARIANTS: Fields = {**texts("flag"), "variants": [texts("key")]}
# A test of an attribute; with "segment", "flag" or "logic" of something else; or with "match" a
# group of conditions.
_CONDITION: Fields = {
    **texts("match", "bare", "attribute", "operator", "values", "as", "ignore_case"),
    **texts("segment", "logic", "bucketing"),
    **_FLAG_AND_VARIANTS,
}
_CONDITION["conditions"] = [_CONDITION]
_RULE: Fields = {
    **texts("id", "name"),
    "when": _CONDITION,
    "audience": {**texts("percent", "group", "given"), **_BUCKETING},
    "serve": _SERVE,
}
FIELDS: Fields = {
    **texts("enabled", "off_variant", "salt"),
    "prerequisites": [_FLAG_AND_VARIANTS],
    "targets": [texts("variant", "keys")],
    "rules": [_RULE],
    "fallthrough": _SERVE,
}


# A base travels with every click of the editor: larger ones stay behind, and with them merging.
_MOST_BASE_CHARS = 200_000


def write_base(document: object) -> str:
    """The document that a form was filled from, for its hidden field; empty where it is large."""
    text = json.dumps(document, ensure_ascii=False)
    return text if len(text) <= _MOST_BASE_CHARS else ""


def sent_base(request: HttpRequest) -> object:
    """The document that the form was filled from; None where none was sent."""
    try:
        return strict_json.loads_text(request.POST.get("base", ""))
    except strict_json.NotStrict:
        return None


# The values of a test as a person writes them: texts, numbers, a pattern, or else JSON.


# Those of forms alone; Python's splitlines knows many more.
LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")
_LINE_BREAKS: Final = set("\r\n")
_MOST_ON_ONE_LINE: Final = 8

NUMBER_OPERATORS = frozenset(
    {"gt", "gte", "lt", "lte", "modulo"}
    | {f"num_{comparison}" for comparison in ("eq", "gt", "gte", "lt", "lte")}
)
TEXT_OPERATORS = frozenset(
    {"starts_with", "ends_with", "matches", "in_cidr", "before", "after"}
    | {f"semver_{comparison}" for comparison in ("eq", "gt", "gte", "lt", "lte")}
)
INSTANT_OPERATORS = frozenset({"before", "after"})
LIST_OPERATORS = frozenset(
    {"in", "not_in", "contains", "not_contains", "starts_with", "ends_with", "in_cidr"}
    | {"array_contains_any", "array_contains_all"}
)


def way_of(operator: str, chosen: str) -> str:
    """How an operator's values are written. A pattern is one whole line: {1,2} is no list."""
    if operator in NUMBER_OPERATORS:
        return "number"
    return "pattern" if operator == "matches" and chosen != "json" else chosen


def values_in(text: str, way: str, path: str, problems: Problems) -> list[object]:
    try:
        return read_values(text, way)
    except csv.Error:
        problems[path] = _("Close the quotation marks, or leave them out.")
    except (ValueError, RecursionError):
        problems[path] = (
            _('Write the values as JSON: "text", 5, true.')
            if way == "json"
            else _("Give a number, such as 5 or 2.5.")
        )
    return []


def read_values(text: str, way: str) -> list[object]:
    """The values, written as texts or numbers (by commas or lines), as a pattern, or as JSON.

    Raises csv.Error, or ValueError for what is no number or no JSON.
    """
    if way == "json":
        values: list[object] = strict_json.loads_text(f"[{text}]")
        return values
    if way == "pattern":
        return [text]
    rows = csv.reader(LINE_BREAK.split(text), skipinitialspace=True, strict=True)
    texts = [part.strip() for row in rows for part in row if part.strip()]
    return [_number(part) for part in texts] if way == "number" else list(texts)


def _number(text: str) -> int | float:
    value = json.loads(text)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(text)
    return cast(int | float, value)


def write_values(operator: str, values: list[Any]) -> tuple[str, str]:
    """Values as text, and the plainest way of reading it that gives the same values back."""
    if operator == "matches" and len(values) == 1 and not _LINE_BREAKS & set(str(values[0])):
        return str(values[0]), "pattern"
    if not any(_LINE_BREAKS & set(str(value)) for value in values):
        between = "\n" if len(values) > _MOST_ON_ONE_LINE else ", "
        text = between.join(map(_quoted, values))
        for way in () if operator == "matches" else ("text", "number"):
            if _reads(text, way, values):
                return text, way
    return json.dumps(values, ensure_ascii=False)[1:-1], "json"


def _quoted(value: object) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow([value])
    return written.getvalue()


def _reads(line: str, way: str, values: list[object]) -> bool:
    try:
        found = read_values(line, way)
    except (csv.Error, ValueError):
        return False
    return [(type(value), value) for value in found] == [(type(value), value) for value in values]
