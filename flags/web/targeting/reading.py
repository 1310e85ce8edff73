"""From the form to a configuration document.

The form's shape follows the document's; where people think differently it differs: a group of
conditions says what to match (all, any, none), values are one line of comma-separated texts, and
shares are percentages.
"""

import csv
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from django.utils.translation import gettext as _

from flags.engine import OPERATORS
from portal.lib.errors import Invalid

SPLIT = "*split"
TARGETING_KEY = "targetingKey"
Form = dict[str, Any]
# Those of forms alone; Python's splitlines knows many more.
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class _Problems(dict[str, str]):
    """Problems by the path of the input that has them."""


def to_document(form: Form, *, enabled: bool) -> dict[str, object]:
    """The configuration document that the form describes.

    Raises Invalid where an input cannot be read at all; whether what was read makes sense is for
    the engine to say.
    """
    problems = _Problems()
    document: dict[str, object] = {
        "enabled": enabled,
        "off_variant": form.get("off_variant", ""),
        "targets": [
            {"variant": target.get("variant", ""), "keys": _lines(target.get("keys", ""))}
            for target in _list(form, "targets")
        ],
        "rules": [
            _rule(rule, f"rules[{index}]", problems)
            for index, rule in enumerate(_list(form, "rules"))
        ],
        "fallthrough": _serve(form.get("fallthrough", {}), "fallthrough", problems),
        "salt": form.get("salt", ""),
    }
    if problems:
        raise Invalid(problems)
    return document


def form_path(path: str) -> str:
    """The form's name for a place that the engine names by the document's path."""
    named = []
    parts = path.split(".")
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        name, bracket, place = part.partition("[")
        if name == "not":
            # A group of which none must hold: its parts are below "any", or it is the only one.
            named += [] if following.startswith("any") else ["conditions[0]"]
        elif name in ("all", "any"):
            named += [f"conditions{bracket}{place}"] if bracket else []
        else:
            named.append(name if name in ("values", "keys") else part)
    return ".".join(named)


def _rule(rule: Form, path: str, problems: _Problems) -> dict[str, object]:
    document: dict[str, object] = {
        "id": rule.get("id", ""),
        "when": _group(rule.get("when", {}), f"{path}.when", problems),
        "serve": _serve(rule.get("serve", {}), f"{path}.serve", problems),
    }
    if rule.get("name", "").strip():
        document["name"] = rule["name"].strip()
    audience = rule.get("audience", {})
    percent = _percent(audience.get("percent") or "100", f"{path}.audience.percent", problems)
    if percent != 100:
        document["audience"] = {"percent": float(percent)} | _bucket_by(audience)
    return document


def _group(group: Form, path: str, problems: _Problems) -> dict[str, object]:
    parts = [
        _condition(part, f"{path}.conditions[{index}]", problems)
        for index, part in enumerate(_list(group, "conditions"))
    ]
    match = group.get("match", "all")
    if match == "all" and len(parts) == 1 and group.get("bare"):
        return parts[0]
    if match == "none":
        alone = len(parts) == 1 and "any" not in parts[0]
        return {"not": parts[0] if alone else {"any": parts}}
    return {"any" if match == "any" else "all": parts}


def _condition(part: Form, path: str, problems: _Problems) -> dict[str, object]:
    if "match" in part:
        return _group(part, path, problems)
    operator = part.get("operator", "")
    test: dict[str, object] = {
        "attribute": part.get("attribute", "").strip(),
        "operator": operator,
    }
    known = OPERATORS.get(operator)
    if known is None or known.read_values is not None:
        way = _way(operator, part.get("as", ""))
        test["values"] = _values(part.get("values", ""), way, f"{path}.values", problems)
    if part.get("ignore_case") and known and known.ignores_case:
        test["ignore_case"] = True
    return test


NUMBER_OPERATORS = frozenset(
    {"gt", "gte", "lt", "lte", "modulo"}
    | {f"num_{comparison}" for comparison in ("eq", "gt", "gte", "lt", "lte")}
)
TEXT_OPERATORS = frozenset(
    {"starts_with", "ends_with", "matches", "in_cidr"}
    | {f"semver_{comparison}" for comparison in ("eq", "gt", "gte", "lt", "lte")}
)


def _way(operator: str, chosen: str) -> str:
    """How an operator's values are written. A pattern is one whole line: {1,2} is no list."""
    if operator in NUMBER_OPERATORS:
        return "number"
    return "pattern" if operator == "matches" and chosen != "json" else chosen


def _values(text: str, way: str, path: str, problems: _Problems) -> list[object]:
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
    """The values on one line, written as texts, as numbers, as a pattern, or else as JSON.

    Raises csv.Error, or ValueError for what is no number or no JSON.
    """
    if way == "json":
        values: list[object] = json.loads(f"[{text}]")
        return values
    if way == "pattern":
        return [text]
    parts = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    texts = [part.strip() for part in parts if part.strip()]
    return [_number(part) for part in texts] if way == "number" else list(texts)


def _number(text: str) -> int | float:
    value = json.loads(text)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(text)
    return cast(int | float, value)


def _serve(serve: Form, path: str, problems: _Problems) -> dict[str, object]:
    if serve.get("variant") != SPLIT:
        return {"variant": serve.get("variant", "")}
    parts = serve.get("algorithm") == "flagd"
    shares = []
    for index, share in enumerate(_list(serve, "split")):
        where = f"{path}.split[{index}].weight"
        text = str(share.get("weight", "")) or "0"
        weight = _parts(text, where, problems) if parts else _weight(text, where, problems)
        if weight:
            shares.append({"variant": share.get("variant", ""), "weight": weight})
    total = sum(int(str(share["weight"])) for share in shares)
    if not parts and total != 100_000 and not problems:
        problems[f"{path}.split"] = _("The shares add up to {total} %; make it 100 %.").format(
            total=f"{total / 1000:g}"
        )
    kept = {name: serve[name] for name in ("algorithm", "seed") if name in serve}
    return {"split": shares} | _bucket_by(serve) | kept


def _weight(text: str, path: str, problems: _Problems) -> int:
    return int(_percent(text, path, problems) * 1000)


def _parts(text: str, path: str, problems: _Problems) -> int:
    if not text.isascii() or not text.isdigit():
        problems[path] = _("Give a whole number of parts.")
        return 0
    return int(text[:12])


def _percent(text: str, path: str, problems: _Problems) -> Decimal:
    try:
        value = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value <= 100 or value * 1000 % 1:
        problems[path] = _("Give a percentage from 0 to 100, with at most 3 decimals.")
        return Decimal(100)
    return value


def _bucket_by(node: Mapping[str, Any]) -> dict[str, object]:
    attribute = str(node.get("bucket_by", "")).strip()
    return {"bucket_by": attribute} if attribute not in ("", TARGETING_KEY) else {}


def _lines(text: str) -> list[str]:
    lines = map(str.strip, _LINE_BREAK.split(text))
    return [_unquoted(line) for line in lines if line]


def _unquoted(line: str) -> str:
    """A line in quotes is a JSON text: what has line breaks or white space around it."""
    try:
        text = json.loads(line) if line.startswith('"') else line
    except ValueError:
        return line
    return text if isinstance(text, str) else line


def _list(node: Form, name: str) -> list[Form]:
    value = node.get(name, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
