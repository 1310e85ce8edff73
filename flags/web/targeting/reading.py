"""From the form to a configuration document.

The form's shape follows the document's; where people think differently it differs: a group of
conditions says what to match (all, any, none), values are one line of comma-separated texts, and
shares are percentages.
"""

import csv
import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from django.utils.translation import gettext as _

from flags.engine import OPERATORS
from portal.lib.errors import Invalid

SPLIT = "*split"
TARGETING_KEY = "targetingKey"
Form = dict[str, Any]


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
    parts = path.replace(".not.", ".none.").split(".")
    named = []
    for part in parts:
        name, bracket, rest = part.partition("[")
        if name in ("all", "any"):
            named.append(f"conditions{bracket}{rest}")
        elif name in ("values", "keys"):
            named.append(name)
        elif name != "none":
            named.append(part)
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
        return {"not": parts[0] if len(parts) == 1 else {"any": parts}}
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
        number = part.get("as") == "number" or operator in NUMBER_OPERATORS
        test["values"] = _values(part.get("values", ""), number, f"{path}.values", problems)
    if part.get("ignore_case") and known and known.ignores_case:
        test["ignore_case"] = True
    return test


NUMBER_OPERATORS = frozenset({"gt", "gte", "lt", "lte"})


def _values(text: str, as_numbers: bool, path: str, problems: _Problems) -> list[object]:
    try:
        texts = [
            part.strip()
            for part in next(csv.reader([text], skipinitialspace=True, strict=True), [])
        ]
    except csv.Error:
        problems[path] = _("Close the quotation marks, or leave them out.")
        return []
    texts = [part for part in texts if part]
    if not as_numbers:
        return list(texts)
    try:
        return [_number(part) for part in texts]
    except ValueError:
        problems[path] = _("Give a number, such as 5 or 2.5.")
        return []


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
    return [line.strip() for line in text.splitlines() if line.strip()]


def _list(node: Form, name: str) -> list[Form]:
    value = node.get(name, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
