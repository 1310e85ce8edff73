"""Broken glass: a change that was made first and is reviewed afterwards."""

from django.db import models

from portal.access.models import User
from portal.approvals.models.request import ChangeRequest
from portal.runs.models import DueWork


class Emergency(DueWork):
    """One change made at once. It takes itself back at ``reverts_at`` unless somebody confirms it.

    Its request carries what was changed. The review is compulsory whatever became of the change.

    ``first`` is the emergency change that the log it stands in began with (see EmergencyLog).
    ``kept`` says what stayed of what it changed because others changed the same since, ``problem``
    why it could not be taken back since ``held_at``, when its time was over.
    """

    request = models.OneToOneField(
        ChangeRequest, on_delete=models.CASCADE, related_name="emergency"
    )
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="emergencies", null=True
    )
    reason = models.TextField()
    at = models.DateTimeField()
    reverts_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.CharField(max_length=200, blank=True)
    reverted_at = models.DateTimeField(null=True)
    # Nothing was left to take back: all that it changed has been changed again since.
    superseded_at = models.DateTimeField(null=True)
    first = models.ForeignKey("self", on_delete=models.CASCADE, related_name="+", null=True)
    kept = models.JSONField(default=list)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    review = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "emergencies"

    def __str__(self) -> str:
        return f"emergency {self.pk}"

    @property
    def is_running(self) -> bool:
        """Whether the change stands, and its time is running out."""
        return not (self.confirmed_at or self.reverted_at or self.superseded_at)

    @property
    def is_reviewed(self) -> bool:
        return self.reviewed_at is not None


class EmergencyLog(models.Model):
    """What happened to a subject while emergency changes of it run, in order.

    A row is one change: of an emergency; of the end of one; or, with neither, one that was agreed
    to or needed no approval. The log begins with its ``first`` emergency change and goes when none
    of its emergency changes runs any more.
    """

    first = models.ForeignKey(Emergency, on_delete=models.CASCADE, related_name="log")
    emergency = models.ForeignKey(Emergency, on_delete=models.CASCADE, related_name="+", null=True)
    is_ending = models.BooleanField(default=False)
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        ordering = ["pk"]
