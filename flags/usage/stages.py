"""Where flags are in their lives, from what the database knows of them: a few queries for many."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from flags.engine import Configuration, DocumentError, Fixed, Named
from flags.models import Flag, FlagConfiguration, FlagSeen, FlagUsage, Period
from flags.references.dependants import flags_named_in, mentioning
from flags.usage.lifecycle import EnvironmentFacts, Facts, Lifecycle, judge
from portal.access.models import Project


@dataclass(frozen=True, slots=True)
class FlagStage:
    lifecycle: Lifecycle
    last_at: datetime | None


def stages_of(project: Project, flags: Iterable[Flag], *, now: datetime) -> dict[int, FlagStage]:
    """By the flags' ids. Flags come with their configurations fetched."""
    found = list(flags)
    last, since, needed = _last_evaluated(found), counted_since(project), _needed(project)
    return {
        flag.pk: FlagStage(judge(_facts(flag, last, since, needed), now=now), last.get(flag.pk))
        for flag in found
    }


def counted_since(project: Project) -> datetime | None:
    days = FlagUsage.objects.filter(flag__project=project, period=Period.DAY)
    return days.order_by("start").values_list("start", flat=True).first()


def _last_evaluated(flags: list[Flag]) -> dict[int, datetime]:
    seen = FlagSeen.objects.filter(flag__in=[flag.pk for flag in flags])
    return dict(seen.values("flag").annotate(at=Max("last_at")).values_list("flag", "at"))


def _needed(project: Project) -> set[str]:
    """The keys of flags that others refer to: they are evaluated without being asked for."""
    return flags_named_in(row.document for row in mentioning(project, Named.FLAG))


def _facts(
    flag: Flag, last: Mapping[int, datetime], since: datetime | None, needed: Collection[str]
) -> Facts:
    return Facts(
        kind=flag.kind,
        permanent=flag.permanent,
        created_at=flag.created_at,
        places=tuple(_environment_facts(flag, one) for one in flag.configurations.all()),
        last_evaluated_at=last.get(flag.pk),
        counted_since=since,
        is_needed=flag.key in needed,
    )


def _environment_facts(flag: Flag, stored: FlagConfiguration) -> EnvironmentFacts:
    try:
        everyone_gets = _everyone_gets(stored.configuration)
    except DocumentError:  # it cannot be evaluated, which is not for us to judge
        everyone_gets = ""
    return EnvironmentFacts(stored.enabled, everyone_gets, stored.updated_at)


def _everyone_gets(configuration: Configuration) -> str:
    if not configuration.enabled:
        return configuration.off_variant
    chosen_by = configuration.rules, configuration.targets, configuration.prerequisites
    open_to_all = not any(chosen_by)
    rest = configuration.fallthrough
    return rest.variant if open_to_all and isinstance(rest, Fixed) else ""
