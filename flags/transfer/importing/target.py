from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from flags.core import naming
from flags.core.definitions import new_salt
from flags.engine import FlagDefinition, default_configuration
from flags.models import Flag, FlagConfiguration, NamingRule
from flags.transfer.importers import Skipped, SkippedDependency
from portal.access import outbox
from portal.access.models import Environment
from portal.approvals import selectors as approvals
from portal.lib.errors import Invalid

Document: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class ImportTarget:
    environment: Environment
    others: list[Environment]
    flags: dict[str, Flag]
    configurations: dict[int, dict[int, FlagConfiguration]]
    now: datetime
    naming: NamingRule | None = None
    governed: Collection[int] = ()

    @classmethod
    def load(cls, environment: Environment, now: datetime) -> "ImportTarget":
        project = environment.project
        environments = {e.pk: e for e in outbox.lock_project(project)}
        flags = {flag.key: flag for flag in project.flags.all()}
        configurations: dict[int, dict[int, FlagConfiguration]] = {pk: {} for pk in environments}
        for configuration in FlagConfiguration.objects.filter(flag__project=project):
            configurations[configuration.environment_id][configuration.flag_id] = configuration
        here = environments.pop(environment.pk)
        for flag in flags.values():
            configurations[here.pk][flag.pk].flag = flag
        others, rule = list(environments.values()), naming.rule_of(project)
        governed = approvals.policies_of([here, *others])
        return cls(here, others, flags, configurations, now, rule, governed)

    @property
    def base_version(self) -> str:
        """The versions of all environments: any change of a flag is a change of one of them."""
        places = sorted([self.environment, *self.others], key=lambda place: place.pk)
        return ",".join(f"{place.key}:{place.version}" for place in places)

    def configuration(self, flag: Flag) -> FlagConfiguration:
        return self.configurations[self.environment.pk][flag.pk]

    def default(
        self, flag: Flag, definition: FlagDefinition, environment: Environment
    ) -> FlagConfiguration:
        """What a new flag starts with. It is the file's environment that it is brought to: in
        others it is introduced where no policy stands."""
        configuration = FlagConfiguration(flag=flag, updated_at=self.now)
        configuration.set_configuration(default_configuration(definition, salt=new_salt()))
        elsewhere = environment.pk != self.environment.pk
        configuration.introduced = not (elsewhere and environment.pk in self.governed)
        return configuration


@dataclass(slots=True)
class FlagChange:
    """A flag and its configuration as they are to be, and as they were.

    ``elsewhere`` are a new flag's configurations in the other environments, by their keys.
    """

    flag: Flag
    configuration: FlagConfiguration
    definition_before: Document | None
    configuration_before: Document
    edited: bool = False
    configured: bool = False
    elsewhere: dict[str, Document] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        return self.definition_before is None

    @property
    def differs(self) -> bool:
        return self.edited or self.configured

    def take_back(self) -> None:
        if self.definition_before is not None:
            for name, value in self.definition_before.items():
                setattr(self.flag, name, value)
        targeting = dict(self.configuration_before)
        self.configuration.enabled = targeting.pop("enabled")
        self.configuration.introduced = targeting.pop("introduced", True)
        self.configuration.targeting = targeting

    @property
    def toggles(self) -> bool:
        return self.introduces or self.configuration.enabled != self.configuration_before["enabled"]

    @property
    def introduces(self) -> bool:
        return self.configuration.introduced and not self.configuration_before.get(
            "introduced", True
        )

    @property
    def is_noticed(self) -> bool:
        """Whether evaluators of this environment hear of what the flag does here."""
        return self.configuration.introduced and (self.is_new or self.configured)


# What an import did.


_REASONS = 3


@dataclass(slots=True)
class DependencyReport:
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    skipped: list[SkippedDependency] = field(default_factory=list)


@dataclass(slots=True)
class ImportReport:
    """What an import did, or as a dry run would do; flags by their keys.

    ``changed`` had their definition or their configuration changed, ``introduced`` were there and
    came to this environment, ``disabled`` were turned off because the file does not have them,
    ``version`` is the environment's afterwards.
    """

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    introduced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    segments: DependencyReport = field(default_factory=DependencyReport)
    groups: DependencyReport = field(default_factory=DependencyReport)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    version: int = 0

    @property
    def document(self) -> dict[str, object]:
        found = asdict(self)
        return {name: one for name, one in found.items() if one or name != "introduced"}

    @property
    def changes(self) -> int:
        dependencies = len(self.segments.created) + len(self.segments.changed)
        dependencies += len(self.groups.created) + len(self.groups.changed)
        flags = self.created, self.changed, self.introduced, self.disabled
        return dependencies + sum(map(len, flags))


def reason_of(error: Invalid) -> str:
    problems = [f"{path}: {text}" if path else text for path, text in error.problems.items()]
    more = f" And {len(problems) - _REASONS} more." if len(problems) > _REASONS else ""
    return " ".join(problems[:_REASONS]) + more
