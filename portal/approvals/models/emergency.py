"""Broken glass: a change that was made first and is reviewed afterwards."""

from django.db import models

from portal.access.models import User
from portal.approvals.models.request import ChangeRequest


class Emergency(models.Model):
    """One change made at once. It takes itself back at ``reverts_at`` unless somebody confirms it.

    Its request carries what was changed. The review is compulsory whatever became of the change.
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
    # Why it could not be taken back: what it changed has been changed again since.
    superseded_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    review = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "emergencies"

    @property
    def is_running(self) -> bool:
        """Whether the change stands, and its time is running out."""
        return not (self.confirmed_at or self.reverted_at or self.superseded_at)

    @property
    def is_reviewed(self) -> bool:
        return self.reviewed_at is not None
