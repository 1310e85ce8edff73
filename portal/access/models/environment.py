import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.lib.journal import About

# A project: what one team's flags and releases live in, and the wall between teams.

if TYPE_CHECKING:
    from portal.access.models.user import User

# Keys stand in addresses, in scripts and in the audit trail: short, lower case, never renamed.
key_validator = RegexValidator(
    r"^[a-z0-9][a-z0-9-]{0,49}\Z",
    _("Use 1 to 50 lower-case letters, digits and hyphens, starting with a letter or digit."),
)


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: "User") -> "ProjectQuerySet":
        if user.is_superuser:
            return self
        given = models.Q(grants__user=user) | models.Q(grants__group__members=user)
        return self.filter(pk__in=self.model.objects.filter(given).values("pk"))


class Project(models.Model):
    """A project. Its key never changes."""

    key = models.CharField(max_length=50, unique=True, validators=[key_validator])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def recorded_as(self) -> About:
        return About("project", self.key, self.key)


class EnvironmentKind(models.TextChoices):
    """How much is at stake; friction follows it."""

    DEVELOPMENT = "development", _("development")
    STAGING = "staging", _("staging")
    PRODUCTION = "production", _("production")


def new_epoch() -> str:
    """A fresh epoch: milliseconds since 1970 and a random part, so that later ones sort later."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(4)}"


def new_nonce() -> str:
    """What tells a version from the same version of another history."""
    return secrets.token_hex(8)


class Environment(models.Model):
    """Where flags are on or off. ``version`` rises by one with every change that evaluators see.

    ``epoch`` names the history that versions count in; it is renewed when a database is restored
    from a backup, so that an evaluator does not mistake a repeated version for one it knows.
    ``nonce`` is drawn anew with each version, and shows that this happened.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="environments")
    key = models.CharField(max_length=50, validators=[key_validator])
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=EnvironmentKind)
    position = models.PositiveSmallIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)
    epoch = models.CharField(max_length=40, default=new_epoch)
    nonce = models.CharField(max_length=16, default="", blank=True)
    # When its first approval policy came: what people were given before that counts at once.
    governed_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="environment_key_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=EnvironmentKind.values), name="environment_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.key}/{self.key}"

    @property
    def recorded_as(self) -> About:
        return About("environment", self.key, self.project.key, self.key)

    @property
    def is_production(self) -> bool:
        return self.kind == EnvironmentKind.PRODUCTION

    def recalls(self, *, epoch: str, version: int, nonce: str) -> bool | None:
        """Whether a published version is one of this history; None where that cannot be said.

        If it is not, the database was set back after it was published.
        """
        if (epoch, version) > (self.epoch, self.version):
            return False
        if epoch != self.epoch:
            return None
        if version == self.version:
            return nonce == self.nonce
        known = self.changes.filter(version=version).values_list("nonce", flat=True).first()
        return None if known is None else nonce == known


def only_key(environments: Iterable[Environment]) -> str:
    """The one environment that something is about; empty where there are several."""
    keys = [environment.key for environment in environments]
    return keys[0] if len(keys) == 1 else ""


class EnvironmentChange(models.Model):
    """One object that changed with one version: what the relay sends to the evaluators.

    Written in the transaction of the change. Nothing marks a row as sent: what Redis holds says
    from which version on it needs them, so any number of relays may run.
    """

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="changes")
    version = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=10)
    key = models.CharField(max_length=200)
    nonce = models.CharField(max_length=16, default="", blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "version", "kind", "key"], name="environment_change_once"
            )
        ]
        indexes = [models.Index(fields=["changed_at"], name="environment_change_age")]
