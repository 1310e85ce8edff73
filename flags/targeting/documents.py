"""The targeting form and the configuration document, both ways."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from flags.core.descriptions import percent
from flags.engine import FlagDefinition
from flags.models import ExclusionGroup, Flag, Segment
from flags.targeting.form import LINE_BREAK, Form, Problems, dicts_in, text_in
from flags.targeting.serve_form import (
    audience_to_form,
    flag_to_form,
    group_to_form,
    read_audience,
    read_flag,
    read_group,
    read_serve,
    serve_to_form,
)
from portal.access.models import Project
from portal.lib.errors import refuse

# The form has a switch where it edits a change request, which may turn the flag on or off.
SWITCH = {"on": True, "off": False}


def to_document(form: Form, *, enabled: bool, introduced: bool = True) -> dict[str, object]:
    """The configuration document that the form describes; ``enabled`` where it has no switch.

    Raises Invalid where an input cannot be read at all; whether what was read makes sense is for
    the engine to say.
    """
    problems = Problems()
    prerequisites = list(map(read_flag, dicts_in(form, "prerequisites")))
    document: dict[str, object] = {
        "enabled": SWITCH.get(text_in(form, "enabled"), enabled),
        "off_variant": form.get("off_variant", ""),
        "targets": [
            {"variant": target.get("variant", ""), "keys": _lines(target.get("keys", ""))}
            for target in dicts_in(form, "targets")
        ],
        "rules": [
            _rule(rule, f"rules[{index}]", problems)
            for index, rule in enumerate(dicts_in(form, "rules"))
        ],
        "fallthrough": read_serve(form.get("fallthrough", {}), "fallthrough", problems),
        "salt": form.get("salt", ""),
        **({"prerequisites": prerequisites} if prerequisites else {}),
        **({} if introduced else {"introduced": False}),
    }
    refuse(problems)
    return document


# What one input holds in full, and what it is called there.
_WHOLE = {name: name for name in ("values", "keys", "variants", "else_by", "overrides")}
_WHOLE["jsonlogic"] = "logic"


def form_path(path: str) -> str:
    """The form's name for a place that the engine names by the document's path."""
    named: list[str] = []
    parts = path.split(".")
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        name, bracket, place = part.partition("[")
        if name in _WHOLE:
            return ".".join([*named, _WHOLE[name]])
        if name == "not":
            # A group of which none must hold: its parts are below "any", or it is the only one.
            named += [] if following.startswith("any") else ["conditions[0]"]
        elif name in ("all", "any"):
            named += [f"conditions{bracket}{place}"] if bracket else []
        else:
            named.append(part)
    return ".".join(named)


def _rule(rule: Form, path: str, problems: Problems) -> dict[str, object]:
    audience = read_audience(rule.get("audience", {}), f"{path}.audience", problems)
    name = text_in(rule, "name").strip()
    return {
        "id": rule.get("id", ""),
        **({"name": name} if name else {}),
        "when": read_group(rule.get("when", {}), f"{path}.when", problems),
        **({"audience": audience} if audience else {}),
        "serve": read_serve(rule.get("serve", {}), f"{path}.serve", problems),
    }


def _lines(text: str) -> list[str]:
    lines = map(str.strip, LINE_BREAK.split(text))
    return [_unquoted(line) for line in lines if line]


def _unquoted(line: str) -> str:
    """A line in quotes is a JSON text: what has line breaks or white space around it."""
    try:
        text = json.loads(line) if line.startswith('"') else line
    except ValueError:
        return line
    return text if isinstance(text, str) else line


_LINE_BREAKS = set("\r\n")


def to_form(
    document: dict[str, Any], definition: FlagDefinition, *, with_switch: bool = False
) -> Form:
    variants = [variant.key for variant in definition.variants]
    switch = {"enabled": "on" if document["enabled"] else "off"} if with_switch else {}
    return switch | {
        "off_variant": document["off_variant"],
        "salt": document["salt"],
        "prerequisites": [flag_to_form(one) for one in document.get("prerequisites", ())],
        "targets": [
            {"variant": target["variant"], "keys": "\n".join(map(_key_line, target["keys"]))}
            for target in document["targets"]
        ],
        "rules": [_rule_to_form(rule, variants) for rule in document["rules"]],
        "fallthrough": serve_to_form(document["fallthrough"], variants),
    }


def _rule_to_form(rule: dict[str, Any], variants: list[str]) -> Form:
    return {
        "id": rule["id"],
        "name": rule.get("name", ""),
        "when": group_to_form(rule["when"]),
        "audience": audience_to_form(rule.get("audience")),
        "serve": serve_to_form(rule["serve"], variants),
    }


def _key_line(key: str) -> str:
    """A targeting key as one line; in quotes where it would be read as another."""
    plain = key == key.strip() and not key.startswith('"') and not _LINE_BREAKS & set(key)
    return key if plain else json.dumps(key, ensure_ascii=False)


# What the parts of the form may name: other flags with their variants, segments and groups.


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    key: str
    name: str = ""
    variants: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is to pick, by key. A segment's conditions cannot ask flags."""

    flags: Mapping[str, CatalogueEntry] = field(default_factory=dict)
    segments: Mapping[str, CatalogueEntry] = field(default_factory=dict)
    groups: Mapping[str, CatalogueEntry] = field(default_factory=dict)
    may_ask_flags: bool = True


NOTHING = Catalogue()


def catalogue_for(flag: Flag) -> Catalogue:
    others = Flag.objects.alive().filter(project=flag.project).exclude(key=flag.key)
    rows = others.order_by("key").values_list("key", "name", "variants")
    return Catalogue(
        flags={
            key: CatalogueEntry(key, name, tuple(one["key"] for one in variants))
            for key, name, variants in rows
        },
        segments=segments_of(flag.project),
        groups={
            one.key: CatalogueEntry(one.key, one.name, part=_part(one, flag.key))
            for one in ExclusionGroup.objects.filter(project=flag.project)
        },
    )


def segments_of(project: Project) -> dict[str, CatalogueEntry]:
    rows = Segment.objects.filter(project=project).values_list("key", "name")
    return {key: CatalogueEntry(key, name) for key, name in rows}


def _part(group: ExclusionGroup, flag: str) -> str:
    found = next((slot for slot in group.slots if slot["flag"] == flag), None)
    if found is None:
        return ""
    ends = {"start": percent(found["from"]), "end": percent(found["to"])}
    return _("{start} to {end}").format(**ends)
