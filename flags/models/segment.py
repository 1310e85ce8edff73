"""A segment: a cohort that flags name, the same in every environment."""

from typing import Any

from django.db import models

from flags.engine import Segment as SegmentDocument
from flags.engine import parse_segment
from flags.models.key_list import KeyList
from portal.access.models import Project
from portal.lib.journal import About

LISTS = ("included", "excluded")


class Segment(models.Model):
    """One segment. ``version`` rises with every edit.

    Its lists are rows of their own, which never change: the segment names those it has now, and
    the history those that it had.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="segments")
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    when = models.JSONField()
    keyed_by = models.CharField(max_length=200, default="targetingKey")
    included = models.ForeignKey(KeyList, on_delete=models.PROTECT, related_name="+")
    excluded = models.ForeignKey(KeyList, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="segment_key_once"),
            models.CheckConstraint(
                condition=models.Q(version__gte=1), name="segment_version_counts"
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def title(self) -> str:
        return self.name or self.key

    @property
    def recorded_as(self) -> About:
        return About("segment", self.key, self.project.key)

    @property
    def about(self) -> dict[str, Any]:
        """All but the lists, as a document of the engine."""
        return {field: getattr(self, field) for field in ABOUT_FIELDS}

    @property
    def document(self) -> dict[str, Any]:
        """What the history and approvals keep: the lists by their digests and counts."""
        return self.about | {name: getattr(self, name).document for name in LISTS}

    @property
    def engine_document(self) -> dict[str, Any]:
        """What evaluators load: the lists in full, and not what people call it."""
        lists = {name: getattr(self, name) for name in LISTS}
        about = {name: getattr(self, name) for name in ("key", "when", "keyed_by")}
        return about | {name: list(one.keys) for name, one in lists.items() if one.count}

    @property
    def rules(self) -> SegmentDocument:
        """The segment of the engine, without its lists."""
        return parse_segment(self.about)


ABOUT_FIELDS = ("key", "name", "description", "when", "keyed_by")
