"""Plans: what is to become of a flag in one environment, and when."""

from dataclasses import replace
from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from flags.models.flag import Flag
from flags.plans import OPERATIONS, RampStep, Timetable, steps_of, timetable_of
from portal.access.models import Environment, User
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest
from portal.lib.journal import About, Actor, ActorKind


class PlanKind(models.TextChoices):
    """One thing at an instant, or a share that rises in steps."""

    SCHEDULE = "schedule", _("schedule")
    RAMP = "ramp", _("ramp")


class PlanState(models.TextChoices):
    """Where a plan is in its life. One that waits for approval is a change request, no plan."""

    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    FINISHED = "finished", _("finished")
    CANCELLED = "cancelled", _("cancelled")


ALIVE = (PlanState.RUNNING, PlanState.PAUSED)


class PlanQuerySet(models.QuerySet["Plan"]):
    """Filters on plans."""

    def alive(self) -> "PlanQuerySet":
        return self.filter(state__in=ALIVE)


class Plan(models.Model):
    """A schedule or a ramp. A plan is never edited: what was agreed to is what happens.

    ``step`` counts what was done and fences late writers; ``due_at`` is when the next is planned
    for. ``anchor_at`` is what the steps of a ramp count from: a pause moves it. ``share`` is what a
    ramp set last, in thousandths, and ``base`` the hash of the targeting that a replacement was
    made for. ``agreement`` is the change request that allows it and ``round`` which one that is:
    resuming may take another. ``author`` and the like are who answers for it.
    """

    kind = models.CharField(max_length=10, choices=PlanKind)
    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="plans")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="plans")
    document = models.JSONField()
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=PlanState, default=PlanState.RUNNING)
    step = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    anchor_at = models.DateTimeField(null=True)
    share = models.PositiveIntegerField(null=True)
    base = models.CharField(max_length=64, blank=True)
    done_at = models.DateTimeField(null=True)
    # What keeps it from going on, and when it is tried again.
    problem = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    agreement = models.OneToOneField(
        ChangeRequest, on_delete=models.PROTECT, related_name="+", null=True
    )
    round = models.PositiveIntegerField(default=0)
    author_kind = models.CharField(max_length=10)
    author_id_text = models.CharField(max_length=40, blank=True)
    author = models.CharField(max_length=200)
    author_user = models.ForeignKey(User, on_delete=models.SET_NULL, related_name="+", null=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="plan_by_due_time")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=PlanState.values), name="plan_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="running", due_at=None), name="plan_running_is_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of {self.flag_id} in {self.environment_id}"

    @property
    def recorded_as(self) -> About:
        return replace(
            self.flag.recorded_as,
            environment=self.environment.key,
            version=self.environment.version,
        )

    @property
    def is_running(self) -> bool:
        return self.state == PlanState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == PlanState.PAUSED

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE

    @property
    def is_ramp(self) -> bool:
        return self.kind == PlanKind.RAMP

    @property
    def author_actor(self) -> Actor:
        """Who answers for it, without where they came from."""
        return Actor(ActorKind(self.author_kind), self.author_id_text, self.author)

    @property
    def agreed_as(self) -> str:
        """What the request that allows it calls its base: which plan it resumes, or a new one."""
        return f"{self.pk}.{self.round}" if self.round else "0"

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """What it takes to want it."""
        if self.is_ramp:
            return (Permission.FLAG_EDIT,)
        return OPERATIONS[self.document["operation"]].permissions

    @property
    def turns_off(self) -> bool:
        return not self.is_ramp and OPERATIONS[self.document["operation"]].turns_off

    @property
    def steps(self) -> tuple[RampStep, ...]:
        """Of a ramp."""
        return steps_of(self.document)

    @property
    def timetable(self) -> Timetable:
        """Of a schedule, or of the start of a ramp that has one."""
        return timetable_of(self.document)

    @property
    def after(self) -> timedelta:
        """How long after its anchor the next step of a ramp is planned."""
        return timedelta(seconds=self.steps[self.step].after_s)
