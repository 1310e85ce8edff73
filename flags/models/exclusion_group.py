"""Exclusion groups: a line that flags share, so that nobody is in two of them."""

from typing import Any

from django.db import models

from flags.engine import Group, dump_group, parse_group
from flags.models.flag import Keyed
from portal.access.models import Project
from portal.lib.journal import About


class ExclusionGroup(Keyed):
    """One group. Slots and holdout are as the engine has them.

    ``holdout`` is in thousandths of a percent, like everything on the line.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="exclusion_groups")
    salt = models.CharField(max_length=100)
    slots = models.JSONField(default=list, blank=True)
    holdout = models.PositiveIntegerField(default=0)
    bucket_by = models.CharField(max_length=200, default="targetingKey")
    updated_by = models.CharField(max_length=200, blank=True)

    class Meta(Keyed.Meta):
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="exclusion_group_key_once"),
            models.CheckConstraint(
                condition=models.Q(holdout__lte=100_000), name="exclusion_group_holdout_on_line"
            ),
        ]

    @property
    def recorded_as(self) -> About:
        return About("exclusion_group", self.key, self.project.key)

    @property
    def holdout_percent(self) -> str:
        return f"{self.holdout / 1000:g}"

    @property
    def document(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "name": self.name,
            "description": self.description,
            "salt": self.salt,
            "slots": self.slots,
            "holdout": self.holdout / 1000,
            "bucket_by": self.bucket_by,
        }

    @property
    def engine_document(self) -> dict[str, Any]:
        """What evaluators load: not what people call it."""
        about = ("name", "description")
        return {name: value for name, value in self.document.items() if name not in about}

    @property
    def group(self) -> Group:
        return parse_group(self.document)

    def set_group(self, group: Group) -> None:
        self.key, self.name, self.description = group.key, group.name, group.description
        self.salt, self.bucket_by, self.holdout = group.salt, group.bucket_by, group.holdout
        self.slots = dump_group(group)["slots"]
