from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.access.models import Environment, Project, User, only_key
from portal.audit.models import AND
from portal.lib.journal import About, Agreed
from portal.runs.models import DueWork


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
