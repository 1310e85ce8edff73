"""Conditions in the form, both ways.

Every condition of a rule stands in a group; a single one knows that it was bare, so that what
nobody touched comes back as it was.
"""

from collections.abc import Callable
from typing import Any, Final

from django.utils.translation import gettext as _

from flags.engine import OPERATORS
from flags.web.targeting.form import Form, Problems, dicts_in, read_json, text_in, write_json
from flags.web.targeting.values import values_in, way_of, write_values

Document = dict[str, Any]


def group_to_form(when: Document) -> Form:
    """Any condition as a group."""
    if "not" in when:
        inner = when["not"]
        if "any" in inner:
            return {"match": "none", "conditions": list(map(_to_form, inner["any"]))}
        return {"match": "none", "conditions": [_to_form(inner)], "bare": "on"}
    for match in ("all", "any"):
        if match in when:
            return {"match": match, "conditions": list(map(_to_form, when[match]))}
    return {"match": "all", "conditions": [_to_form(when)], "bare": "on"}


def _to_form(when: Document) -> Form:
    for field, write in _LEAVES_TO_FORM.items():
        if field in when:
            return write(when)
    return group_to_form(when)


def _test_to_form(when: Document) -> Form:
    text, way = write_values(when["operator"], when.get("values", []))
    return {
        "attribute": when["attribute"],
        "operator": when["operator"],
        "values": text,
        "as": way,
        "ignore_case": "on" if when.get("ignore_case") else "",
    }


def _segment_to_form(when: Document) -> Form:
    return {"segment": when["segment"]}


def flag_to_form(when: Document) -> Form:
    """Another flag and those of its variants that are meant; so do prerequisites say it."""
    return {"flag": when["flag"], "variants": [{"key": key} for key in when["variants"]]}


def logic_to_form(when: Document) -> Form:
    """JsonLogic, as a condition or as what names a variant."""
    return {"logic": write_json(when["jsonlogic"]), "bucketing": when.get("bucketing", "")}


_LEAVES_TO_FORM: Final[dict[str, Callable[[Document], Form]]] = {
    "attribute": _test_to_form,
    "segment": _segment_to_form,
    "flag": flag_to_form,
    "jsonlogic": logic_to_form,
}


def read_group(group: Form, path: str, problems: Problems) -> Document:
    """The condition that a group of the form describes."""
    parts = [
        _read(part, f"{path}.conditions[{index}]", problems)
        for index, part in enumerate(dicts_in(group, "conditions"))
    ]
    match = group.get("match", "all")
    is_bare = len(parts) == 1 and bool(group.get("bare"))
    if match == "none":
        # An "any" inside would be taken for the group itself.
        return {"not": parts[0] if is_bare and "any" not in parts[0] else {"any": parts}}
    if match == "all" and is_bare:
        return parts[0]
    return {"any" if match == "any" else "all": parts}


def _read(part: Form, path: str, problems: Problems) -> Document:
    for field, read in _READERS.items():
        if field in part:
            return read(part, path, problems)
    return _read_test(part, path, problems)


def _read_test(part: Form, path: str, problems: Problems) -> Document:
    operator = part.get("operator", "")
    test: Document = {"attribute": part.get("attribute", "").strip(), "operator": operator}
    known = OPERATORS.get(operator)
    if known is None or known.read_values is not None:
        way = way_of(operator, part.get("as", ""))
        test["values"] = values_in(part.get("values", ""), way, f"{path}.values", problems)
    if part.get("ignore_case") and known and known.ignores_case:
        test["ignore_case"] = True
    return test


def _read_segment(part: Form, _path: str, _problems: Problems) -> Document:
    return {"segment": text_in(part, "segment").strip()}


def read_flag(part: Form, _path: str = "", _problems: Problems | None = None) -> Document:
    """Another flag and the variants that are ticked."""
    variants = [text_in(one, "key") for one in dicts_in(part, "variants")]
    return {"flag": text_in(part, "flag").strip(), "variants": variants}


def read_logic(part: Form, path: str, problems: Problems) -> Document:
    """JsonLogic; a problem where it is no JSON."""
    text = text_in(part, "logic")
    logic = read_json(text, f"{path}.logic", problems)
    if not text.strip():
        problems[f"{path}.logic"] = _("Write the JsonLogic, or take it out.")
    bucketing = text_in(part, "bucketing")
    return {"jsonlogic": logic} | ({"bucketing": bucketing} if bucketing else {})


_READERS: Final[dict[str, Callable[[Form, str, Problems], Document]]] = {
    "match": read_group,
    "segment": _read_segment,
    "flag": read_flag,
    "logic": read_logic,
}
