from dataclasses import replace

from django.db import models

from flags.engine import (
    Configuration,
    FlagDefinition,
    Kind,
    ValueType,
    dump_configuration,
    dump_definition,
    environment_document,
    parse_configuration,
    parse_definition,
)
from portal.access.models import Environment, Project
from portal.lib.journal import About


def _choices(names: type[Kind] | type[ValueType]) -> list[tuple[str, str]]:
    return [(name.value, name.value.replace("_", " ")) for name in names]


class Keyed(models.Model):
    """What a project has under keys. ``version`` rises with every edit."""

    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @property
    def title(self) -> str:
        return self.name or self.key


class FlagQuerySet(models.QuerySet["Flag"]):
    def alive(self) -> "FlagQuerySet":
        return self.filter(archived_at__isnull=True)

    def archived(self) -> "FlagQuerySet":
        return self.filter(archived_at__isnull=False)


class Flag(Keyed):
    """One flag. The columns mirror the engine's definition, which alone says what is valid.

    ``version`` is that of the definition; configurations have versions of their own.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="flags")
    kind = models.CharField(max_length=20, choices=_choices(Kind))
    value_type = models.CharField(max_length=10, choices=_choices(ValueType))
    variants = models.JSONField()
    client_visible = models.BooleanField(default=False)
    tags = models.JSONField(default=list, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    permanent = models.BooleanField(default=False)
    metadata = models.JSONField(default=dict, blank=True)
    json_schema = models.JSONField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta(Keyed.Meta):
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="flag_key_once"),
            models.CheckConstraint(
                condition=models.Q(value_type__in=[t.value for t in ValueType]),
                name="flag_value_type_known",
            ),
        ]

    @property
    def recorded_as(self) -> About:
        return About("flag", self.key, self.project.key)

    def recorded_in(self, environment: Environment) -> About:
        return replace(self.recorded_as, environment=environment.key, version=environment.version)

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    def configuration_in(self, environment: Environment) -> "FlagConfiguration":
        """Its own in an environment of its project, of those that were read with it."""
        found = self.configurations.all()
        return next(one for one in found if one.environment_id == environment.pk)

    @property
    def document(self) -> dict[str, object]:
        schema = {} if self.json_schema is None else {"json_schema": self.json_schema}
        return {field: getattr(self, field) for field in DEFINITION_FIELDS} | schema

    @property
    def definition(self) -> FlagDefinition:
        return parse_definition(self.document)

    def set_definition(self, definition: FlagDefinition) -> None:
        for field, value in dump_definition(definition).items():
            setattr(self, field, value)
        self.json_schema = definition.json_schema


DEFINITION_FIELDS = (
    "key",
    "name",
    "kind",
    "value_type",
    "variants",
    "client_visible",
    "description",
    "tags",
    "owner",
    "permanent",
    "metadata",
)


# A flag in one environment: whether it is on, and who gets what.


class ConfigurationQuerySet(models.QuerySet["FlagConfiguration"]):
    def served(self) -> "ConfigurationQuerySet":
        return self.filter(introduced=True, flag__archived_at__isnull=True)


class FlagConfiguration(models.Model):
    """The configuration of one flag in one environment.

    ``version`` is the environment's version at the last change that evaluators could see of this
    flag; an editor says which version they saw, so that no edit overwrites another unseen.
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
        return self.flag.recorded_in(self.environment)

    @property
    def document(self) -> dict[str, object]:
        introduced = {} if self.introduced else {"introduced": False}
        return {"enabled": self.enabled, **self.targeting, **introduced}

    @property
    def configuration(self) -> Configuration:
        return parse_configuration(self.document, self.flag.definition)

    def set_configuration(self, configuration: Configuration) -> None:
        document = dump_configuration(configuration)
        self.enabled = bool(document.pop("enabled"))
        self.introduced = bool(document.pop("introduced", True))
        self.targeting = document

    def environment_document(self) -> dict[str, object]:
        return environment_document(self.flag.definition, self.configuration, self.version)
