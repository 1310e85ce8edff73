"""Reading flags, always within a project someone may see."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Prefetch, Q, QuerySet

from flags.engine import FlagDefinition, Kind
from flags.models import Flag, FlagConfiguration
from flags.usage.lifecycle import Stage
from flags.usage.standing import standings_of
from portal.access.models import Environment, Project

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class FlagFilter:
    """What a list of flags is narrowed to; empty values do not narrow."""

    search: str = ""
    kind: str = ""
    tag: str = ""
    archived: bool = False
    stage: str = ""
    after: str = ""
    size: int = PAGE_SIZE

    @property
    def narrows(self) -> bool:
        return bool(self.search or self.kind or self.tag or self.stage)


@dataclass(frozen=True, slots=True)
class FlagPage:
    """One page of flags in order of their keys; ``next_after`` continues it."""

    flags: list[Flag]
    next_after: str
    total: int


def list_flags(project: Project, wanted: FlagFilter, *, now: datetime) -> FlagPage:
    """A page of a project's flags, each with its configurations in order of environments.

    Paged by key and not by number, so that a flag created meanwhile shifts nothing.
    """
    matching = _matching(project, wanted)
    if wanted.stage in {stage.value for stage in Stage}:
        matching = _at_stage(project, matching, wanted.stage, now)
    rows = matching.filter(key__gt=wanted.after) if wanted.after else matching
    found = list(rows.prefetch_related(_with_configurations())[: wanted.size + 1])
    more = len(found) > wanted.size
    flags = found[: wanted.size]
    return FlagPage(flags, flags[-1].key if more else "", matching.count())


def get_flag(project: Project, key: str) -> Flag:
    """A flag with its configurations. Raises Flag.DoesNotExist where the project has none."""
    flag = Flag.objects.prefetch_related(_with_configurations()).get(project=project, key=key)
    flag.project = project
    return flag


def get_configuration(flag: Flag, environment: Environment) -> FlagConfiguration:
    """A flag's configuration in an environment of its project."""
    configuration = FlagConfiguration.objects.select_related("environment").get(
        flag=flag, environment=environment
    )
    configuration.flag = flag
    return configuration


def configurations_in(environment: Environment) -> QuerySet[FlagConfiguration]:
    """The configurations of the flags in use, in one environment."""
    found = FlagConfiguration.objects.filter(environment=environment, flag__archived_at=None)
    return found.select_related("flag")


def definitions_of(wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], FlagDefinition]:
    """What the flags of these (project key, flag key) are now; those that are gone are left out."""
    keys = {key for _project, key in wanted}
    flags = Flag.objects.filter(key__in=keys).select_related("project")
    found = {(flag.project.key, flag.key): flag for flag in flags}
    return {name: flag.definition for name, flag in found.items() if name in wanted}


def state_of(project: Project) -> str:
    """Changes whenever something in the project's flags does: what a page compares to stay live."""
    versions = project.environments.order_by("pk").values_list("version", flat=True)
    newest = Flag.objects.filter(project=project).aggregate(at=Max("updated_at"))["at"]
    return "-".join([*map(str, versions), f"{newest.timestamp():.6f}" if newest else "0"])


def known_tags(project: Project) -> list[str]:
    """The tags in use, for the filter."""
    lists = Flag.objects.alive().filter(project=project).values_list("tags", flat=True)
    return sorted({tag for tags in lists for tag in tags})


def _matching(project: Project, wanted: FlagFilter) -> QuerySet[Flag]:
    flags = Flag.objects.filter(project=project).order_by("key")
    flags = flags.archived() if wanted.archived else flags.alive()
    if wanted.search:
        text = wanted.search
        flags = flags.filter(
            Q(key__icontains=text)
            | Q(name__icontains=text)
            | Q(description__icontains=text)
            | Q(owner__icontains=text)
        )
    if wanted.kind in {kind.value for kind in Kind}:
        flags = flags.filter(kind=wanted.kind)
    if wanted.tag:
        tagged = [flag.pk for flag in flags.only("pk", "tags") if wanted.tag in flag.tags]
        flags = flags.filter(pk__in=tagged)
    return flags


def _at_stage(project: Project, flags: QuerySet[Flag], stage: str, now: datetime) -> QuerySet[Flag]:
    found = list(flags.prefetch_related(_with_configurations()))
    seen = standings_of(project, found, now=now)
    return flags.filter(pk__in=[pk for pk, one in seen.items() if one.lifecycle.stage == stage])


def _with_configurations() -> "Prefetch[str]":
    return Prefetch(
        "configurations",
        FlagConfiguration.objects.select_related("environment").order_by(
            "environment__position", "environment_id"
        ),
    )
