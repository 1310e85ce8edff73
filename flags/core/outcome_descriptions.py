"""Who gets what, in words: a whole configuration, and the values of a flag's variants."""

import json
from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext as _, ngettext

from flags.core import descriptions
from flags.core.descriptions import length, quoted, shortened, span
from flags.engine import Configuration, FlagDefinition, Group, Rule, Target

_MOST_CLAUSES: Final = 20
_MOST_KEYS: Final = 5


def sentences(configuration: Configuration) -> tuple[str, ...]:
    """Who gets what by a configuration, one sentence each, in the order in which it is decided."""
    if not configuration.enabled:
        text = _("It is off: everyone gets {variant}.")
        return (text.format(variant=quoted(configuration.off_variant)),)
    return tuple(f"{one[:1].upper()}{one[1:]}." for one in clauses(configuration))


def clauses(configuration: Configuration, most: int = _MOST_CLAUSES) -> list[str]:
    """The same of a configuration that is on, as parts of one sentence."""
    found = [
        _("only where {condition} (else everyone gets {variant})").format(
            condition=descriptions.flag_test(one.flag, one.variants),
            variant=quoted(configuration.off_variant),
        )
        for one in configuration.prerequisites
    ]
    found += map(_target, configuration.targets)
    found += map(_rule, configuration.rules)
    more = len(found) - most
    if more > 0:
        found = [*found[:most], ngettext("{n} more rule", "{n} more rules", more).format(n=more)]
    text = _("everyone else gets {what}") if found else _("everyone gets {what}")
    return [*found, text.format(what=descriptions.serve(configuration.fallthrough))]


def turned_on(configuration: Configuration) -> str:
    return _("Turned on: {who}.").format(who="; ".join(clauses(configuration)))


def _rule(one: Rule) -> str:
    return f"{descriptions.rule(one)} ({quoted(one.name)})" if one.name else descriptions.rule(one)


def _target(target: Target) -> str:
    text = ngettext("user {users} gets {variant}", "users {users} get {variant}", len(target.keys))
    return text.format(users=_listed(target.keys), variant=quoted(target.variant))


def _listed(keys: Iterable[str]) -> str:
    ordered = list(keys)
    names = ", ".join(shortened(key, 60) for key in ordered[:_MOST_KEYS])
    more = len(ordered) - _MOST_KEYS
    return _("{names} and {n} more").format(names=names, n=more) if more > 0 else names


def values(definition: FlagDefinition) -> tuple[str, ...]:
    text, public = _("{variant} is {value}."), _("Public keys see it.")
    found = [
        text.format(
            variant=quoted(one.key), value=shortened(json.dumps(one.value, ensure_ascii=False))
        )
        for one in definition.variants
    ]
    return (*found, public if definition.client_visible else _("Public keys do not see it."))


def shares(group: Group) -> tuple[str, ...]:
    text = _("Flag {flag} gets {part} of the users, {place}.")
    found = [
        text.format(flag=quoted(slot.flag), part=length(slot.end - slot.start), place=span(slot))
        for slot in group.slots
    ]
    holdout = _("{part} of the users are in the holdout.").format(part=length(group.holdout))
    bucketing = _("Users are bucketed by {name} with the salt {salt}.")
    return (*found, holdout, bucketing.format(name=group.bucket_by, salt=group.salt))
