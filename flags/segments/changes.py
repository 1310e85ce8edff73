from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from flags.engine import DocumentError, parse_segment
from flags.models import ExclusionGroup, KeyList, Segment
from flags.models.segment import ABOUT_FIELDS, LISTS, list_of
from flags.references import dependants
from flags.segments import descriptions
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals.changes import Change, same_document
from portal.lib.errors import Conflict

SEGMENT = dependants.SEGMENT
SEGMENT_DELETION = "segment.deletion"
_NAMES = ("name", "description")
Document = Mapping[str, Any]


def segment_change(
    segment: Segment, before: Document, environments: Iterable[Environment]
) -> Change:
    """What becomes of a segment; it is as it is to be, its version still the old one.

    ``environments`` are those that it reaches.
    """
    text = _("Change who is in segment {name}, in every environment")
    after = segment.document
    return change_of(
        SEGMENT,
        segment,
        text,
        before,
        after,
        environments,
        segment_words(segment.project, before, after),
    )


def deletion(
    kind: str, one: Segment | ExclusionGroup, environments: Iterable[Environment]
) -> Change:
    text = (
        _("Delete segment {name}")
        if kind == SEGMENT_DELETION
        else _("Delete exclusion group {name}")
    )
    words = [_("Nothing refers to it. The history keeps what it was.")]
    return change_of(kind, one, text, {}, {"deleted": True}, environments, words)


def change_of(
    kind: str,
    one: Segment | ExclusionGroup,
    title: str,
    before: Document,
    after: Document,
    environments: Iterable[Environment],
    words: Iterable[str],
) -> Change:
    return Change(
        kind=kind,
        project=one.project,
        environments=tuple(environments),
        subject_kind=one.recorded_as.kind,
        subject=one.key,
        title=title.format(name=one.title),
        base_version=str(one.version),
        before=before,
        after=after,
        permissions=(Permission.SEGMENT_EDIT,),
        words=tuple(words),
        serves=is_served_otherwise(before, after),
    )


def conflict(one: Segment | ExclusionGroup, document: object) -> Conflict:
    text = (
        _("{person} changed this segment while you were editing it.")
        if isinstance(one, Segment)
        else _("{person} changed this exclusion group while you were editing it.")
    )
    return Conflict(
        text.format(person=one.updated_by or _("Someone")),
        current=one.document | {"version": one.version},
        yours=dict(document) if isinstance(document, Mapping) else {},
    )


def is_served_otherwise(before: Document, after: Document) -> bool:
    """Whether evaluators get another document: names and descriptions make no difference."""
    return not same_document(_served(before), _served(after))


def segment_words(project: Project, before: Document, after: Document) -> list[str]:
    """What differs between two segments, one sentence each; lists that differ are looked up."""
    try:
        sentences = _about_words(before, after)
        for name in _differing(before, after):
            old, new = (
                frozenset(list_of(project, side[name]["digest"]).keys) for side in (before, after)
            )
            sentences += descriptions.list_changes(name, new - old, old - new)
    except (DocumentError, KeyList.DoesNotExist):
        return [_("It is of another time; see the documents.")]
    return sentences


def members_words(document: Document) -> tuple[str, ...]:
    try:
        segment = parse_segment({f: document[f] for f in ABOUT_FIELDS if f in document})
    except DocumentError:
        return (_("It is of another time; see the documents."),)
    return descriptions.members(segment, {name: document[name]["count"] for name in LISTS})


def recorded_words(before: Document, after: Document) -> list[str]:
    """The same of a row of the history, which names the keys where they are few; no list is read.

    A page of the history may show many changes of lists of 100,000 keys.
    """
    try:
        sentences = _about_words(before, after)
    except DocumentError:
        return [_("It is of another time; see the documents.")]
    named = after.get("keys", {})
    for name in _differing(before, after):
        if name in named:
            sentences += descriptions.list_changes(name, **named[name])
        else:
            counts = before[name]["count"], after[name]["count"]
            sentences.append(descriptions.list_counts(name, *counts))
    return sentences


def _about_words(before: Document, after: Document) -> list[str]:
    old, new = (
        parse_segment({field: side[field] for field in ABOUT_FIELDS if field in side})
        for side in (before, after)
    )
    return descriptions.segment_changes(old, new)


def _differing(before: Document, after: Document) -> list[str]:
    return [name for name in LISTS if before[name]["digest"] != after[name]["digest"]]


def _served(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _NAMES}
