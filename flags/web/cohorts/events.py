"""Events about segments and exclusion groups, in words, for the history."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext_lazy

from flags.services import cohort_changes
from portal.access.models import Project
from portal.lib import wording as words
from portal.lib.wording import Recorded, Subject

EVENTS = {
    "segment.created": gettext_lazy("created the segment"),
    "segment.edited": gettext_lazy("edited the segment"),
    "segment.keys_changed": gettext_lazy("changed who is listed in the segment"),
    "segment.deleted": gettext_lazy("deleted the segment"),
    "exclusion_group.created": gettext_lazy("created the exclusion group"),
    "exclusion_group.edited": gettext_lazy("edited the exclusion group"),
    "exclusion_group.reshuffled": gettext_lazy("dealt out anew the exclusion group"),
    "exclusion_group.deleted": gettext_lazy("deleted the exclusion group"),
}


def register() -> None:
    """Tell the history how these events read."""
    subjects = {
        "segment": Subject(gettext_lazy("segment"), _describe_segments, _segment_address),
        "exclusion_group": Subject(
            gettext_lazy("exclusion group"), _describe_groups, _group_address
        ),
    }
    words.register(events=EVENTS, subjects=subjects)


def _segment_address(event: Recorded) -> str:
    return reverse("segment", args=[event.project, event.subject]) if event.project else ""


def _group_address(event: Recorded) -> str:
    return reverse("exclusion-group", args=[event.project, event.subject]) if event.project else ""


def _describe_segments(events: Sequence[Recorded]) -> list[list[str]]:
    projects = Project.objects.filter(key__in={event.project for event in events})
    by_key = {project.key: project for project in projects}
    return [_segment_changes(event, by_key.get(event.project)) for event in events]


def _segment_changes(event: Recorded, project: Project | None) -> list[str]:
    before, after = event.before_document, event.after_document
    if project is None or before is None or after is None:
        return []
    return cohort_changes.segment_words(project, before, after)


def _describe_groups(events: Sequence[Recorded]) -> list[list[str]]:
    sides = [(event.before_document, event.after_document) for event in events]
    return [cohort_changes.group_words(*both) if all(both) else [] for both in sides]  # type: ignore[arg-type]
