from collections.abc import Collection, Iterable, Iterator, Mapping

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from flags.core.descriptions import condition, quoted
from flags.engine import Group, Segment

_MOST_KEYS = 10
_ABOUT = {
    "name": gettext_lazy("Name"),
    "description": gettext_lazy("Description"),
    "keyed_by": gettext_lazy("Listed by"),
}
LISTS = {"included": gettext_lazy("always in"), "excluded": gettext_lazy("never in")}


def segment_changes(before: Segment, after: Segment) -> list[str]:
    sentences = about_changes(before, after)
    if before.when != after.when:
        text = _("Members by condition: {after}. It was: {before}.")
        names = {"after": condition(after.when), "before": condition(before.when)}
        sentences.append(text.format(**names))
    return sentences


def about_changes(before: Segment | Group, after: Segment | Group) -> list[str]:
    text = _("{field}: {after} instead of {before}.")
    return [
        text.format(field=label, after=_value(after, name), before=_value(before, name))
        for name, label in _ABOUT.items()
        if hasattr(before, name) and getattr(before, name) != getattr(after, name)
    ]


def _value(one: object, name: str) -> str:
    return str(getattr(one, name)) or _("nothing")


def list_changes(name: str, added: Collection[str], removed: Collection[str]) -> Iterator[str]:
    if added:
        text = ngettext(
            "{count} key more is {list}: {keys}.",
            "{count} keys more are {list}: {keys}.",
            len(added),
        )
        yield text.format(count=f"{len(added):,}", list=LISTS[name], keys=_listed(added))
    if removed:
        text = ngettext(
            "{count} key is no longer {list}: {keys}.",
            "{count} keys are no longer {list}: {keys}.",
            len(removed),
        )
        yield text.format(count=f"{len(removed):,}", list=LISTS[name], keys=_listed(removed))


def list_counts(name: str, before: int, after: int) -> str:
    """A change of a list that is too large to be named key by key."""
    text = _("Other keys are {list}: {after} of them, instead of {before}.")
    return text.format(list=LISTS[name], after=f"{after:,}", before=f"{before:,}")


def _listed(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    names = ", ".join(quoted(_short(key)) for key in ordered[:_MOST_KEYS])
    more = len(ordered) - _MOST_KEYS
    return _("{names} and {more} more").format(names=names, more=f"{more:,}") if more > 0 else names


def _short(key: str) -> str:
    return key if len(key) <= 60 else key[:59] + "…"


def members(segment: Segment, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Who is in a segment; of its lists how many they hold."""
    found = [_("Members by condition: {condition}.").format(condition=condition(segment.when))]
    text = _("{count} by the list “{list}”, by {attribute}.")
    found += [
        text.format(count=f"{count:,}", list=LISTS[name], attribute=segment.keyed_by)
        for name, count in counts.items()
        if count
    ]
    return tuple(found)
