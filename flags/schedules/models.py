from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from flags.models.flag import Flag
from flags.schedules.ramps import OPERATIONS, RampStep, Timetable, steps_of, timetable_of
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.lib.journal import About
from portal.lib.stored_json import naming
from portal.runs.models import ALIVE, Run


class PlanKind(models.TextChoices):
    SCHEDULE = "schedule", _("schedule")
    RAMP = "ramp", _("ramp")


class PlanQuerySet(models.QuerySet["Plan"]):
    def alive(self) -> "PlanQuerySet":
        return self.filter(state__in=ALIVE)


class Plan(Run):
    """A schedule or a ramp. A plan is never edited: what was agreed to is what happens.

    ``anchor_at`` is what the steps of a ramp count from: a pause moves it. ``share`` is what a ramp
    set last, in thousandths, and ``base`` the hash of the targeting that a replacement was made
    for.
    """

    kind = models.CharField(max_length=10, choices=PlanKind)
    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="plans")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="plans")
    document = models.JSONField()
    anchor_at = models.DateTimeField(null=True)
    share = models.PositiveIntegerField(null=True)
    base = models.CharField(max_length=64, blank=True)

    objects = PlanQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of {self.flag_id} in {self.environment_id}"

    @property
    def recorded_as(self) -> About:
        return self.flag.recorded_in(self.environment)

    @property
    def is_ramp(self) -> bool:
        return self.kind == PlanKind.RAMP

    @property
    def permissions(self) -> tuple[Permission, ...]:
        if self.is_ramp:
            return (Permission.FLAG_EDIT,)
        return OPERATIONS[self.document["operation"]].permissions

    @property
    def turns_off(self) -> bool:
        return not self.is_ramp and OPERATIONS[self.document["operation"]].turns_off

    @property
    def steps(self) -> tuple[RampStep, ...]:
        return steps_of(self.document)

    @property
    def timetable(self) -> Timetable:
        """Of a schedule, or of the start of a ramp that has one."""
        return timetable_of(self.document)

    @property
    def after(self) -> timedelta:
        """How long after its anchor the next step of a ramp is planned."""
        return timedelta(seconds=self.steps[self.step].after_s)


# What plans are still to do: others ask before they change what a plan relies on.


def flags_planned(project: Project) -> Iterable[tuple[str, int]]:
    """Keys of flags that a plan is still to change, each with the id of the environment."""
    plans = Plan.objects.alive().filter(flag__project=project)
    return plans.values_list("flag__key", "environment")


def places_planned(project: Project, keys: Collection[str]) -> Iterable[int]:
    """Ids of environments where a plan that is still to run holds one of these keys."""
    plans = Plan.objects.alive().filter(flag__project=project)
    return naming(plans, "document", keys).values_list("environment", flat=True)
