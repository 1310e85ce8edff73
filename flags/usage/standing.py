"""Where flags are in their lives, from what the database knows of them: a few queries for many."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from flags.engine import Configuration, DocumentError, Fixed
from flags.models import Flag, FlagConfiguration, FlagSeen, FlagUsage, Period
from flags.usage.lifecycle import Facts, Lifecycle, Standing, judge
from portal.access.models import Project


@dataclass(frozen=True, slots=True)
class Seen:
    """A flag's lifecycle, and when it was last asked for, in any environment."""

    lifecycle: Lifecycle
    last_at: datetime | None


def standings_of(project: Project, flags: Iterable[Flag], *, now: datetime) -> dict[int, Seen]:
    """By the flags' ids. Flags come with their configurations fetched."""
    found = list(flags)
    last, since, needed = _last_asked(found), counted_since(project), _needed(project)
    return {
        flag.pk: Seen(judge(_facts(flag, last, since, needed), now=now), last.get(flag.pk))
        for flag in found
    }


def counted_since(project: Project) -> datetime | None:
    days = FlagUsage.objects.filter(flag__project=project, period=Period.DAY)
    return days.order_by("start").values_list("start", flat=True).first()


def _last_asked(flags: list[Flag]) -> dict[int, datetime]:
    seen = FlagSeen.objects.filter(flag__in=[flag.pk for flag in flags])
    return dict(seen.values("flag").annotate(at=Max("last_at")).values_list("flag", "at"))


def _needed(project: Project) -> set[str]:
    """The keys of flags that others refer to: they are evaluated without being asked for."""
    stored = FlagConfiguration.objects.filter(flag__project=project, flag__archived_at=None)
    documents = stored.values_list("targeting", flat=True)
    return {key for document in documents for key in _references(document)}


def _references(part: object) -> Iterator[str]:
    """Whatever stands under “flag” anywhere in a document: prerequisites and conditions."""
    if isinstance(part, dict):
        if isinstance(part.get("flag"), str):
            yield part["flag"]
        part = [one for name, one in part.items() if name != "targets"]
    if isinstance(part, list):
        for one in part:
            yield from _references(one)


def _facts(
    flag: Flag, last: Mapping[int, datetime], since: datetime | None, needed: Collection[str]
) -> Facts:
    return Facts(
        kind=flag.kind,
        permanent=flag.permanent,
        created_at=flag.created_at,
        places=tuple(_standing(flag, one) for one in flag.configurations.all()),
        last_asked_at=last.get(flag.pk),
        counted_since=since,
        is_needed=flag.key in needed,
    )


def _standing(flag: Flag, stored: FlagConfiguration) -> Standing:
    try:
        everyone_gets = _everyone_gets(stored.configuration)
    except DocumentError:  # it cannot be evaluated, which is not for us to judge
        everyone_gets = ""
    return Standing(stored.enabled, everyone_gets, stored.updated_at)


def _everyone_gets(configuration: Configuration) -> str:
    """The variant that everyone is served; empty where it depends on who asks."""
    if not configuration.enabled:
        return configuration.off_variant
    chosen_by = configuration.rules, configuration.targets, configuration.prerequisites
    open_to_all = not any(chosen_by)
    rest = configuration.fallthrough
    return rest.variant if open_to_all and isinstance(rest, Fixed) else ""
