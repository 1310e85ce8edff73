import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.access.models.environment import Environment
from portal.access.models.user import User
from portal.access.permissions import TELEMETRY, Permission
from portal.lib.journal import About


class KeyKind(models.TextChoices):
    SERVER = "server", _("server")
    CLIENT = "client", _("client (public)")
    ADMIN = "admin", _("admin")


MOST_REQUESTS = 1_000_000
_WHOLE = [MinValueValidator(1), MaxValueValidator(MOST_REQUESTS)]


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, *, now: datetime) -> "ApiKeyQuerySet":
        alive = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        return self.filter(alive, revoked_at__isnull=True)


class ApiKey(models.Model):
    """A key of one environment. Only a hash of its secret is kept: the token is shown once."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="api_keys")
    kind = models.CharField(max_length=10, choices=KeyKind)
    name = models.CharField(max_length=100)
    selector = models.CharField(max_length=16, unique=True)
    verifier = models.CharField(max_length=64)
    allowed_origins = models.JSONField(default=list, blank=True)
    # Requests per second, and at once; each evaluator process counts for itself. None: no limit.
    rate_limit = models.PositiveIntegerField(null=True, blank=True, validators=_WHOLE)
    burst_limit = models.PositiveIntegerField(null=True, blank=True, validators=_WHOLE)
    created_by = models.CharField(max_length=150)
    # The maker of a key answers for what is requested with it, and cannot approve that.
    creator = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="created_keys", null=True, blank=True
    )
    # Made by a command on the machine: no account stands behind it, and none caps what it may.
    by_operator = models.BooleanField(default=False)
    # What an admin key may do on top of what every one may; see authority for what counts of it. Of
    # a client key whether what it tells decides about releases.
    rights = models.JSONField(default=list, blank=True)
    # The kinds of evidence that a person let an admin key post, for its environment; who last did.
    evidence = models.JSONField(default=list, blank=True)
    evidence_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    # Who else vouched for that: then it counts even for what its maker asked for.
    evidence_confirmed_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=KeyKind.values), name="key_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind=KeyKind.ADMIN)
                | models.Q(rights=[])
                | models.Q(kind=KeyKind.CLIENT, rights=[TELEMETRY]),
                name="key_rights_by_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=KeyKind.ADMIN) | models.Q(evidence=[]),
                name="key_evidence_of_admins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"

    @property
    def recorded_as(self) -> About:
        return replace(self.environment.recorded_as, kind="key", name=self.selector)

    @property
    def document(self) -> dict[str, object]:
        """What the audit trail keeps of a key: nothing that lets anyone in."""
        expires_at = self.expires_at and self.expires_at.astimezone(UTC).isoformat()
        return {
            "name": self.name,
            "kind": str(self.kind),
            "selector": self.selector,
            "verifier_sha256": hashlib.sha256(self.verifier.encode()).hexdigest(),
            "owner": self.creator and self.creator.username,
            "by_operator": self.by_operator,
            "expires_at": expires_at,
            "allowed_origins": self.allowed_origins,
            "rate_limit": self.rate_limit,
            "burst_limit": self.burst_limit,
            "rights": self.rights,
            "evidence": self.evidence,
            "evidence_by": self.evidence_by and self.evidence_by.username,
        }

    def is_usable(self, *, now: datetime) -> bool:
        """As ApiKeyQuerySet.usable, of a row that is there: asked of the database it takes twice
        as long to ask."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    @property
    def is_orphaned(self) -> bool:
        return not self.by_operator and not (self.creator and self.creator.is_active)

    @property
    def right_labels(self) -> list[str]:
        known = {one.value: one.label for one in Permission} | {
            TELEMETRY: _("decide about releases")
        }
        return [str(known[one]) for one in self.rights if one in known]

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


# Answers that are kept, so that a request that is sent again is not carried out again.


KEPT_FOR = timedelta(days=1)


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    def over(self, *, now: datetime) -> "KeptAnswerQuerySet":
        """Those that nobody is given any more."""
        return self.filter(kept_at__lte=now - KEPT_FOR)


class KeptAnswer(models.Model):
    """What a request with an Idempotency-Key was answered.

    The row is written in the transaction of what the request did: either both are there or
    neither is, whatever becomes of the process between.
    """

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="kept_answers")
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)
    kept_at = models.DateTimeField()

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "name"], name="answer_once_per_name")]
        indexes = [models.Index(fields=["kept_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return self.name
