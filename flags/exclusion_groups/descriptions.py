from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from flags.core.descriptions import length, quoted, span
from flags.engine import Group, Slot
from flags.segments.descriptions import about_changes


def group_changes(before: Group, after: Group) -> list[str]:
    sentences = about_changes(before, after)
    if (before.salt, before.bucket_by) != (after.salt, after.bucket_by):
        sentences.append(_("All users are reshuffled: they may come to another flag."))
    if before.bucket_by != after.bucket_by:
        text = _("Users are bucketed by {after} instead of {before}.")
        sentences.append(text.format(after=after.bucket_by, before=before.bucket_by))
    sentences += _slot_changes(before.slots, after.slots)
    if before.holdout != after.holdout:
        text = _("The holdout is {after} instead of {before}.")
        names = {"after": length(after.holdout), "before": length(before.holdout)}
        sentences.append(text.format(**names))
    return sentences


def _slot_changes(before: Sequence[Slot], after: Sequence[Slot]) -> Iterator[str]:
    old, new = ({slot.flag: slot for slot in slots} for slots in (before, after))
    for flag, slot in new.items():
        if flag not in old:
            text = _("Flag {flag} gets {part} of the traffic, {place}.")
        elif old[flag] != slot:
            text = _("Flag {flag} has {part} of the traffic, {place}, instead of {before}.")
        else:
            continue
        before_part = length(old[flag].end - old[flag].start) if flag in old else ""
        part = length(slot.end - slot.start)
        yield text.format(flag=quoted(flag), part=part, place=span(slot), before=before_part)
    for flag in old.keys() - new.keys():
        yield _("Flag {flag} no longer has a share of the traffic.").format(flag=quoted(flag))
