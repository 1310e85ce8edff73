"""What the parts of the targeting form have in common: its fields, its problems, its JSON."""

import json
from typing import Any, Final

from django.http import HttpRequest

from flags.engine.document import DEFAULT_ALGORITHM, TARGETING_KEY
from portal.lib import strict_json
from portal.lib.web.forms import Fields, texts

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
    """The objects of a list in a form, whatever was sent."""
    value = node.get(name, [])
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_in(node: Form, name: str) -> str:
    """A text of a form, whatever was sent."""
    value = node.get(name, "")
    return value if isinstance(value, str) else ""


def write_json(value: object) -> str:
    """JSON as it stands in an input."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def read_json(text: str, path: str, problems: Problems) -> Any:
    """What an input's JSON says; a problem where it is none."""
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
