"""How two edits of one document are merged, and where they clashed, in words."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from flags.core import descriptions
from flags.engine import DocumentError, FlagDefinition, Rule, parse_configuration
from portal.lib import merging
from portal.lib.merging import MISSING, ORDER, Clash, Merging, Parts, Place, by_identity, sides

Document = Mapping[str, Any]
_FIELDS: dict[str, str | Promise] = {
    "enabled": gettext_lazy("Whether the flag is on"),
    "off_variant": gettext_lazy("What everyone gets while the flag is off"),
    "fallthrough": gettext_lazy("What everyone else gets"),
    "salt": gettext_lazy("Which users are in which percentage"),
    "name": gettext_lazy("The name"),
    "description": gettext_lazy("The description"),
    "kind": gettext_lazy("The kind"),
    "owner": gettext_lazy("The owner"),
    "permanent": gettext_lazy("Whether the flag is permanent"),
    "client_visible": gettext_lazy("Whether public keys see the flag"),
    "json_schema": gettext_lazy("The schema of the values"),
    "archived": gettext_lazy("Whether the flag is archived"),
    "when": gettext_lazy("Members by condition"),
    "keyed_by": gettext_lazy("The attribute that the lists hold"),
    "bucket_by": gettext_lazy("The attribute that users are bucketed by"),
    "holdout": gettext_lazy("The holdout"),
}
_PARTS: dict[str, str | Promise] = {
    "": gettext_lazy("one changed it, the other removed it"),
    "name": gettext_lazy("its name"),
    "when": gettext_lazy("its conditions"),
    "audience": gettext_lazy("its rollout"),
    "serve": gettext_lazy("what it serves"),
    "value": gettext_lazy("its value"),
    "description": gettext_lazy("its description"),
}


def _rule(clash: Clash, rules: Mapping[str, str]) -> str:
    if clash.part == ORDER:
        return _("The order of the rules")
    text = _("Rule {rule}: {part}")
    return text.format(rule=descriptions.quoted(rules.get(clash.key, clash.key)), part=_part(clash))


def _variant(clash: Clash, _rules: Mapping[str, str]) -> str:
    if clash.part == ORDER:
        return _("The order of the variants")
    return _("Variant {key}: {part}").format(key=descriptions.quoted(clash.key), part=_part(clash))


def _keyed(text: str) -> Callable[[Clash, Mapping[str, str]], str]:
    return lambda clash, _rules: _(text).format(key=descriptions.quoted(clash.key))


_LISTS: dict[str, Callable[[Clash, Mapping[str, str]], str]] = {
    "rules": _rule,
    "variants": _variant,
    "targets": lambda clash, _rules: _("What user {key} gets").format(key=clash.key),
    "prerequisites": _keyed("What flag {key} has to serve"),
    "slots": _keyed("The share of flag {key}"),
    "metadata": _keyed("The metadata {key}"),
}


def _part(clash: Clash) -> str:
    return str(_PARTS.get(clash.part, clash.part))


def clash_sentences(clashes: Iterable[Clash], rules: Mapping[str, str]) -> tuple[str, ...]:
    """What both edits changed, one sentence each; ``rules`` are names of rules by their ids."""
    return tuple(
        _LISTS[one.field](one, rules)
        if one.field in _LISTS
        else str(_FIELDS.get(one.field, one.field))
        for one in clashes
    )


def rule_names(*lists: Iterable[Rule]) -> dict[str, str]:
    """Rules as people know them, by id: by name, else by what they do."""
    return {one.id: one.name or descriptions.rule(one) for rules in lists for one in rules}


def rule_names_in(definition: FlagDefinition, *documents: Document) -> dict[str, str]:
    """The same of configuration documents; those that do not fit the flag any more are left out."""
    found: dict[str, str] = {}
    for document in documents:
        try:
            found |= rule_names(parse_configuration(document, definition).rules)
        except DocumentError:
            continue
    return found


# How the documents of flags, segments and exclusion groups are merged (see portal.lib.merging).
# Rules are the same by their id, individual users by their key, prerequisites and slots by their
# flag, variants by their key, everything else by its name.


def _prerequisites(merging: Merging, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
    return merging.listed((base, theirs, mine), "flag", Merging.whole, place[0]) or MISSING


def _targets(merging: Merging, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
    """User by user; new ones go to the first target of the variant."""
    if _equal(theirs, base) or _equal(theirs, mine):
        return mine
    if _equal(mine, base):
        return theirs
    old, new, own = (_individuals(one) for one in (base, theirs, mine))
    found = {
        key: merging.whole(*sides(key, old, new, own), (place[0], key, ""))
        for key in dict.fromkeys([*own, *new])
    }
    keys: dict[str, list[str]] = {}
    for key, variant in found.items():
        if variant is not MISSING:
            keys.setdefault(variant, []).append(key)
    return [{"variant": variant, "keys": users} for variant, users in keys.items()]


def _equal(one: Any, other: Any) -> bool:
    """Variants and users are texts, so that Python's own equality will do."""
    return one is other or (MISSING not in (one, other) and one == other)


def _individuals(targets: Any) -> dict[str, str]:
    known = () if targets is MISSING else targets
    return {key: target["variant"] for target in known for key in target["keys"]}


CONFIGURATION: Final[Parts] = {
    "rules": by_identity("id", Merging.fields),
    "prerequisites": _prerequisites,
    "targets": _targets,
}
DEFINITION: Final[Parts] = {
    "variants": by_identity("key", Merging.fields),
    "tags": Merging.members,
    "metadata": Merging.fields,
}
GROUP: Final[Parts] = {"slots": by_identity("flag", Merging.whole)}

merge = partial(merging.merge, parts=CONFIGURATION)


def merge_keys(
    base: frozenset[str], theirs: frozenset[str], mine: frozenset[str]
) -> frozenset[str]:
    return (mine & (theirs | (mine - base))) | (theirs - base)
