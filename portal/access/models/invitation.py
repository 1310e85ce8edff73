from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models.environment import Environment, Project
from portal.access.models.key import ApiKey
from portal.access.models.user import User
from portal.lib.journal import About


class InvitationState(models.TextChoices):
    OPEN = "open", _("open")
    ACCEPTED = "accepted", _("accepted")
    REVOKED = "revoked", _("revoked")
    EXPIRED = "expired", _("expired")


class Invitation(models.Model):
    """A role for the first person who shows the link. Only a hash of its secret is kept."""

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
        if self.revoked_at:
            return InvitationState.REVOKED
        if self.accepted_at:
            return InvitationState.ACCEPTED
        return InvitationState.EXPIRED if self.expires_at <= now else InvitationState.OPEN


# Who gave whom an account, a role or a group, or took hold of how they sign in.


class SponsorshipKind(models.TextChoices):
    ACCOUNT = "account", _("created the account")
    INVITATION = "invitation", _("invited")
    ACTIVATION = "activation", _("reactivated the account")
    ROLE = "role", _("gave a role")
    GROUP = "group", _("added to a group")
    PASSWORD = "password", _("reset the password")
    SECOND_FACTOR = "second_factor", _("reset the second factor")


class Sponsorship(models.Model):
    """``sponsor`` did something after which the account of ``person`` may be theirs to use.

    Written by the service that does it, and never changed. ``project`` is None for what concerns
    the account as a whole; ``name`` is the key of the role or group, ``environment`` None for all.
    """

    sponsor = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sponsorships")
    kind = models.CharField(max_length=20, choices=SponsorshipKind)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", null=True)
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="+", null=True
    )
    name = models.CharField(max_length=50, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["person", "at"], name="sponsorship_by_person")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=SponsorshipKind.values), name="sponsorship_kind_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(sponsor=models.F("person")), name="sponsorship_of_another"
            ),
        ]


class ApproverConfirmation(models.Model):
    """Somebody who may approve says that ``person`` is a person of their own in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    confirmed_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["project", "at"], name="confirmation_by_project")]
