"""A segment's conditions in the targeting editor's own parts: one rule of no flag at all."""

from collections.abc import Mapping
from typing import Any

from flags.engine import FlagDefinition, ValueType, Variant
from flags.web.targeting import editing, filling, reading, shape
from flags.web.targeting.catalogue import Catalogue, segments_of
from flags.web.targeting.nodes import Drawing
from portal.access.models import Project
from portal.lib.errors import Invalid
from portal.lib.web.forms import Fields

Form = dict[str, Any]
FIELDS: Fields = {"rules": shape.FIELDS["rules"]}
_RULE = "rules[0]"
_ON = "on"
_NO_FLAG = FlagDefinition("-", ValueType.BOOLEAN, (Variant(_ON, True),))
_GROUPS = ("all", "any")
_LEAVES = ("attribute", "segment", "jsonlogic")


def to_form(when: Mapping[str, Any]) -> Form | None:
    """The editor's part of the form; None for conditions that it cannot draw."""
    if not _is_drawable(when):
        return None
    rule = {"id": "r", "when": when, "serve": {"variant": _ON}}
    document = {"off_variant": _ON, "salt": "s", "targets": [], "rules": [rule]}
    form = filling.to_form(document | {"fallthrough": {"variant": _ON}}, _NO_FLAG)
    return {"rules": form["rules"]}


def to_when(form: Form) -> Any:
    """The condition that the form describes. Raises Invalid where an input cannot be read."""
    rules = form.get("rules") or [{"when": {"match": "any"}}]
    whole = {"rules": rules[:1], "fallthrough": {"variant": _ON}, "off_variant": _ON}
    try:
        document: Any = reading.to_document(whole, enabled=False)
    except Invalid as error:
        found = error.problems.items()
        raise Invalid({path.removeprefix(f"{_RULE}."): text for path, text in found}) from None
    return document["rules"][0]["when"]


def rearrange(form: Form, command: str) -> str:
    """Carry out what a button of the editor says; returns the path that gets the focus."""
    return editing.apply(form, command, _NO_FLAG)


def drawing(form: Form, errors: Mapping[str, str], focus: str, project: Project) -> Drawing:
    """The editor's part, ready to draw; a segment cannot ask what flags serve."""
    problems = {
        reading.form_path(f"{_RULE}.{path}" if path.startswith("when") else path): text
        for path, text in errors.items()
    }
    catalogue = Catalogue(segments=segments_of(project), may_ask_flags=False)
    return Drawing({"rules": form.get("rules", [])}, problems, focus, catalogue)


def _is_drawable(when: Mapping[str, Any]) -> bool:
    if "not" in when:
        return _is_drawable(when["not"])
    for name in _GROUPS:
        if name in when:
            return all(_is_drawable(part) for part in when[name])
    return any(name in when for name in _LEAVES)
