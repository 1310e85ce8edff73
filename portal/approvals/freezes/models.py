from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from portal.access.models import Environment, Project, only_key
from portal.approvals.freezes.windows import Occurrence, Window
from portal.lib.journal import About

FREEZE_FIELDS = ("name", "reason", "starts", "ends", "zone", "rrule")


class FreezeWindow(models.Model):
    """One window, in some environments of a project; see freezing for when it is in force.

    ``starts`` and ``ends`` are what the clock shows in ``zone``, such as ``2026-11-27T16:00``:
    texts, because they are no moments. One that ``stops_line`` was made in an incident: nobody
    overrides it, and it ends when somebody lifts it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="freezes")
    environments = models.ManyToManyField(Environment, related_name="freezes")
    name = models.CharField(max_length=100)
    reason = models.TextField(blank=True)
    starts = models.CharField(max_length=16)
    ends = models.CharField(max_length=16)
    zone = models.CharField(max_length=64)
    rrule = models.CharField(max_length=500, blank=True)
    stops_line = models.BooleanField(default=False)
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["starts", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(cancelled_at=None),
                name="freeze_name_once",
            ),
            models.CheckConstraint(
                condition=models.Q(ends__gt=models.F("starts")), name="freeze_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"freeze {self.pk}: {self.name}"

    def recorded_in(self, environments: Iterable[Environment]) -> About:
        return About("freeze", str(self.pk), self.project.key, only_key(environments))

    @property
    def is_cancelled(self) -> bool:
        return self.cancelled_at is not None

    @property
    def window(self) -> Window:
        starts, ends = map(datetime.fromisoformat, (self.starts, self.ends))
        return Window(self.name, starts, ends, self.zone, self.rrule)

    @property
    def document(self) -> dict[str, object]:
        keys = [environment.key for environment in self.environments.all()]
        return {field: getattr(self, field) for field in FREEZE_FIELDS} | {"environments": keys}


@dataclass(frozen=True, slots=True)
class InForce:
    freeze: FreezeWindow
    occurrence: Occurrence
    environments: Sequence[Environment]
