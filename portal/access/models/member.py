"""People and what they are to a project."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from portal.access.models.project import Project
from portal.access.permissions import Role


class User(AbstractUser):
    """Someone who signs in. ``is_superuser`` is the site administrator."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Membership(models.Model):
    """One person's role in one project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="one_role_per_member"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="role_known"),
        ]
