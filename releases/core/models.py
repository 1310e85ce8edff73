from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from flags.models import Flag
from portal.access.models import Environment, Project
from portal.lib.journal import About
from portal.runs.models import Authored, DueWork
from releases.catalogue.models import Artefact, Service
from releases.engine import plans
from releases.engine.steps import Step


class State(models.TextChoices):
    """Where a release is in its life.

    A release *waits* where nothing but people's word keeps it; it is *held* by anything else but
    its group, with which it runs. One that has succeeded may still be watched, until
    ``watch_until``.
    """

    PLANNED = "planned", _("planned")
    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    HELD = "held", _("held")
    ROLLING_BACK = "rolling_back", _("rolling back")
    SUCCEEDED = "succeeded", _("succeeded")
    ABORTED = "aborted", _("aborted")
    ROLLED_BACK = "rolled_back", _("rolled back")
    SUPERSEDED = "superseded", _("superseded")
    FAILED = "failed", _("failed")


# With traffic that may be moved.
MOVING = (State.WAITING, State.RUNNING, State.PAUSED, State.HELD, State.ROLLING_BACK)
GOING_UP = (State.WAITING, State.RUNNING, State.PAUSED, State.HELD)
OVER = (State.SUCCEEDED, State.ABORTED, State.ROLLED_BACK, State.SUPERSEDED, State.FAILED)


class ReleaseGroup(models.Model):
    """Releases in lockstep (releases.engine.lockstep): services, flags and environments.

    Once one of them goes back, ``failed`` is that one, since ``failed_at``; None where people take
    the whole group back. ``because`` is what ends the others, as ``Release.because``.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="release_groups")
    name = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    failed = models.ForeignKey(
        "releases.Release", on_delete=models.PROTECT, related_name="+", null=True
    )
    failed_at = models.DateTimeField(null=True)
    because = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"release group {self.pk}"

    @property
    def recorded_as(self) -> About:
        return About("release_group", str(self.pk), self.project.key)


class Release(DueWork, Authored):
    """One artefact on its way into one environment; or a flag on its way to everybody there.

    ``plan``, ``router`` and ``deployer`` are frozen when it is planned (releases.engine.plans,
    releases.routers, releases.deployers): what was agreed to is what happens. ``origins`` says of
    each check where it came from, ``template`` which template the plan is, and ``channels`` who
    else is told. ``step`` counts from 0, that of the cohorts included; ``attempt`` how often the
    present one was begun; ``promoted`` says that people let it leave a step before its time.
    ``entered_at`` is when its traffic was there, later by every pause since. ``before`` is what the
    router had before the first step, ``wanted`` what the release wants of it now, and ``told`` what
    it said last. ``holds`` and ``checks`` are what the last tick found (releases.core.situation).
    ``because`` is what ended it: the check or person, with the numbers. ``undoes`` is the release,
    long over, whose version it replaces by the one before. ``due_at`` is when it is looked at
    again; None where that is over, or has not begun.

    One of a ``group`` stands at a ``position`` in it, from 0; ``finished`` is the last step that it
    would have left but for the others, -1 before that.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="releases")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="releases")
    service = models.ForeignKey(
        Service, on_delete=models.PROTECT, related_name="releases", null=True
    )
    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="releases", null=True)
    artefact = models.ForeignKey(
        Artefact, on_delete=models.PROTECT, related_name="releases", null=True
    )
    stable = models.ForeignKey(Artefact, on_delete=models.PROTECT, related_name="+", null=True)
    plan = models.JSONField()
    router = models.JSONField()
    deployer = models.JSONField(default=dict)
    origins = models.JSONField(default=dict)
    template = models.CharField(max_length=50, blank=True)
    channels = models.JSONField(default=list)
    approved_by = models.JSONField(default=list)
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.PLANNED)
    not_before = models.DateTimeField(null=True)
    supersedes = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", null=True)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, related_name="undone", null=True)
    group = models.ForeignKey(
        ReleaseGroup, on_delete=models.PROTECT, related_name="members", null=True
    )
    position = models.PositiveIntegerField(default=0)
    finished = models.IntegerField(default=-1)
    overrides_freeze = models.BooleanField(default=False)
    step = models.PositiveIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=1)
    promoted = models.BooleanField(default=False)
    # Cohorts that people took back alone.
    dropped = models.JSONField(default=list)
    # How far the proof is that it can go back (releases.core.rollback_proof).
    proof = models.JSONField(default=dict)
    entered_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    rested_s = models.FloatField(default=0)
    due_at = models.DateTimeField(null=True)
    before = models.JSONField(null=True)
    wanted = models.JSONField(default=dict)
    told = models.JSONField(default=dict)
    holds = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    checks = models.JSONField(default=dict)
    # Whom it sent where (releases.core.exposures).
    exposed = models.JSONField(default=dict)
    outcome = models.CharField(max_length=30, blank=True)
    because = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    watch_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["due_at"], name="release_by_due_time"),
            models.Index(fields=["project", "environment", "-id"], name="release_by_place"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="release_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(service=None) ^ models.Q(flag=None), name="release_of_one"
            ),
            models.UniqueConstraint(
                fields=["service", "environment"],
                condition=models.Q(state__in=MOVING),
                name="release_moves_service_once",
            ),
            models.UniqueConstraint(
                fields=["flag", "environment"],
                condition=models.Q(state__in=MOVING),
                name="release_moves_flag_once",
            ),
        ]

    # Of a row that the engine has in hand: whether what it measured may move its traffic.
    may_move = True

    def __str__(self) -> str:
        return f"release {self.pk}"

    @property
    def about(self) -> Service | Flag:
        found = self.service or self.flag
        assert found is not None
        return found

    @property
    def version(self) -> str:
        """The version it brings; of a flag, the variant."""
        return self.artefact.version if self.artefact else str(self.router["new"])

    @property
    def execution(self) -> str:
        """What routers outside know its present attempt by; the way back is another one."""
        back = ".back" if self.wanted.get("back") else ""
        return f"{self.pk}.{self.step}.{self.attempt}{back}"

    @property
    def goes_back(self) -> bool:
        """Whether it undoes another one, and not again what was undone."""
        return self.undoes is not None and self.undoes.undoes_id is None

    @property
    def undone_by(self) -> "Release | None":
        made = self.undone.exclude(state=State.ABORTED, started_at=None)
        return made.order_by(models.F("started_at").desc(nulls_last=True), "-pk").first()

    @property
    def title(self) -> str:
        """What it is called in lists and sentences: “shop 1.4.2”."""
        return f"{self.about.key} {self.version}"

    @property
    def recorded_as(self) -> About:
        kind = "service" if self.service_id else "flag"
        return About(
            "release",
            str(self.pk),
            self.project.key,
            self.environment.key,
            part_of_kind=kind,
            part_of=self.about.key,
        )

    @cached_property
    def parsed_plan(self) -> plans.Plan:
        """Frozen with the row, so read once."""
        return plans.read_frozen_plan(self.plan)

    @property
    def present(self) -> Step:
        """Its present step."""
        steps = self.parsed_plan.all_steps
        return steps[min(self.step, len(steps) - 1)]

    @property
    def carrier(self) -> Mapping[str, Any]:
        """Who carries out its present step, as it was set up: its router, or its deployer."""
        routes = self.present.is_routed or bool(self.wanted.get("back"))
        rolls = self.parsed_plan.strategy is plans.Strategy.ROLLING
        found: Mapping[str, Any] = self.router if routes and not rolls else self.deployer
        return found

    @property
    def is_by_hand(self) -> bool:
        return bool(self.carrier.get("kind") == "manual")

    def place_of(self, which: str) -> str:
        """What its router calls the place of the ``new`` version, or of the ``stable`` one."""
        return str(self.router.get(which, ""))

    @property
    def soaked_at(self) -> datetime | None:
        """When its present step has been watched for as long as its plan wants; None while its
        traffic is not there. A pause that goes on is not counted yet."""
        if self.entered_at is None:
            return None
        return self.entered_at + timedelta(seconds=self.present.soak_s)

    @property
    def is_moving(self) -> bool:
        return self.state in MOVING

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    def is_watched(self, at: Any) -> bool:
        """Whether it has succeeded and can still go back by itself."""
        until = self.watch_until
        return self.state == State.SUCCEEDED and until is not None and at < until

    @property
    def lasted(self) -> timedelta | None:
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


