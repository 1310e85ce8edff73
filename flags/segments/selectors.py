from bisect import bisect_left
from dataclasses import dataclass

from django.db.models import QuerySet

from flags.models import Segment
from portal.access.models import Project

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class KeyPage:
    """A page of a list's keys in their order; ``next_after`` continues it."""

    keys: list[str]
    next_after: str
    matching: int
    total: int


def get_segment(project: Project, key: str) -> Segment:
    return segments_in(project).get(key=key)


def segments_in(project: Project) -> QuerySet[Segment]:
    """With the counts of their lists at hand, and their content not."""
    rows = project.segments.select_related("included", "excluded")
    return rows.defer("included__content", "excluded__content")


def list_segments(project: Project, *, search: str = "") -> list[Segment]:
    wanted = search.strip().lower()
    return [
        row
        for row in segments_in(project)
        if wanted in row.key.lower() or wanted in row.name.lower()
    ]


def page_of_keys(
    keys: tuple[str, ...], *, search: str = "", after: str = "", size: int = PAGE_SIZE
) -> KeyPage:
    """Keys that contain ``search``, from the first one after ``after`` on."""
    wanted = search.strip().lower()
    matching = [key for key in keys if wanted in key.lower()] if wanted else keys
    start = bisect_left(matching, after + "\0") if after else 0
    page = list(matching[start : start + size])
    more = start + size < len(matching)
    return KeyPage(page, page[-1] if more else "", len(matching), len(keys))
