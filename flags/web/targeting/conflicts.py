"""Two people edited one configuration: what each changed, in words, and both brought together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from flags import wording
from flags.engine import Configuration, FlagDefinition, Rule
from flags.merging import Clash, Merged, Side, merge
from flags.models import FlagConfiguration
from flags.services.parsing import configuration_from
from portal.lib.errors import Invalid


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
    base: object, saved: FlagConfiguration, yours: Configuration, document: Mapping[str, Any]
) -> BothSides:
    """Both sides of a conflict in words."""
    mine_on_theirs = wording.configuration_changes(saved.configuration, yours)
    started = _parsed(base, saved.flag.definition)
    if started is None:
        return BothSides(None, None, mine_on_theirs, [])
    merged = merge_onto(base, saved, document)
    names = _names(saved.configuration.rules, yours.rules, started.rules)
    return BothSides(
        theirs=wording.configuration_changes(started, saved.configuration),
        mine=wording.configuration_changes(started, _as_it_was_switched(yours, started)),
        mine_on_theirs=mine_on_theirs,
        clashes=[_clash(one, names) for one in merged.clashes] if merged else [],
    )


def _as_it_was_switched(yours: Configuration, started: Configuration) -> Configuration:
    """The form has no switch: turned on or off meanwhile, that was not this edit."""
    return replace(yours, enabled=started.enabled)


def merge_onto(
    base: object, saved: FlagConfiguration, mine: Mapping[str, Any], prefer: Side = Side.MINE
) -> Merged | None:
    """My edit on top of what is saved; None where what it started from is not known.

    The switch is not the form's: it stays as it is.
    """
    if _parsed(base, saved.flag.definition) is None or not isinstance(base, dict):
        return None
    enabled = {"enabled": saved.enabled}
    return merge(base | enabled, saved.document, {**mine, **enabled}, prefer=prefer)


def _parsed(base: object, definition: FlagDefinition) -> Configuration | None:
    try:
        return configuration_from(base, definition)
    except Invalid:
        return None


def _names(*lists: tuple[Rule, ...]) -> dict[str, str]:
    """Rules as people know them, by id: by name, else by what they do."""
    return {one.id: one.name or wording.rule(one) for rules in lists for one in rules}


_FIELDS: dict[str, str | Promise] = {
    "off_variant": gettext_lazy("What everyone gets while the flag is off"),
    "fallthrough": gettext_lazy("What everyone else gets"),
    "salt": gettext_lazy("Who lies in which percentage"),
}
_PARTS: dict[str, str | Promise] = {
    "": gettext_lazy("one changed it, the other removed it"),
    "name": gettext_lazy("its name"),
    "when": gettext_lazy("its conditions"),
    "audience": gettext_lazy("whom it lets in"),
    "serve": gettext_lazy("what it serves"),
}


def _clash(clash: Clash, names: Mapping[str, str]) -> str:
    if clash.field in _FIELDS:
        return str(_FIELDS[clash.field])
    if clash.field == "targets":
        return _("What user {key} gets").format(key=clash.key)
    if clash.field == "prerequisites":
        return _("What flag {key} has to serve").format(key=wording.quoted(clash.key))
    if clash.part == "order":
        return _("The order of the rules")
    rule = wording.quoted(names.get(clash.key, clash.key))
    return _("Rule {rule}: {part}").format(rule=rule, part=_PARTS.get(clash.part, clash.part))
