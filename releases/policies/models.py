from typing import Any

from django.db import models

from portal.access.models import Project
from portal.lib.journal import About
from releases.engine import policies
from releases.engine.checks import read_checks


class PlanTemplate(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="plan_templates")
    key = models.CharField(max_length=50)
    name = models.CharField(max_length=200)
    plan = models.JSONField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="plan_template_key_once")
        ]

    @property
    def recorded_as(self) -> About:
        return About("plan_template", self.key, self.project.key)

    @property
    def document(self) -> dict[str, Any]:
        return {"name": self.name, "plan": self.plan}


class ReleasePolicy(models.Model):
    """What a project wants of the releases that it names: see releases.policies.services for the
    document. ``version`` counts its changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="release_policies")
    key = models.CharField(max_length=50)
    name = models.CharField(max_length=200)
    environments = models.JSONField(default=list)
    services = models.JSONField(default=list)
    tags = models.JSONField(default=list)
    checks = models.JSONField(default=list)
    templates = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="release_policy_key_once")
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def recorded_as(self) -> About:
        return About("release_policy", self.key, self.project.key)

    @property
    def document(self) -> dict[str, Any]:
        fields = ("name", "environments", "services", "tags", "checks", "templates")
        return {name: getattr(self, name) for name in fields}

    @property
    def parsed(self) -> policies.Policy:
        return policies.Policy(
            key=self.key,
            name=self.name,
            environments=frozenset(self.environments),
            services=frozenset(self.services),
            tags=frozenset(self.tags),
            checks=read_checks(self.checks),
            templates=tuple(self.templates),
        )
