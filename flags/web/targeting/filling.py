"""From a configuration document to the form that shows it."""

import json
from typing import Any

from flags.engine import FlagDefinition
from flags.web.targeting.condition_form import flag_to_form, group_to_form
from flags.web.targeting.form import Form
from flags.web.targeting.serve_form import audience_to_form, serve_to_form

_LINE_BREAKS = set("\r\n")


def to_form(
    document: dict[str, Any], definition: FlagDefinition, *, with_switch: bool = False
) -> Form:
    """The form of a valid configuration document; of a change request it has a switch."""
    variants = [variant.key for variant in definition.variants]
    switch = {"enabled": "on" if document["enabled"] else "off"} if with_switch else {}
    return switch | {
        "off_variant": document["off_variant"],
        "salt": document["salt"],
        "prerequisites": [flag_to_form(one) for one in document.get("prerequisites", ())],
        "targets": [
            {"variant": target["variant"], "keys": "\n".join(map(_key, target["keys"]))}
            for target in document["targets"]
        ],
        "rules": [_rule(rule, variants) for rule in document["rules"]],
        "fallthrough": serve_to_form(document["fallthrough"], variants),
    }


def _rule(rule: dict[str, Any], variants: list[str]) -> Form:
    return {
        "id": rule["id"],
        "name": rule.get("name", ""),
        "when": group_to_form(rule["when"]),
        "audience": audience_to_form(rule.get("audience")),
        "serve": serve_to_form(rule["serve"], variants),
    }


def _key(key: str) -> str:
    """A targeting key as one line; in quotes where it would be read as another."""
    plain = key == key.strip() and not key.startswith('"') and not _LINE_BREAKS & set(key)
    return key if plain else json.dumps(key, ensure_ascii=False)
