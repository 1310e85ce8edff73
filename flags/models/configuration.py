"""A flag in one environment: whether it is on, and who gets what."""

from dataclasses import replace

from django.db import models

from flags.engine import (
    Configuration,
    dump_configuration,
    environment_document,
    parse_configuration,
)
from flags.models.flag import Flag
from portal.access.models import Environment
from portal.lib.journal import About


class ConfigurationQuerySet(models.QuerySet["FlagConfiguration"]):
    """Filters on configurations."""

    def served(self) -> "ConfigurationQuerySet":
        """Those that evaluators have."""
        return self.filter(introduced=True, flag__archived_at__isnull=True)


class FlagConfiguration(models.Model):
    """The configuration of one flag in one environment.

    ``version`` is the environment's version at the last change that evaluators could see of this
    flag; whoever edits says which version they saw, so that no edit overwrites another unseen.
    Until it is ``introduced`` evaluators answer as if the flag did not exist in this environment.
    """

    flag = models.ForeignKey(Flag, on_delete=models.CASCADE, related_name="configurations")
    environment = models.ForeignKey(
        Environment, on_delete=models.PROTECT, related_name="configurations"
    )
    enabled = models.BooleanField(default=False)
    targeting = models.JSONField()
    introduced = models.BooleanField(default=True)
    version = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=200, blank=True)

    objects = ConfigurationQuerySet.as_manager()

    class Meta:
        ordering = ["environment__position", "environment_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["flag", "environment"], name="one_configuration_per_environment"
            ),
            models.CheckConstraint(
                condition=models.Q(enabled=False) | models.Q(introduced=True),
                name="configuration_on_is_introduced",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flag.key} in {self.environment.key}"

    @property
    def recorded_as(self) -> About:
        return replace(
            self.flag.recorded_as,
            environment=self.environment.key,
            version=self.environment.version,
        )

    @property
    def document(self) -> dict[str, object]:
        """The configuration as a document of the engine."""
        introduced = {} if self.introduced else {"introduced": False}
        return {"enabled": self.enabled, **self.targeting, **introduced}

    @property
    def configuration(self) -> Configuration:
        return parse_configuration(self.document, self.flag.definition)

    def set_configuration(self, configuration: Configuration) -> None:
        """Take the columns from a valid configuration; the caller saves."""
        document = dump_configuration(configuration)
        self.enabled = bool(document.pop("enabled"))
        self.introduced = bool(document.pop("introduced", True))
        self.targeting = document

    def environment_document(self) -> dict[str, object]:
        """What evaluators load."""
        return environment_document(self.flag.definition, self.configuration, self.version)
