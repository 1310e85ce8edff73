"""What the parts of the targeting form have in common: its names, its problems, its JSON."""

import json
from typing import Any, Final

from flags.engine.document import DEFAULT_ALGORITHM, TARGETING_KEY
from portal.lib import strict_json

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
