from collections.abc import Iterable, Iterator, Sequence

from django.utils.translation import gettext as _

from flags.core.descriptions import length, quoted, span
from flags.engine import DocumentError, Group, Slot, parse_group
from flags.models import ExclusionGroup
from flags.segments.changes import Document, change_of
from flags.segments.descriptions import about_changes
from portal.access.models import Environment
from portal.approvals.changes import Change

GROUP = "exclusion_group.edit"
GROUP_DELETION = "exclusion_group.deletion"


def group_change(
    group: ExclusionGroup, before: Document, environments: Iterable[Environment]
) -> Change:
    text = _("Change exclusion group {name}, in every environment")
    after = group.document
    return change_of(GROUP, group, text, before, after, environments, group_words(before, after))


def group_words(before: Document, after: Document) -> list[str]:
    try:
        return group_changes(parse_group(before), parse_group(after))
    except DocumentError:
        return [_("It is of another time; see the documents.")]


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
