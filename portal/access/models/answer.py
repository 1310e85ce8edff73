"""Answers that are kept, so that a request that is sent again is not carried out again."""

from datetime import datetime, timedelta

from django.db import models

from portal.access.models.key import ApiKey

KEPT_FOR = timedelta(days=1)


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    """Filters on kept answers."""

    def over(self, *, now: datetime) -> "KeptAnswerQuerySet":
        """Those that nobody is given any more."""
        return self.filter(kept_at__lte=now - KEPT_FOR)


class KeptAnswer(models.Model):
    """What a request with an Idempotency-Key was answered.

    The row is written in the transaction of what the request did: either both are there or
    neither is, whatever becomes of the process between.
    """

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="kept_answers")
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    kept_at = models.DateTimeField()

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "name"], name="answer_once_per_name")]
        indexes = [models.Index(fields=["kept_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return self.name
