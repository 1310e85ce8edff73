"""From a configuration document to the form that shows it."""

import csv
import io
import json
from typing import Any

from flags.engine import FlagDefinition
from flags.web.targeting.reading import SPLIT, TARGETING_KEY, Form, read_values

_LINE_BREAKS = set("\r\n")


def to_form(document: dict[str, Any], definition: FlagDefinition) -> Form:
    """The form of a valid configuration document."""
    variants = [variant.key for variant in definition.variants]
    return {
        "off_variant": document["off_variant"],
        "salt": document["salt"],
        "targets": [
            {"variant": target["variant"], "keys": "\n".join(map(_key, target["keys"]))}
            for target in document["targets"]
        ],
        "rules": [_rule(rule, variants) for rule in document["rules"]],
        "fallthrough": serve_form(document["fallthrough"], variants),
    }


def serve_form(serve: dict[str, Any], variants: list[str]) -> Form:
    """What is served, with a share for every variant so that each can be given one."""
    if "variant" in serve:
        return {"variant": serve["variant"], "split": _shares([], variants, 1000)}
    kept = {name: serve[name] for name in ("algorithm", "seed") if name in serve}
    per_unit = 1 if serve.get("algorithm") == "flagd" else 1000
    return {
        "variant": SPLIT,
        "split": _shares(serve["split"], variants, per_unit),
        "bucket_by": serve.get("bucket_by", TARGETING_KEY),
    } | kept


def _rule(rule: dict[str, Any], variants: list[str]) -> Form:
    audience = rule.get("audience", {})
    return {
        "id": rule["id"],
        "name": rule.get("name", ""),
        "when": _group(rule["when"]),
        "audience": {
            "percent": f"{audience.get('percent', 100):g}",
            "bucket_by": audience.get("bucket_by", TARGETING_KEY),
        },
        "serve": serve_form(rule["serve"], variants),
    }


def _group(when: dict[str, Any]) -> Form:
    """Any condition as a group; a single test is a group of one that knows it was bare."""
    if "not" in when:
        inner = when["not"]
        several = len(inner.get("any", ())) > 1
        parts = inner["any"] if several else [inner]
        return {"match": "none", "conditions": [_condition(part) for part in parts]}
    for match in ("all", "any"):
        if match in when:
            return {"match": match, "conditions": [_condition(part) for part in when[match]]}
    return {"match": "all", "conditions": [_condition(when)], "bare": "on"}


def _condition(when: dict[str, Any]) -> Form:
    if "attribute" not in when:
        return _group(when)
    line, way = _line(when["operator"], when.get("values", []))
    return {
        "attribute": when["attribute"],
        "operator": when["operator"],
        "values": line,
        "as": way,
        "ignore_case": "on" if when.get("ignore_case") else "",
    }


def _line(operator: str, values: list[object]) -> tuple[str, str]:
    """Values as one line, and the plainest way of reading it that gives the same values back."""
    if operator == "matches" and len(values) == 1 and not _LINE_BREAKS & set(str(values[0])):
        return str(values[0]), "pattern"
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(values)
    line = written.getvalue() if values else ""
    for way in () if operator == "matches" else ("text", "number"):
        if not _LINE_BREAKS & set(line) and _reads(line, way, values):
            return line, way
    return json.dumps(values, ensure_ascii=False)[1:-1], "json"


def _reads(line: str, way: str, values: list[object]) -> bool:
    try:
        found = read_values(line, way)
    except (csv.Error, ValueError):
        return False
    return [(type(value), value) for value in found] == [(type(value), value) for value in values]


def _key(key: str) -> str:
    """A targeting key as one line; in quotes where it would be read as another."""
    plain = key == key.strip() and not key.startswith('"') and not _LINE_BREAKS & set(key)
    return key if plain else json.dumps(key, ensure_ascii=False)


def _shares(split: list[dict[str, Any]], variants: list[str], per_unit: int) -> list[Form]:
    """The shares in their order, then the variants that have none: order decides who grows."""
    shares = [(share["variant"], share["weight"]) for share in split]
    given = {variant for variant, _weight in shares}
    shares += [(key, 0) for key in variants if key not in given]
    return [
        {"variant": key, "weight": f"{weight / per_unit:.3f}".rstrip("0").rstrip(".")}
        for key, weight in shares
    ]
