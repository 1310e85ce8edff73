"""What is known of work that becomes due. Clients inherit it in tables of their own."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.lib.journal import Actor, ActorKind


class DueWork(models.Model):
    """Something to be carried out once it is due.

    ``fence`` counts how often it was claimed: who comes late finds another number. Until
    ``leased_until`` a worker has it in hand, and before ``retry_at`` nobody takes it. ``problem``
    says what keeps it from being done; ``held_at``, since when it waits for something that passes
    by itself. ``failures`` are those in a row.
    """

    fence = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    held_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def clear(self) -> None:
        """Nothing keeps it from being done any more. The caller saves it."""
        self.problem, self.held_at = "", None
        self.failures, self.retry_at = 0, None


class RunState(models.TextChoices):
    """Where a run is in its life. One that waits for approval is a change request, no run."""

    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    FINISHED = "finished", _("finished")
    CANCELLED = "cancelled", _("cancelled")


ALIVE = (RunState.RUNNING, RunState.PAUSED)


class Authored(models.Model):
    """Work that somebody answers for.

    ``agreement`` is the change request that allows it; ``author`` and the like are who answers.
    """

    # By name: nothing here reads it, and those who do stand above.
    agreement = models.OneToOneField(
        "approvals.ChangeRequest", on_delete=models.PROTECT, related_name="+", null=True
    )
    author_kind = models.CharField(max_length=10)
    author_id_text = models.CharField(max_length=40, blank=True)
    author = models.CharField(max_length=200)
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        abstract = True

    @property
    def author_actor(self) -> Actor:
        return Actor(ActorKind(self.author_kind), self.author_id_text, self.author)


class Run(DueWork, Authored):
    """Work in steps that people pause, resume and cancel, and that somebody answers for.

    ``step`` counts what was done, and ``due_at`` is when the next is planned for. ``round`` says
    which agreement is its own: resuming may take another.
    """

    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.RUNNING)
    step = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    round = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True
        ordering = ["pk"]
        indexes = [models.Index(fields=["state", "due_at"], name="%(class)s_by_due_time")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=RunState.values), name="%(class)s_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="running", due_at=None), name="%(class)s_running_is_due"
            ),
        ]

    @property
    def is_running(self) -> bool:
        return self.state == RunState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self.state == RunState.PAUSED

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE

    @property
    def agreed_as(self) -> str:
        """What the request that allows it calls its base: which run it resumes, or a new one."""
        return f"{self.pk}.{self.round}" if self.round else "0"

    def rest(self, state: RunState, why: str, *, by: Actor, at: datetime) -> None:
        """Stop for now or for good. The caller has locked it, and saves it."""
        self.clear()
        self.state, self.problem = state, why
        self.changed_at, self.changed_by = at, by.label
        if state != RunState.PAUSED:
            self.due_at = None

    def go_on(self, due_at: datetime) -> None:
        """Run again after a pause. The caller has locked it, and saves it."""
        self.clear()
        self.state, self.due_at = RunState.RUNNING, due_at


class Job(DueWork):
    name = models.CharField(max_length=200, unique=True)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"job {self.name}"
