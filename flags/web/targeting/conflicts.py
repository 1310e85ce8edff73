"""Two people edited one configuration: what each changed, in words, and both brought together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flags import wording
from flags.clash_wording import clash_sentences, rule_names
from flags.engine import Configuration, FlagDefinition
from flags.merging import merge
from flags.models import FlagConfiguration
from flags.services.parsing import configuration_from
from portal.lib.errors import Invalid
from portal.lib.merging import Merged, Side


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
    """Both sides of a conflict in words."""
    mine_on_theirs = wording.configuration_changes(saved.configuration, yours)
    started = _parsed(base, saved.flag.definition)
    if started is None:
        return BothSides(None, None, mine_on_theirs, [])
    merged = merge_onto(base, saved, document, with_switch=with_switch)
    changed = yours if with_switch else _as_it_was_switched(yours, started)
    names = rule_names(saved.configuration.rules, yours.rules, started.rules)
    return BothSides(
        theirs=wording.configuration_changes(started, saved.configuration),
        mine=wording.configuration_changes(started, changed),
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
