from django.db import models

from portal.access.models import Environment


class OutcomeBucket(models.Model):
    """Outcomes of one version of a service, or of one variant of a flag, from ``start`` on.

    ``about`` says which of the two, or that they are of cohorts or testers, who are served that
    variant of the flag whatever the share. ``name`` is the service's or flag's key and ``version``
    the version or variant. ``width`` is in seconds: 10 for two hours, then 60. What anybody could
    have sent, with a public key, is set apart by ``by_client``. ``durations`` is a sketch's dump of
    milliseconds, and ``histogram`` has those of which only the interval is known, by interval.
    ``told_at`` is when some of those came last: an export says what was since the one before.
    ``error_types`` says how many errors were of which kind, ``values`` how many values came, and
    ``value_sum`` what they add up to.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    about = models.CharField(max_length=10)
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    by_client = models.BooleanField(default=False)
    start = models.DateTimeField()
    width = models.PositiveSmallIntegerField(default=10)
    requests = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    durations = models.JSONField(default=dict)
    histogram = models.JSONField(default=dict)
    told_at = models.DateTimeField(null=True)
    error_types = models.JSONField(default=dict)
    values = models.PositiveBigIntegerField(default=0)
    value_sum = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "environment",
                    "about",
                    "name",
                    "version",
                    "start",
                    "width",
                    "by_client",
                ],
                name="outcome_bucket_once",
            )
        ]
        indexes = [models.Index(fields=["width", "start"], name="outcome_bucket_age")]


class TelemetrySource(models.Model):
    """One instance of a version that sends cumulative metrics, with the last point of each series.

    What counts is the difference to it. ``instance`` is its ``service.instance.id``, or empty.
    ``series`` is JSON as ``point_batches.dump_series`` writes it, and ``exports`` has by start when
    it last sent something, and when before that, in nanoseconds since 1970. ``shared_at`` is when
    it was last seen that several processes send as this one, and ``crowded_at`` when it last had
    more series than are kept.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    service = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    instance = models.CharField(max_length=200, blank=True)
    series = models.TextField(default="[[],[]]")
    exports = models.JSONField(default=dict)
    seen_at = models.DateTimeField()
    shared_at = models.DateTimeField(null=True)
    crowded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "service", "version", "instance"],
                name="telemetry_source_once",
            )
        ]
        indexes = [models.Index(fields=["seen_at"], name="telemetry_source_age")]


class UnknownService(models.Model):
    """A service that telemetry came for and that there is not; empty for all further ones.

    Only names that server keys told of are kept, and not many.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200, blank=True)
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "name"], name="unknown_service_once")
        ]

    def __str__(self) -> str:
        return self.name
