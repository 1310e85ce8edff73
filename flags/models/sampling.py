"""Samples of what applications ask with, kept for a day where a project wants that."""

from django.db import models

from portal.access.models import Environment, Project


class ContextSampling(models.Model):
    """That a project lets evaluators keep samples; without a row they keep none."""

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, related_name="context_sampling"
    )
    started_at = models.DateTimeField()


class ContextSample(models.Model):
    """One context, cut down to ``reads``, the attributes that something then read.

    ``content`` is encrypted, and ``digest`` keyed: who was asked about stands nowhere in clear.
    The same context again is the same row, seen later.
    """

    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="context_samples"
    )
    digest = models.CharField(max_length=64)
    reads = models.JSONField()
    content = models.BinaryField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "digest"], name="context_sample_once")
        ]
