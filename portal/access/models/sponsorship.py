"""Who gave whom an account, a role or a group, or took hold of how they sign in."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.access.models.environment import Environment
from portal.access.models.project import Project
from portal.access.models.user import User


class SponsorshipKind(models.TextChoices):
    """What was done for, or to, the account of somebody else."""

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
