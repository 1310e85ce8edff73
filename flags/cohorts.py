"""Reading segments and exclusion groups, as they are and as they were."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flags.engine import Segment as SegmentDocument
from flags.engine import parse_segment
from flags.models import ExclusionGroup, KeyList, Segment
from flags.models.segment import ABOUT_FIELDS, LISTS
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
    """A segment of a project. Raises Segment.DoesNotExist."""
    segments = project.segments.select_related("included", "excluded")
    return segments.defer("included__content", "excluded__content").get(key=key)


def get_group(project: Project, key: str) -> ExclusionGroup:
    """An exclusion group of a project. Raises ExclusionGroup.DoesNotExist."""
    return project.exclusion_groups.get(key=key)


def list_segments(project: Project, *, search: str = "") -> list[Segment]:
    """The segments of a project by key, their lists' counts at hand and their content not."""
    rows = Segment.objects.filter(project=project).select_related("included", "excluded")
    rows = rows.defer("included__content", "excluded__content")
    wanted = search.strip().lower()
    return [row for row in rows if wanted in row.key.lower() or wanted in row.name.lower()]


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


def list_of(project: Project, digest: str) -> KeyList:
    """The list of a digest, however long ago a segment had it. Raises KeyList.DoesNotExist."""
    return KeyList.objects.defer("content").get(project=project, digest=digest)


def segment_document_of(project: Project, document: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's document of a segment from the one that the history keeps of it.

    Raises KeyList.DoesNotExist where this project never had such a list.
    """
    about = {field: document[field] for field in ABOUT_FIELDS if field in document}
    lists = {name: list_of(project, document[name]["digest"]) for name in LISTS}
    return about | {name: list(one.keys) for name, one in lists.items()}


def segment_of(project: Project, document: Mapping[str, Any]) -> SegmentDocument:
    """The segment of the engine from the document that the history keeps of it."""
    return parse_segment(segment_document_of(project, document))
