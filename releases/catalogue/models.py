from datetime import UTC
from typing import Any

from django.db import models

from portal.access.models import Environment, Project
from portal.lib.journal import About


class Service(models.Model):
    """Something that is deployed. ``owners`` are usernames."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="services")
    key = models.CharField(max_length=50)
    name = models.CharField(max_length=200)
    owners = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="service_key_once")]

    def __str__(self) -> str:
        return self.key

    @property
    def recorded_as(self) -> About:
        return About("service", self.key, self.project.key)

    @property
    def document(self) -> dict[str, Any]:
        return {"key": self.key, "name": self.name, "owners": self.owners}


class ServiceSetup(models.Model):
    """How a service is released in one environment; see releases.catalogue.reading for the
    documents. ``version`` counts its changes."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="setups")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    router = models.JSONField(default=dict)
    deployer = models.JSONField(default=dict)
    checks = models.JSONField(default=list)
    rollback_config = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(null=True)
    updated_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "environment"], name="service_setup_once")
        ]

    def __str__(self) -> str:
        return f"{self.service} in {self.environment_id}"

    @property
    def recorded_as(self) -> About:
        about = self.service.recorded_as
        return About(about.kind, about.name, about.project, self.environment.key)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "router": self.router,
            "deployer": self.deployer,
            "checks": self.checks,
            "rollback_config": self.rollback_config,
        }


class Artefact(models.Model):
    """One thing that was built, and never changes: a version of a service with its digest."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="artefacts")
    kind = models.CharField(max_length=20, default="image")
    version = models.CharField(max_length=100)
    digest = models.CharField(max_length=200)
    commit = models.CharField(max_length=100, blank=True)
    built_at = models.DateTimeField(null=True)
    links = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["service", "version"], name="artefact_version_once")
        ]

    def __str__(self) -> str:
        return self.version

    @property
    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "version": self.version,
            "digest": self.digest,
            "commit": self.commit,
            "built_at": self.built_at and self.built_at.astimezone(UTC).isoformat(),
            "links": self.links,
        }
