"""Invitations: a link with which somebody joins a project."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models.environment import Environment
from portal.access.models.key import ApiKey
from portal.access.models.project import Project
from portal.access.models.user import User
from portal.lib.journal import About


class InvitationState(models.TextChoices):
    """What has become of an invitation."""

    OPEN = "open", _("open")
    ACCEPTED = "accepted", _("accepted")
    REVOKED = "revoked", _("revoked")
    EXPIRED = "expired", _("expired")


class Invitation(models.Model):
    """A role that waits for whoever shows the link. Only a hash of its secret is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="invitations", null=True, blank=True
    )
    role = models.CharField(max_length=50)
    note = models.CharField(max_length=200, blank=True)
    selector = models.CharField(max_length=16, unique=True)
    verifier = models.CharField(max_length=64)
    # Who is gone vouches for nobody: then it cannot be accepted any more.
    inviter = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="invitations", null=True, blank=True
    )
    # The key that it was made with, which has to be good still when it is accepted.
    made_with = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="accepted_invitations", null=True, blank=True
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True),
                name="invitation_accepted_or_revoked",
            )
        ]

    @property
    def recorded_as(self) -> About:
        return About(
            "invitation",
            self.selector,
            self.project.key,
            self.environment.key if self.environment else "",
        )

    def state_at(self, now: datetime) -> InvitationState:
        """What has become of it by that instant."""
        if self.revoked_at:
            return InvitationState.REVOKED
        if self.accepted_at:
            return InvitationState.ACCEPTED
        return InvitationState.EXPIRED if self.expires_at <= now else InvitationState.OPEN
