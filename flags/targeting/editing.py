import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from flags.core import change_descriptions
from flags.core.definitions import new_salt
from flags.core.merge_descriptions import clash_sentences, merge, rule_names
from flags.core.parsing import configuration_from
from flags.engine import Configuration, FlagDefinition
from flags.models import FlagConfiguration
from flags.targeting.form import SPLIT, Form
from flags.targeting.serve_form import serve_to_form
from portal.lib.errors import Invalid
from portal.lib.merging import Merged, Side
from portal.lib.numbers import read_whole

_PLACE = re.compile(r"^(?P<list>[a-z_.\[\]0-9]+)\[(?P<index>\d{1,6})\]$")
_STEP = re.compile(r"\[(\d{1,6})\]|([a-z_]+)")


def apply(form: Form, command: str, definition: FlagDefinition) -> str:
    """Carry out ``verb:place`` on the form; returns the path of what should get the focus.

    A command that makes no sense for this form (an old page, a forged request) changes nothing.
    """
    verb, _colon, place = command.partition(":")
    action = _ACTIONS.get(verb)
    focus = action(form, place, definition) if action else ""
    for serve in [form.get("fallthrough"), *(rule.get("serve") for rule in _rules(form))]:
        _deal_out(serve)
    return focus


def announcement(command: str, focus: str) -> str:
    verb, _colon, _place = command.partition(":")
    place = _PLACE.match(focus.rpartition(".")[0])
    if verb not in ("up", "down", "drop") or place is None:
        return ""
    return _("It is rule {number} now.").format(number=int(place["index"]) + 1)


def _rules(form: Form) -> list[Form]:
    rules = form.get("rules", [])
    return [one for one in rules if isinstance(one, dict)] if isinstance(rules, list) else []


def _deal_out(serve: Any) -> None:
    """Shares that someone has just asked for start out equal instead of at nothing."""
    shares = serve.get("split") if isinstance(serve, dict) else None
    if not isinstance(shares, list) or serve.get("variant") != SPLIT:
        return
    if any(not isinstance(share, dict) or share.get("weight") != "0" for share in shares):
        return
    each, rest = divmod(100_000, len(shares))
    for index, share in enumerate(shares):
        share["weight"] = f"{(each + (index < rest)) / 1000:g}"


def new_condition() -> Form:
    return {"attribute": "", "operator": "in", "values": "", "as": "text"}


def _add_rule(form: Form, _place: str, definition: FlagDefinition) -> str:
    rules = form.setdefault("rules", [])
    variants = [variant.key for variant in definition.variants]
    rules.append(
        {
            "id": f"r-{secrets.token_hex(3)}",
            "name": "",
            "when": {"match": "all", "conditions": [new_condition()]},
            "audience": {"percent": "100"},
            "serve": serve_to_form({"variant": variants[0]}, variants),
        }
    )
    return f"rules[{len(rules) - 1}].when.conditions[0].attribute"


def _add_target(form: Form, _place: str, definition: FlagDefinition) -> str:
    targets = form.setdefault("targets", [])
    targets.append({"variant": definition.variants[0].key, "keys": ""})
    return f"targets[{len(targets) - 1}].keys"


def _add_prerequisite(form: Form, _place: str, _definition: FlagDefinition) -> str:
    prerequisites = form.setdefault("prerequisites", [])
    prerequisites.append({"flag": "", "variants": []})
    return f"prerequisites[{len(prerequisites) - 1}].flag"


# What a group of conditions can be given, and which input of it gets the focus.
_NEW_PARTS: dict[str, tuple[Callable[[], Form], str]] = {
    "condition": (new_condition, "attribute"),
    "segment": (lambda: {"segment": ""}, "segment"),
    "flag": (lambda: {"flag": "", "variants": []}, "flag"),
    "logic": (lambda: {"logic": ""}, "logic"),
    "group": (
        lambda: {"match": "any", "conditions": [new_condition()]},
        "conditions[0].attribute",
    ),
}


def _add_to_group(kind: str) -> Callable[[Form, str, FlagDefinition], str]:
    make, focus = _NEW_PARTS[kind]

    def add(form: Form, place: str, _definition: FlagDefinition) -> str:
        return _append_to_group(form, place, make(), focus)

    return add


def _append_to_group(form: Form, place: str, part: Form, focus: str) -> str:
    group = _find(form, place)
    if not isinstance(group, dict):
        return ""
    conditions = group.setdefault("conditions", [])
    conditions.append(part)
    return f"{place}.conditions[{len(conditions) - 1}].{focus}"


