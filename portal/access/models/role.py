from dataclasses import replace

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.models.environment import Environment, Project
from portal.access.models.user import User
from portal.access.permissions import RESERVABLE
from portal.lib.journal import About

# Names of roles and groups stand in policy files; both share one name space there.
name_validator = RegexValidator(
    r"^[a-z][a-z0-9_-]{0,49}\Z",
    _("Use 1 to 50 lower-case letters, digits, hyphens and underscores, starting with a letter."),
)


class CustomRole(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="custom_roles")
    key = models.CharField(max_length=50, validators=[name_validator])
    name = models.CharField(max_length=100)
    permissions = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="custom_role_key_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def recorded_as(self) -> About:
        return About("role", self.key, self.project.key)


class Group(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="groups")
    key = models.CharField(max_length=50, validators=[name_validator])
    name = models.CharField(max_length=100)
    members = models.ManyToManyField(User, related_name="project_groups", blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="group_key_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def recorded_as(self) -> About:
        return About("group", self.key, self.project.key)


class Grant(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants", null=True)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants", null=True)
    role = models.CharField(max_length=50)
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="grants", null=True
    )
    given_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True)
                | Q(user__isnull=True, group__isnull=False),
                name="grant_to_one",
            ),
            # NULLs count as different in a unique index: one for each shape of a row.
            *(
                models.UniqueConstraint(
                    fields=["project", holder, "role", *place],
                    condition=Q(**{f"{holder}__isnull": False, "environment__isnull": not place}),
                    name=f"grant_once_{holder}_{'here' if place else 'everywhere'}",
                )
                for holder in ("user", "group")
                for place in ([], ["environment"])
            ),
        ]

    @property
    def recorded_as(self) -> About:
        holder = self.user or self.group
        assert holder, "a grant is to one"
        return replace(
            holder.recorded_as,
            project=self.project.key,
            environment=self.environment.key if self.environment else "",
        )


class ActionRule(models.Model):
    """A permission that an environment reserves for named roles and groups."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="rules")
    permission = models.CharField(max_length=40)
    roles = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["permission"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "permission"], name="one_rule_per_permission"
            ),
            models.CheckConstraint(
                condition=Q(permission__in=sorted(RESERVABLE)), name="rule_permission_reservable"
            ),
        ]
