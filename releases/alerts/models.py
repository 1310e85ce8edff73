from django.db import models

from portal.access.models import Environment


class Alert(models.Model):
    """An alert that Alertmanager knows by its ``fingerprint``: firing, or resolved at ``ends_at``.

    Times are Alertmanager's own. ``seen_at`` is when it was last told of, by our clock.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="alerts")
    fingerprint = models.CharField(max_length=64)
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["environment", "fingerprint"], name="alert_once")
        ]
        indexes = [models.Index(fields=["environment", "ends_at"], name="alert_firing")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return str(self.labels.get("alertname") or self.fingerprint)

    @property
    def summary(self) -> str:
        return str(self.annotations.get("summary") or self.annotations.get("description") or "")


class AlertSource(models.Model):
    """That an Alertmanager has told an environment anything at all, and when it did last."""

    environment = models.OneToOneField(
        Environment, on_delete=models.CASCADE, related_name="alert_source"
    )
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # When it last told of firing alerts for which there was no room; None since there is.
    left_out_at = models.DateTimeField(null=True)
