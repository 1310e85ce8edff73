"""Recertification: somebody looks at every role and key and says that it is still needed."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models import ApiKey, Grant, Project
from portal.lib.journal import About


class Decision(models.TextChoices):
    OPEN = "", _("not looked at")
    CONFIRMED = "confirmed", _("confirmed")
    REVOKED = "revoked", _("taken away")


class Recertification(models.Model):
    """One round over everything that is given in a project; a project has one open at a time."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="recertifications")
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=150)
    signed_off_at = models.DateTimeField(null=True, blank=True)
    signed_off_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(signed_off_at__isnull=True),
                name="one_open_recertification",
            )
        ]

    @property
    def recorded_as(self) -> About:
        return About("recertification", str(self.pk), self.project.key)

    @property
    def is_open(self) -> bool:
        return self.signed_off_at is None


class RecertificationItem(models.Model):
    """A role or key as it was when the round began; the words stay when it is gone."""

    recertification = models.ForeignKey(
        Recertification, on_delete=models.CASCADE, related_name="items"
    )
    grant = models.ForeignKey(Grant, on_delete=models.SET_NULL, null=True, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    holder = models.CharField(max_length=150)
    what = models.CharField(max_length=200)
    place = models.CharField(max_length=100)
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.OPEN, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["holder", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision__in=["", "confirmed", "revoked"]), name="item_decision_known"
            )
        ]

    @property
    def is_gone(self) -> bool:
        return self.grant is None and (self.api_key is None or self.api_key.is_revoked)

    @property
    def is_undecided(self) -> bool:
        return self.decision == Decision.OPEN and not self.is_gone