class StepExecution(models.Model):
    """One attempt at one step. ``reached_at`` is when the router said that traffic is there;
    ``token`` is what a router wants to be given back."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="executions")
    step = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    share = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    reached_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=30, blank=True)
    token = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["release", "step", "attempt"], name="step_executed_once"
            )
        ]


class Termination(DueWork):
    """An execution that a router or deployer outside, at ``url``, is to be told to end, for its
    release goes on without it. ``state`` is what it wants to be given back. Once that is told the
    row is gone."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="terminations")
    execution = models.CharField(max_length=60)
    url = models.CharField(max_length=500)
    state = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["release", "execution"], name="execution_ended_once")
        ]

    def __str__(self) -> str:
        return f"end of {self.execution}"


class Measurement(models.Model):
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="measurements")
    step = models.PositiveIntegerField()
    check_key = models.CharField(max_length=40)
    at = models.DateTimeField()
    verdict = models.CharField(max_length=20)
    value = models.FloatField(null=True)
    requests = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    detail = models.CharField(max_length=300, blank=True)
    # What else there is to show of a comparison (releases.engine.comparisons).
    numbers = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["release", "check_key", "at"], name="measured_by_time")]


class Comparison(models.Model):
    """What a release has collected of one check that compares (releases.engine.comparisons), from
    buckets that begin before ``until``; and how much their outcomes are dispersed, as far as it is
    known."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="comparisons")
    check_key = models.CharField(max_length=40)
    until = models.DateTimeField(null=True)
    collected = models.JSONField(default=dict)
    phi = models.FloatField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["release", "check_key"], name="comparison_once")
        ]


class Note(models.Model):
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="notes")
    author = models.CharField(max_length=200)
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
