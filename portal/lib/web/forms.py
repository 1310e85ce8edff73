"""Documents in HTML forms: each input is named by its path, as in ``rules[0].when.values``.

The same paths name the places of problems, so an input finds its error by its own name.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.lib import strict_json
from portal.lib.errors import Invalid
from portal.lib.numbers import read_whole

# The deepest document that people may send has a condition 20 groups down: 45 steps.
_MOST_STEPS = 100
_STEP = re.compile(r"\[(\d{1,6})\]|([^.\[\]]+)")


TEXT = "text"
Fields: TypeAlias = dict[str, "str | Fields | list[Fields]"]
"""The shape of a form: each field is a TEXT, an object of fields, or a list of such objects."""


def texts(*names: str) -> Fields:
    """Fields that are texts."""
    fields: Fields = dict.fromkeys(names, TEXT)
    return fields


def sent_version(request: HttpRequest, name: str = "version") -> int:
    """The version that a form was filled from. One without is of no version, and conflicts."""
    return version_in(request.POST.get(name, ""))


def version_in(text: str) -> int:
    """A version in a form; -1, which nothing ever has, where it is no number."""
    number = read_whole(text)
    return -1 if number is None else number


def sent_document(request: HttpRequest) -> dict[str, Any]:
    """The document that a dialog carries along. Raises Invalid where it is none."""
    damaged = _("This form is damaged. Reload the page; nothing was saved.")
    document = read_json(request.POST.get("document", ""), "", damaged)
    if not isinstance(document, dict):
        raise Invalid({"": damaged})
    return document


def read_json(text: str, path: str, message: str = "") -> Any:
    """What an input's JSON says. Raises Invalid where it is none, with ``message`` or why."""
    try:
        return strict_json.loads_text(text)
    except strict_json.NotStrict as error:
        raise Invalid({path: message or str(error)}) from None


def read_form(pairs: Iterable[tuple[str, object]], fields: Fields) -> dict[str, Any]:
    """The document in a form's inputs; whatever does not fit its fields is left out.

    So that who goes on with it can rely on texts being texts and lists being lists.
    """
    return _shaped(nest(pairs), fields)


def nest(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Build the document from (path, value) pairs.

    Numbered places need not be consecutive (a removed row leaves a gap): they are closed up in
    order. Names that are no paths, or endless ones, are ignored.
    """
    root: dict[str | int, Any] = {}
    for path, value in pairs:
        steps = [int(number) if number else name for number, name in _STEP.findall(path)]
        if 0 < len(steps) <= _MOST_STEPS:
            _put(root, steps, value)
    return {str(step): _close_up(inner) for step, inner in root.items()}


def _put(root: dict[str | int, Any], steps: list[str | int], value: object) -> None:
    place = root
    for step in steps[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        place = inner
    place[steps[-1]] = value


def _close_up(node: Any) -> Any:
    """Dictionaries that only have numbers for names become lists."""
    if not isinstance(node, dict):
        return node
    if node and all(isinstance(step, int) for step in node):
        return [_close_up(node[step]) for step in sorted(node)]
    return {str(step): _close_up(inner) for step, inner in node.items()}


def _shaped(node: dict[str, Any], fields: Fields) -> dict[str, Any]:
    fitting = ((name, _fitting(node[name], fields[name])) for name in fields if name in node)
    return {name: value for name, value in fitting if value is not None}


def _fitting(value: object, shape: "str | Fields | list[Fields]") -> Any:
    """What of the value has that shape; None where it is something else altogether."""
    if isinstance(shape, list):
        parts = value if isinstance(value, list) else []
        return [_shaped(part, shape[0]) for part in parts if isinstance(part, dict)]
    if isinstance(shape, dict):
        return _shaped(value, shape) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
