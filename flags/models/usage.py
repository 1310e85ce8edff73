from django.db import models

from flags.models.flag import Flag
from portal.access.models import Environment, Project, User


class Period(models.TextChoices):
    MINUTE = "m", "minute"
    HOUR = "h", "hour"
    DAY = "d", "day"


class FlagUsage(models.Model):
    """How often a flag was answered with a variant for a reason, from ``start`` on.

    Every answer counts in three rows: of its minute, its hour and its day (UTC). So nothing has to
    be rolled up later, and each kind of row is simply kept for as long as it is looked at.
    """

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="usage")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    variant = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=30)
    period = models.CharField(max_length=1, choices=Period)
    start = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["flag", "period", "start", "environment", "variant", "reason"],
                name="flag_usage_once",
            )
        ]
        indexes = [models.Index(fields=["period", "start"], name="flag_usage_age")]


class FlagSeen(models.Model):
    """When a variant of a flag was last served; the variant is empty where there was no value."""

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="seen")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    variant = models.CharField(max_length=100, blank=True)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["flag", "environment", "variant"], name="flag_seen_once"
            )
        ]


class UnknownFlagQuerySet(models.QuerySet["UnknownFlag"]):
    def named(self) -> "UnknownFlagQuerySet":
        """Without the row that counts all the others."""
        return self.exclude(name="")

    def watched(self) -> "UnknownFlagQuerySet":
        return self.filter(ignored_at=None)


class UnknownFlag(models.Model):
    """A name that applications ask for and that is answered “not found”.

    ``by_client`` sets apart what public keys ask for, which anyone may hold. Of each there are only
    so many; the row without a name counts the others.
    """

    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="unknown_flags"
    )
    name = models.CharField(max_length=200, blank=True)
    by_client = models.BooleanField()
    count = models.PositiveBigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    ignored_at = models.DateTimeField(null=True)

    objects = UnknownFlagQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name", "by_client"], name="unknown_flag_once"
            )
        ]
        indexes = [models.Index(fields=["last_at"], name="unknown_flag_age")]


class TakenBatch(models.Model):
    """A batch of the intake that was stored: a worker that finds it again leaves it alone."""

    batch_id = models.CharField(max_length=32, unique=True)
    taken_at = models.DateTimeField(db_index=True)


class LossCause(models.TextChoices):
    """Why something that evaluators sent up is not stored."""

    DROPPED = "dropped", "dropped: Redis or the worker was away for too long"
    UNREADABLE = "unreadable", "no batch that an evaluator sealed"
    GONE = "gone", "of what was deleted meanwhile"


class IntakeLoss(models.Model):
    """How much of a kind the worker heard, within a minute, that it is lost: things, but for what
    is unreadable, which is counted in batches."""

    kind = models.CharField(max_length=20)
    cause = models.CharField(max_length=10, choices=LossCause)
    minute = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["minute", "kind", "cause"], name="intake_loss_once")
        ]


class LifecycleNotice(models.Model):
    """That an owner was told of a flag's state; forgotten when the flag is in use again."""

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="notices")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=20)
    told_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flag", "user", "state"], name="lifecycle_told_once")
        ]


# Samples of what applications ask with, kept for a day where a project wants that.


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
