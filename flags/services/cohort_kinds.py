"""Carrying out what was agreed to about segments and exclusion groups."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from flags import cohorts, impact, outcome_wording
from flags.clash_wording import clash_sentences
from flags.dependants import Use, uses_of
from flags.engine import Named, parse_group
from flags.merging import GROUP, merge_keys
from flags.models import ExclusionGroup, Segment
from flags.models.segment import LISTS
from flags.services import cohort_changes as changes
from flags.services import groups, key_lists, segments
from portal.access.models import Project
from portal.approvals import kinds
from portal.approvals.kinds import Dependant, Impact, Merged, Outcome, Side
from portal.approvals.models import ChangeRequest
from portal.lib import clock, merging
from portal.lib.intent import Intent

Document = Mapping[str, Any]


def register_all() -> None:
    """Tell approvals who carries out the changes of segments and exclusion groups."""
    kinds.register(changes.SEGMENT, SegmentKind())
    kinds.register(changes.SEGMENT_DELETION, SegmentDeletionKind())
    kinds.register(changes.GROUP, GroupKind())
    kinds.register(changes.GROUP_DELETION, GroupDeletionKind())


class _Deletion:
    """A deletion has no parts: it is asked for again as it is, or not at all."""

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        return []  # only what nothing refers to is deleted

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        return kinds.merge_whole(base, theirs, mine, prefer)


class SegmentKind:
    """Who is in a segment."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        segments.edit_segment(
            segment=_segment_of(request),
            document=document,
            expected_version=int(base_version),
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        segment = _segment_of(request)
        return Side(str(segment.version), segment.document)

    def address(self, request: ChangeRequest) -> str:
        return reverse("segment", args=[request.project.key, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return ""

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return changes.segment_words(request.project, before, request.after)

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        return _merge_segments(request.project, base, theirs, mine, prefer)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        sides = (changes.members_words(one) for one in (request.before, request.after))
        return [Outcome(_("Who is in the segment"), *sides)]

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact | None:
        return impact.of_segment(
            request.project, request.subject, request.after, request.environments.all(), now=now
        )

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        return _dependants(request, Named.SEGMENT)


class SegmentDeletionKind(_Deletion, SegmentKind):
    """Deleting a segment."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        segments.delete_segment(
            segment=_segment_of(request), expected_version=int(base_version), intent=intent
        )

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact | None:
        return None  # only what nothing refers to is deleted


class GroupKind:
    """Who has which part of an exclusion group."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        groups.edit_group(
            group=_group_of(request),
            document=document,
            expected_version=int(base_version),
            intent=intent,
        )

    def current(self, request: ChangeRequest) -> Side:
        group = _group_of(request)
        return Side(str(group.version), group.document)

    def address(self, request: ChangeRequest) -> str:
        return reverse("exclusion-group", args=[request.project.key, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return ""

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return changes.group_words(before, request.after)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        both = (request.before, request.after)
        sides = (outcome_wording.shares(parse_group(one)) for one in both)
        return [Outcome(_("Shares"), *sides)]

    def merge(
        self,
        request: ChangeRequest,
        *,
        base: Document,
        theirs: Document,
        mine: Document,
        prefer: merging.Side,
    ) -> Merged:
        merged = merging.merge(base, theirs, mine, parts=GROUP, prefer=prefer)
        return Merged(merged.document, clash_sentences(merged.clashes, {}))

    def fit(self, request: ChangeRequest, states: Sequence[Document]) -> Document:
        return groups.first_possible(states)

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        return _dependants(request, Named.GROUP)


class GroupDeletionKind(_Deletion, GroupKind):
    """Deleting an exclusion group."""

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        groups.delete_group(
            group=_group_of(request), expected_version=int(base_version), intent=intent
        )

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)


def _merge_segments(
    project: Project, base: Document, theirs: Document, mine: Document, prefer: merging.Side
) -> Merged:
    """The lists key by key; a key that one side includes and the other excludes is a clash."""
    about = [{n: v for n, v in one.items() if n not in LISTS} for one in (base, theirs, mine)]
    merged = merging.merge(*about, prefer=prefer)
    clashes = clash_sentences(merged.clashes, {})
    sides = [_keys_of(project, one) for one in (base, theirs, mine)]
    included, excluded = (merge_keys(*(one[name] for one in sides)) for name in LISTS)
    both = included & excluded
    if both:
        stays = sides[2] if prefer is merging.Side.MINE else sides[1]
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
    lists = {
        name: key_lists.store(project, keys, now=clock.now()).document
        for name, keys in zip(LISTS, (included, excluded), strict=True)
    }
    return Merged(merged.document | lists, clashes)


def _keys_of(project: Project, document: Document) -> dict[str, frozenset[str]]:
    return {
        name: frozenset(cohorts.list_of(project, document[name]["digest"]).keys) for name in LISTS
    }


def _segment_of(request: ChangeRequest) -> Segment:
    return cohorts.get_segment(request.project, request.subject)


def _group_of(request: ChangeRequest) -> ExclusionGroup:
    return cohorts.get_group(request.project, request.subject)


def _dependants(request: ChangeRequest, kind: Named) -> list[Dependant]:
    uses = uses_of(request.project, kind, request.subject)
    return [_dependant(request.project.key, use) for use in uses]


def _dependant(project: str, use: Use) -> Dependant:
    page = "segment" if use.kind is Named.SEGMENT else "flag"
    places = ", ".join(place.name for place in use.environments)
    return Dependant(use.title, reverse(page, args=[project, use.key]), places)
