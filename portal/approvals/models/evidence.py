"""What machines found out about an exact content, such as a security scan."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.access.models import ApiKey, Project


class Result(models.TextChoices):
    PASSED = "passed", _("passed")
    FAILED = "failed", _("failed")


class Evidence(models.Model):
    """One result for one digest; the latest of its kind counts, until it expires."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evidence")
    digest = models.CharField(max_length=80)
    kind = models.CharField(max_length=50)
    result = models.CharField(max_length=10, choices=Result)
    detail = models.TextField(blank=True)
    posted_by = models.CharField(max_length=200)
    # It counts in the environment of the key, and not for who answers for the key.
    posted_with = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, related_name="+", null=True)
    posted_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["project", "digest"], name="evidence_by_digest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(result__in=Result.values), name="evidence_result_known"
            )
        ]
