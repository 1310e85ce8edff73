from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.access.models import ApiKey, Environment, Project, User, only_key
from portal.audit.models import AND
from portal.lib.journal import About, Agreed
from portal.runs.models import DueWork


class Policy(models.Model):
    """The approval policy of one environment. Without one, no approval is needed.

    ``required_roles`` are names of roles or groups that the voters must cover between them.
    ``evidence`` maps kinds of evidence to whether every change needs it ("all") or only one that
    ships an artefact ("artefacts"). ``break_glass`` names who may act first and be reviewed later.
    ``independence_days`` is for how long somebody counts as one person with who gave them the
    account, a vote or a new password.
    """

    environment = models.OneToOneField(Environment, on_delete=models.CASCADE, related_name="policy")
    required_approvals = models.PositiveSmallIntegerField()
    required_roles = models.JSONField(default=list, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    turning_off_needs_approval = models.BooleanField(default=False)
    break_glass = models.JSONField(default=list, blank=True)
    break_glass_minutes = models.PositiveIntegerField(default=60)
    independence_days = models.PositiveSmallIntegerField(default=30)
    version = models.PositiveBigIntegerField(default=1)
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(required_approvals__gte=1), name="policy_wants_somebody"
            )
        ]

    def __str__(self) -> str:
        return f"policy of {self.environment}"

    @property
    def document(self) -> dict[str, object]:
        return {field: getattr(self, field) for field in POLICY_FIELDS}


POLICY_FIELDS = (
    "required_approvals",
    "required_roles",
    "evidence",
    "turning_off_needs_approval",
    "break_glass",
    "break_glass_minutes",
    "independence_days",
)


class State(models.TextChoices):
    """Where a request is in its life. Whether an open one is approved follows from its votes."""

    OPEN = "open", _("open")
    APPLIED = "applied", _("applied")
    REJECTED = "rejected", _("rejected")
    WITHDRAWN = "withdrawn", _("withdrawn")


class ChangeRequest(DueWork):
    """One change that somebody asks for: its exact content, its digest, and what it starts from.

    ``author_user`` is the person who answers for it: who asked, or who made the key that did. It is
    held since its last approval would have applied it, had there been no freeze.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="change_requests")
    environments = models.ManyToManyField(Environment, related_name="change_requests")
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=200)
    title = models.CharField(max_length=300)
    base_version = models.CharField(max_length=200)
    before = models.JSONField()
    after = models.JSONField()
    words = models.JSONField(default=list)
    permissions = models.JSONField(default=list)
    turns_off = models.BooleanField(default=False)
    serves = models.BooleanField(default=True)
    artefact = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=80, db_index=True)
    revision = models.PositiveIntegerField(default=1)
    reason = models.TextField(blank=True)
    apply_when_approved = models.BooleanField(default=True)
    author_kind = models.CharField(max_length=10)
    author_id_text = models.CharField(max_length=40, blank=True)
    author = models.CharField(max_length=200)
    author_user = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="asked_changes", null=True
    )
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    created_at = models.DateTimeField()
    revised_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "state", "-id"], name="request_by_state")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=State.values), name="request_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"change request {self.pk}: {self.title}"

    @property
    def is_open(self) -> bool:
        return self.state == State.OPEN

    def agreed_by(self, votes: Iterable["Vote"]) -> Agreed:
        """Who asked for it and who approved it, for the history.

        Who edited it asked for what it is now as well; its author may never have seen that.
        """
        editors = self.editors.order_by("pk").values_list("user__username", flat=True)
        asked = dict.fromkeys([self.author, *editors])
        return Agreed(self.pk, AND.join(asked), tuple(vote.user.username for vote in votes))

    @property
    def recorded_as(self) -> About:
        return About(
            "change_request",
            str(self.pk),
            self.project.key,
            only_key(self.environments.all()),
            part_of_kind=self.subject_kind,
            part_of=self.subject,
        )


class Verdict(models.TextChoices):
    APPROVE = "approve", _("approve")
    REJECT = "reject", _("reject")


class Vote(models.Model):
    """One person's word on one exact content. An edit of the request removes it."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="votes")
    verdict = models.CharField(max_length=10, choices=Verdict)
    digest = models.CharField(max_length=80)
    names = models.JSONField(default=list)  # roles and groups at that time, for the record
    comment = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["request", "user"], name="one_vote_per_person"),
            models.CheckConstraint(
                condition=models.Q(verdict__in=Verdict.values), name="verdict_known"
            ),
        ]


class Editor(models.Model):
    """Someone who had a hand in a request's content, and so cannot approve it."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="editors")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "user"], name="one_editor_row_per_person")
        ]


class Comment(models.Model):
    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.CharField(max_length=200)
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]


class Result(models.TextChoices):
    PASSED = "passed", _("passed")
    FAILED = "failed", _("failed")


class Evidence(models.Model):
    """One result for one digest; the latest of its kind counts, until it expires."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="evidence")
    digest = models.CharField(max_length=80)
    kind = models.CharField(max_length=50)
    result = models.CharField(max_length=10, choices=Result)
    detail = models.TextField(blank=True)
    posted_by = models.CharField(max_length=200)
    # It counts in the environment of the key, and not for who answers for the key.
    posted_with = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, related_name="+", null=True)
    posted_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "evidence"
        indexes = [models.Index(fields=["project", "digest"], name="evidence_by_digest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(result__in=Result.values), name="evidence_result_known"
            )
        ]


class Emergency(DueWork):
    """One change made at once. It takes itself back at ``reverts_at`` unless somebody confirms it.

    Its request carries what was changed. The review is compulsory whatever became of the change.

    ``first`` is the emergency change that the log it stands in began with (see EmergencyLog).
    ``kept`` says what stayed of what it changed because others changed the same since, ``problem``
    why it could not be taken back since ``held_at``, when its time was over.
    """

    request = models.OneToOneField(
        ChangeRequest, on_delete=models.CASCADE, related_name="emergency"
    )
    actor = models.CharField(max_length=200)
    actor_user = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="emergencies", null=True
    )
    reason = models.TextField()
    at = models.DateTimeField()
    reverts_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.CharField(max_length=200, blank=True)
    reverted_at = models.DateTimeField(null=True)
    # Nothing was left to take back: all that it changed has been changed again since.
    superseded_at = models.DateTimeField(null=True)
    first = models.ForeignKey("self", on_delete=models.CASCADE, related_name="+", null=True)
    kept = models.JSONField(default=list)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    review = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "emergencies"

    def __str__(self) -> str:
        return f"emergency {self.pk}"

    @property
    def is_running(self) -> bool:
        return not (self.confirmed_at or self.reverted_at or self.superseded_at)

    @property
    def is_reviewed(self) -> bool:
        return self.reviewed_at is not None


class EmergencyLog(models.Model):
    """What happened to a subject while emergency changes of it run, in order.

    A row is one change: of an emergency; of the end of one; or, with neither, one that was agreed
    to or needed no approval. The log begins with its ``first`` emergency change and goes when none
    of its emergency changes runs any more.
    """

    first = models.ForeignKey(Emergency, on_delete=models.CASCADE, related_name="log")
    emergency = models.ForeignKey(Emergency, on_delete=models.CASCADE, related_name="+", null=True)
    is_ending = models.BooleanField(default=False)
    before = models.JSONField()
    after = models.JSONField()

    class Meta:
        ordering = ["pk"]
