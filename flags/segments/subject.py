from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from flags.core.merge_descriptions import clash_sentences, merge_keys
from flags.engine import Named
from flags.models import Segment
from flags.models.segment import LISTS, list_of
from flags.references.dependants import Use, uses_of
from flags.segments import (
    changes,
    key_lists,
    selectors as segment_selectors,
    services as segment_services,
)
from flags.usage import impact
from portal.access.models import Project
from portal.approvals.handlers import (
    Dependant,
    Document,
    Handler,
    Impact,
    Merged,
    Outcome,
    Side,
    Sides,
    Wanted,
    deleted,
    page_at,
)
from portal.approvals.models import ChangeRequest
from portal.lib import clock, merging, subjects
from portal.lib.subjects import Describe, Menu, Recorded, Restore, Subject


def _edit_segment(segment: Segment, wanted: Wanted) -> None:
    segment_services.edit_segment(
        segment=segment,
        document=wanted.document,
        expected_version=int(wanted.base_version),
        intent=wanted.intent,
    )


def _delete_segment(segment: Segment, wanted: Wanted) -> None:
    segment_services.delete_segment(
        segment=segment, expected_version=int(wanted.base_version), intent=wanted.intent
    )


def _members(_segment: Segment, request: ChangeRequest) -> list[Outcome]:
    sides = (changes.members_words(one) for one in (request.before, request.after))
    return [Outcome(_("Who is in the segment"), *sides)]


def _impact(segment: Segment, request: ChangeRequest, now: datetime) -> Impact | None:
    places = request.environments.all()
    return impact.of_segment(segment.project, segment.key, request.after, places, now=now)


def _merge_segments(segment: Segment, _request: ChangeRequest, sides: Sides) -> Merged:
    """The lists key by key; a key that one side includes and the other excludes is a clash."""
    about = [{n: v for n, v in one.items() if n not in LISTS} for one in sides.documents]
    merged = merging.merge(*about, prefer=sides.prefer)
    clashes = clash_sentences(merged.clashes, {})
    lists = [
        {name: frozenset(list_of(segment.project, one[name]["digest"]).keys) for name in LISTS}
        for one in sides.documents
    ]
    included, excluded = (merge_keys(*(one[name] for one in lists)) for name in LISTS)
    both = included & excluded
    if both:
        stays = lists[2] if sides.prefer is merging.Side.MINE else lists[1]
        included, excluded = (
            included - (both & stays["excluded"]),
            excluded - (both - stays["excluded"]),
        )
        text = ngettext(
            "{n} key that one includes and the other excludes",
            "{n} keys that one includes and the other excludes",
            len(both),
        )
        clashes = (*clashes, text.format(n=len(both)))
    stored = {
        name: key_lists.store(segment.project, keys, now=clock.now()).document
        for name, keys in zip(LISTS, (included, excluded), strict=True)
    }
    return Merged(merged.document | stored, clashes)


def deletion_handler(
    kind: Named,
    page: str,
    rows: Callable[[Project], QuerySet[Any]],
    delete: Callable[[Any, Wanted], None],
) -> Handler:
    """Only what nothing refers to is deleted, so nobody gets anything else by that."""
    return Handler(
        find=lambda target: rows(target.project).get(key=target.subject),
        current=lambda one, _wanted: Side(str(one.version), one.document),
        apply=delete,
        page=page_at(page),
        dependants=lambda one: [
            _dependant(one.project, use) for use in uses_of(one.project, kind, one.key)
        ],
        stopped=deleted(rows),
    )


def _dependant(project: Project, use: Use) -> Dependant:
    page = "segment" if use.kind is Named.SEGMENT else "flag"
    places = ", ".join(place.name for place in use.environments)
    return Dependant(use.title, reverse(page, args=[project.key, use.key]), places)


def describe_changes(words: Callable[[Document, Document], list[str]]) -> Describe:
    def describe(events: Sequence[Recorded]) -> list[list[str]]:
        sides = [(event.before_document, event.after_document) for event in events]
        return [words(before, after) if before and after else [] for before, after in sides]

    return describe


def restore_by(change: str) -> Restore:
    """Rows name added and removed keys as well, which are no part of it."""

    def restore(event: Recorded) -> tuple[str, Document] | None:
        after = event.after_document
        return (change, {n: v for n, v in after.items() if n != "keys"}) if after else None

    return restore


_DELETION = deletion_handler(
    Named.SEGMENT, "segment", segment_selectors.segments_in, _delete_segment
)
SEGMENT = Subject(
    kind="segment",
    menu=Menu(20, gettext_lazy("Segments"), "users-group", "segment-list", "/segment"),
    label=gettext_lazy("segment"),
    events={
        "segment.created": gettext_lazy("created the segment"),
        "segment.edited": gettext_lazy("edited the segment"),
        "segment.keys_changed": gettext_lazy("changed who is listed in the segment"),
        "segment.deleted": gettext_lazy("deleted the segment"),
    },
    describe=describe_changes(changes.recorded_words),
    address=subjects.page_at("segment", "subject"),
    restore=restore_by(changes.SEGMENT),
    changes={
        changes.SEGMENT: replace(
            _DELETION,
            apply=_edit_segment,
            words=lambda one, *sides: changes.segment_words(one.project, *sides),
            merge=_merge_segments,
            outcomes=_members,
            impact=_impact,
        ),
        changes.SEGMENT_DELETION: _DELETION,
    },
)
