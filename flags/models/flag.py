"""A flag: what it is in every environment."""

from django.db import models

from flags.engine import FlagDefinition, Kind, ValueType, dump_definition, parse_definition
from portal.access.models import Project
from portal.lib.journal import About


def _choices(names: type[Kind] | type[ValueType]) -> list[tuple[str, str]]:
    return [(name.value, name.value.replace("_", " ")) for name in names]


class FlagQuerySet(models.QuerySet["Flag"]):
    """Filters on flags."""

    def alive(self) -> "FlagQuerySet":
        return self.filter(archived_at__isnull=True)

    def archived(self) -> "FlagQuerySet":
        return self.filter(archived_at__isnull=False)


class Flag(models.Model):
    """One flag. The columns mirror the engine's definition, which alone says what is valid.

    ``version`` rises with every edit of the definition; configurations have versions of their own.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="flags")
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, choices=_choices(Kind))
    value_type = models.CharField(max_length=10, choices=_choices(ValueType))
    variants = models.JSONField()
    client_visible = models.BooleanField(default=False)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    permanent = models.BooleanField(default=False)
    metadata = models.JSONField(default=dict, blank=True)
    json_schema = models.JSONField(null=True, blank=True)
    version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="flag_key_once"),
            models.CheckConstraint(
                condition=models.Q(value_type__in=[t.value for t in ValueType]),
                name="flag_value_type_known",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def title(self) -> str:
        return self.name or self.key

    @property
    def recorded_as(self) -> About:
        return About("flag", self.key, self.project.key)

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    @property
    def document(self) -> dict[str, object]:
        """The definition as a document of the engine."""
        schema = {} if self.json_schema is None else {"json_schema": self.json_schema}
        return {field: getattr(self, field) for field in DEFINITION_FIELDS} | schema

    @property
    def definition(self) -> FlagDefinition:
        return parse_definition(self.document)

    def set_definition(self, definition: FlagDefinition) -> None:
        """Take the columns from a valid definition; the caller saves."""
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
