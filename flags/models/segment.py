import hashlib
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from django.db import models

from flags.engine import Segment as SegmentDocument, limits, parse_segment
from flags.models.flag import Keyed
from portal.access.models import Project
from portal.lib.journal import About

# A list of 100,000 keys takes some 10 MB of memory; those that are being worked on stay at hand.
_LISTS_AT_HAND = 8


class KeyList(models.Model):
    """Keys, sorted and without doubles, under the digest of just these keys.

    Rows never change and are never removed: the history names lists by their digests, and tells
    with them who belonged to a segment at any time.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="key_lists")
    digest = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    content = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="key_list_once"),
            models.CheckConstraint(
                condition=models.Q(count__lte=limits.MAX_SEGMENT_KEYS), name="key_list_not_too_long"
            ),
        ]

    def __str__(self) -> str:
        return self.digest

    @property
    def keys(self) -> tuple[str, ...]:
        return _keys_of(self.pk, self.digest)

    @property
    def document(self) -> dict[str, object]:
        return {"digest": self.digest, "count": self.count}


def pack(keys: Iterable[str]) -> tuple[str, bytes]:
    """The digest and the content of a list: SHA-256 over its canonical JSON, and that deflated."""
    text = orjson.dumps(sorted(keys))
    return hashlib.sha256(text).hexdigest(), zlib.compress(text, 6)


@lru_cache(maxsize=_LISTS_AT_HAND)
def _keys_of(pk: int, digest: str) -> tuple[str, ...]:
    """A row never changes, so what was read once stays true; the digest proves it."""
    text = zlib.decompress(bytes(KeyList.objects.values_list("content", flat=True).get(pk=pk)))
    if hashlib.sha256(text).hexdigest() != digest:
        raise ValueError(f"the key list {digest} holds other keys than it says")
    return tuple(orjson.loads(text))


LISTS = ("included", "excluded")


class Segment(Keyed):
    """One segment.

    Its lists are rows of their own, which never change: the segment names those it has now, and
    the history those that it had.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="segments")
    when = models.JSONField()
    keyed_by = models.CharField(max_length=200, default="targetingKey")
    included = models.ForeignKey(KeyList, on_delete=models.PROTECT, related_name="+")
    excluded = models.ForeignKey(KeyList, on_delete=models.PROTECT, related_name="+")
    updated_by = models.CharField(max_length=200, blank=True)

    class Meta(Keyed.Meta):
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="segment_key_once"),
            models.CheckConstraint(
                condition=models.Q(version__gte=1), name="segment_version_counts"
            ),
        ]

    @property
    def recorded_as(self) -> About:
        return About("segment", self.key, self.project.key)

    @property
    def about(self) -> dict[str, Any]:
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
        return parse_segment(self.about)


ABOUT_FIELDS = ("key", "name", "description", "when", "keyed_by")


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
    return parse_segment(segment_document_of(project, document))
