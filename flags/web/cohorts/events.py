"""Events about segments and exclusion groups, in words, for the history."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext_lazy

from flags.services import cohort_changes
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
    sides = [(event.before_document, event.after_document) for event in events]
    return [
        cohort_changes.recorded_words(before, after) if before and after else []
        for before, after in sides
    ]


def _describe_groups(events: Sequence[Recorded]) -> list[list[str]]:
    sides = [(event.before_document, event.after_document) for event in events]
    return [
        cohort_changes.group_words(before, after) if before and after else []
        for before, after in sides
    ]
