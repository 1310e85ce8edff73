"""Carrying out what was agreed to about segments and exclusion groups."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse

from flags import cohorts, impact
from flags.dependants import Use, uses_of
from flags.engine import Named
from flags.models import ExclusionGroup, Segment
from flags.services import cohort_changes as changes
from flags.services import groups, segments
from portal.approvals import kinds
from portal.approvals.changes import Terms
from portal.approvals.kinds import Dependant, Impact, Side
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Actor

Document = Mapping[str, Any]


def register_all() -> None:
    """Tell approvals who carries out the changes of segments and exclusion groups."""
    kinds.register(changes.SEGMENT, SegmentKind())
    kinds.register(changes.SEGMENT_DELETION, SegmentDeletionKind())
    kinds.register(changes.GROUP, GroupKind())
    kinds.register(changes.GROUP_DELETION, GroupDeletionKind())


class SegmentKind:
    """Who is in a segment."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Document,
        base_version: str,
        actor: Actor,
        now: datetime,
        reason: str,
        terms: Terms,
    ) -> None:
        segments.edit_segment(
            segment=_segment_of(request),
            document=document,
            expected_version=int(base_version),
            actor=actor,
            now=now,
            reason=reason,
            terms=terms,
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

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact | None:
        return impact.of_segment(
            request.project, request.subject, request.after, request.environments.all(), now=now
        )

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        return _dependants(request, Named.SEGMENT)


class SegmentDeletionKind(SegmentKind):
    """Deleting a segment."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Document,
        base_version: str,
        actor: Actor,
        now: datetime,
        reason: str,
        terms: Terms,
    ) -> None:
        segments.delete_segment(
            segment=_segment_of(request),
            expected_version=int(base_version),
            actor=actor,
            now=now,
            reason=reason,
            terms=terms,
        )

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)

    def impact(self, request: ChangeRequest, *, now: datetime) -> Impact | None:
        return None  # only what nothing refers to is deleted


class GroupKind:
    """Who has which part of an exclusion group."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Document,
        base_version: str,
        actor: Actor,
        now: datetime,
        reason: str,
        terms: Terms,
    ) -> None:
        groups.edit_group(
            group=_group_of(request),
            document=document,
            expected_version=int(base_version),
            actor=actor,
            now=now,
            reason=reason,
            terms=terms,
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

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        return _dependants(request, Named.GROUP)


class GroupDeletionKind(GroupKind):
    """Deleting an exclusion group."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Document,
        base_version: str,
        actor: Actor,
        now: datetime,
        reason: str,
        terms: Terms,
    ) -> None:
        groups.delete_group(
            group=_group_of(request),
            expected_version=int(base_version),
            actor=actor,
            now=now,
            reason=reason,
            terms=terms,
        )

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)


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