def _remove(form: Form, place: str, _definition: FlagDefinition) -> str:
    parts, index = _list_and_index(form, place)
    if parts is not None:
        del parts[index]
    return ""


def _move(by: int) -> Callable[[Form, str, FlagDefinition], str]:
    def move(form: Form, place: str, _definition: FlagDefinition) -> str:
        parts, index = _list_and_index(form, place)
        to = index + by
        if parts is None or not 0 <= to < len(parts):
            return ""
        parts.insert(to, parts.pop(index))
        at_end = to == (0 if by < 0 else len(parts) - 1)
        button = "up" if (by < 0) != at_end else "down"
        return f"{place.rpartition('[')[0]}[{to}].{button}"

    return move


def _drop(form: Form, place: str, _definition: FlagDefinition) -> str:
    """To where it was dragged: ``rules[2]@0`` is that the third becomes the first."""
    source, _at, target = place.partition("@")
    parts, index = _list_and_index(form, source)
    wanted = read_whole(target)
    if parts is None or wanted is None:
        return ""
    to = min(wanted, len(parts) - 1)
    parts.insert(to, parts.pop(index))
    return f"{source.rpartition('[')[0]}[{to}].{'up' if to else 'down'}"


def _reshuffle(form: Form, _place: str, _definition: FlagDefinition) -> str:
    """Another salt: all users are reshuffled. Nothing of it counts before the form is saved."""
    form["salt"] = new_salt()
    return "salt"


_ACTIONS: dict[str, Callable[[Form, str, FlagDefinition], str]] = {
    "add-rule": _add_rule,
    "add-target": _add_target,
    "add-prerequisite": _add_prerequisite,
    **{f"add-{kind}": _add_to_group(kind) for kind in _NEW_PARTS},
    "remove": _remove,
    "up": _move(-1),
    "down": _move(1),
    "drop": _drop,
    "reshuffle": _reshuffle,
}


def _list_and_index(form: Form, place: str) -> tuple[list[Any] | None, int]:
    found = _PLACE.match(place)
    parts = _find(form, found["list"]) if found else None
    if found is None or not isinstance(parts, list) or int(found["index"]) >= len(parts):
        return None, 0
    return parts, int(found["index"])


def _find(form: Form, place: str) -> Any:
    node: Any = form
    for number, name in _STEP.findall(place):
        if number and isinstance(node, list) and int(number) < len(node):
            node = node[int(number)]
        elif name and isinstance(node, dict):
            node = node.get(name)
        else:
            return None
    return node


# Two people edited one configuration: what each changed, in words, and both brought together.


@dataclass(frozen=True, slots=True)
class BothSides:
    """What each changed since they both started, and what both touched.

    ``theirs`` and ``mine`` are None where what they started from is not known any more.
    """

    theirs: list[str] | None
    mine: list[str] | None
    mine_on_theirs: list[str]
    clashes: list[str]


def both_sides(
    base: object,
    saved: FlagConfiguration,
    yours: Configuration,
    document: Mapping[str, Any],
    *,
    with_switch: bool,
) -> BothSides:
    mine_on_theirs = change_descriptions.configuration_changes(saved.configuration, yours)
    started = _parsed(base, saved.flag.definition)
    if started is None:
        return BothSides(None, None, mine_on_theirs, [])
    merged = merge_onto(base, saved, document, with_switch=with_switch)
    changed = yours if with_switch else _as_it_was_switched(yours, started)
    names = rule_names(saved.configuration.rules, yours.rules, started.rules)
    return BothSides(
        theirs=change_descriptions.configuration_changes(started, saved.configuration),
        mine=change_descriptions.configuration_changes(started, changed),
        mine_on_theirs=mine_on_theirs,
        clashes=list(clash_sentences(merged.clashes, names)) if merged else [],
    )


def _as_it_was_switched(yours: Configuration, started: Configuration) -> Configuration:
    """A form without a switch: turned on or off meanwhile, that was not this edit."""
    return replace(yours, enabled=started.enabled)


def merge_onto(
    base: object,
    saved: FlagConfiguration,
    mine: Mapping[str, Any],
    prefer: Side = Side.MINE,
    *,
    with_switch: bool,
) -> Merged | None:
    """My edit on top of what is saved; None where what it started from is not known.

    Where the form has no switch, that stays as it is.
    """
    if _parsed(base, saved.flag.definition) is None or not isinstance(base, dict):
        return None
    enabled = {} if with_switch else {"enabled": saved.enabled}
    return merge(base | enabled, saved.document, {**mine, **enabled}, prefer=prefer)


def _parsed(base: object, definition: FlagDefinition) -> Configuration | None:
    try:
        return configuration_from(base, definition)
    except Invalid:
        return None
