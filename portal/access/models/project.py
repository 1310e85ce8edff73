"""A project: what one team's flags and releases live in, and the wall between teams."""

from typing import TYPE_CHECKING

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.lib.journal import About

if TYPE_CHECKING:
    from portal.access.models.user import User

# Keys stand in addresses, in scripts and in the audit trail: short, lower case, never renamed.
key_validator = RegexValidator(
    r"^[a-z0-9][a-z0-9-]{0,49}\Z",
    _("Use 1 to 50 lower-case letters, digits and hyphens, starting with a letter or digit."),
)


class ProjectQuerySet(models.QuerySet["Project"]):
    """Filters on projects."""

    def visible_to(self, user: "User") -> "ProjectQuerySet":
        """Those in which the user was given a role; all of them for a site administrator."""
        if user.is_superuser:
            return self
        given = models.Q(grants__user=user) | models.Q(grants__group__members=user)
        return self.filter(pk__in=self.model.objects.filter(given).values("pk"))


class Project(models.Model):
    """A project. Its key never changes."""

    key = models.CharField(max_length=50, unique=True, validators=[key_validator])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def recorded_as(self) -> About:
        return About("project", self.key, self.key)
