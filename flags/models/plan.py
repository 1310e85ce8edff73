"""Plans: what is to become of a flag, and when; and what people arrange for themselves."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from flags.models.flag import Flag
from flags.plans import OPERATIONS, RampStep, Timetable, steps_of, timetable_of
from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.lib.journal import About
from portal.runs.models import ALIVE, Run


class PlanKind(models.TextChoices):
    """One thing at an instant, or a share that rises in steps."""

    SCHEDULE = "schedule", _("schedule")
    RAMP = "ramp", _("ramp")


class PlanQuerySet(models.QuerySet["Plan"]):
    """Filters on plans."""

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


# What people arrange for themselves around the flags, and how a project names its flags.


class Favourite(models.Model):
    """A flag that somebody wants at hand."""

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="favourites")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="favourite_flags")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "flag"], name="favourite_once")]


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Filters on saved views."""

    def seen_by(self, user: User) -> "SavedViewQuerySet":
        return self.filter(models.Q(owner=user) | models.Q(shared=True))


class SavedView(models.Model):
    """The filters of a list under a name. ``query`` is what stands in the list's address."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)
    shared = models.BooleanField(default=False)
    default_for = models.ManyToManyField(User, related_name="default_views", blank=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "owner", "name"], name="saved_view_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class NamingRule(models.Model):
    """What the keys of a project's new flags look like: a pattern of RE2, and a key that fits."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="naming_rule")
    pattern = models.CharField(max_length=200)
    example = models.CharField(max_length=200)
    hint = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.pattern

    @property
    def document(self) -> dict[str, object]:
        return {"pattern": self.pattern, "example": self.example, "hint": self.hint}
