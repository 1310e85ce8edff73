"""A list of keys, kept for good: whoever wrote down its digest can have it back."""

import hashlib
import zlib
from collections.abc import Iterable
from functools import lru_cache

import orjson
from django.db import models

from flags.engine import limits
from portal.access.models import Project

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
        """The keys, sorted."""
        return _keys_of(self.pk, self.digest)

    @property
    def document(self) -> dict[str, object]:
        """How the list stands in the document of a segment."""
        return {"digest": self.digest, "count": self.count}


def pack(keys: Iterable[str]) -> tuple[str, bytes]:
    """The digest and the content of a list: SHA-256 over its canonical JSON, and that deflated."""
    text = orjson.dumps(sorted(keys))
    return hashlib.sha256(text).hexdigest(), zlib.compress(text, 6)


@lru_cache(maxsize=_LISTS_AT_HAND)
def _keys_of(pk: int, digest: str) -> tuple[str, ...]:
    """A row never changes, so what was read once stays true; the digest proves it."""
    content = KeyList.objects.values_list("content", flat=True).get(pk=pk)
    text = zlib.decompress(bytes(content))
    if hashlib.sha256(text).hexdigest() != digest:
        raise ValueError(f"the key list {digest} holds other keys than it says")
    return tuple(orjson.loads(text))
