import json

from django.db import models

_REST = ("environment", "event", "actor", "subject")
# Between names, none of which has a comma.
AND = ", "


class AuditEvent(models.Model):
    """One thing that happened. Rows are only ever added: triggers refuse everything else.

    Names are kept as text and not as references, so that a row says the same after what it speaks
    of is gone. ``before`` and ``after`` are JSON texts, kept as they were hashed.

    ``actor`` carried it out: who pressed, or the plan that was due. ``requested_by`` asked for it,
    where that was somebody else, and ``approved_by`` agreed to it (both names with ``AND`` between
    them), by ``change_request``, which is an emergency's where glass was broken. ``part_of`` is
    what the subject itself is about, as a change request is about a flag.
    """

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    event = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=40, blank=True)
    actor = models.CharField(max_length=200)
    project = models.CharField(max_length=50, blank=True)
    environment = models.CharField(max_length=50, blank=True)
    subject_kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=200)
    version = models.PositiveBigIntegerField(null=True)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    requested_by = models.TextField(blank=True)
    approved_by = models.TextField(blank=True)
    change_request = models.PositiveBigIntegerField(null=True)
    part_of_kind = models.CharField(max_length=20, blank=True)
    part_of = models.CharField(max_length=200, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    # Whether the documents were left out because they are too long for a list.
    is_abridged = False

    class Meta:
        ordering = ["-sequence"]
        # One for each filter of the history, in the order in which it is read. Each holds all that
        # the others ask for, so that looking for a rare combination does not read whole rows.
        indexes = [
            models.Index(fields=["project", "sequence", *_REST], name="audit_by_project"),
            models.Index(
                fields=["project", "environment", "sequence", *_REST[1:]], name="audit_by_place"
            ),
            models.Index(
                fields=["environment", "sequence", "project", *_REST[1:]],
                name="audit_by_environment",
            ),
            models.Index(
                fields=["subject", "sequence", "project", "environment", "event", "actor"],
                name="audit_by_subject",
            ),
            models.Index(
                fields=["actor", "sequence", "project", "environment", "event", "subject"],
                name="audit_by_actor",
            ),
            models.Index(
                fields=["event", "sequence", "project", "environment", "actor", "subject"],
                name="audit_by_event",
            ),
            models.Index(fields=["part_of", "sequence", "project"], name="audit_by_whole"),
            models.Index(fields=["at", "sequence"], name="audit_by_time"),
            models.Index(fields=["request_id", "sequence"], name="audit_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.event} {self.subject}"

    @property
    def approvers(self) -> list[str]:
        return self.approved_by.split(AND) if self.approved_by else []

    @property
    def before_document(self) -> dict[str, object] | None:
        return json.loads(self.before) if self.before else None

    @property
    def after_document(self) -> dict[str, object] | None:
        return json.loads(self.after) if self.after else None


class ChainHead(models.Model):
    """The last link: one row, locked by the writer of the next."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="audit_one_chain_head")
        ]


class PurgeFloor(models.Model):
    """Up to which row the triggers let rows be deleted, and the event that says why: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.PositiveBigIntegerField()
    event_sequence = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="audit_one_purge_floor"),
            models.CheckConstraint(
                condition=models.Q(sequence__lt=models.F("event_sequence")),
                name="audit_purge_below_its_event",
            ),
        ]


class SeenName(models.Model):
    """An environment, actor or event that has been seen in a project: what filters offer.

    Kept by a trigger, so that no list of choices has to read the trail.
    """

    project = models.CharField(max_length=50, blank=True)
    field = models.CharField(max_length=20)
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "field", "name"], name="audit_name_once")
        ]
