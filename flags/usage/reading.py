from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max, QuerySet, Sum
from django.utils.translation import gettext as _

from flags.channel import OVER_BUDGET, USAGE
from flags.models import (
    Flag,
    FlagConfiguration,
    FlagSeen,
    FlagUsage,
    IntakeLoss,
    LossCause,
    Period,
    UnknownFlag,
)
from portal.access.models import Environment
from portal.lib.errors import AviaryError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time up to now: so many rows of a period."""

    period: Period
    step: timedelta
    steps: int


SPANS: Final = {
    "hour": Span(Period.MINUTE, timedelta(minutes=1), 60),
    "day": Span(Period.HOUR, HOUR, 24),
    "month": Span(Period.DAY, DAY, 30),
}
ASPECTS: Final = ("variant", "reason")


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """The counts from one instant on, in the order of the series' names."""

    start: datetime
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts over time, by variant or by reason; every step is there, with zeros."""

    names: tuple[str, ...]
    lines: tuple[SeriesPoint, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        return tuple(map(sum, zip(*(line.counts for line in self.lines), strict=True)))

    @property
    def total(self) -> int:
        return sum(self.totals)


@dataclass(frozen=True, slots=True)
class RecentUse:
    environment: Environment
    count: int
    last_at: datetime


class StillEvaluated(AviaryError):
    status = 409

    def __init__(self, uses: Iterable[RecentUse]) -> None:
        text = _("{n} times in {environment}, last at {time} UTC")
        found = [
            text.format(
                n=one.count, environment=one.environment.key, time=f"{one.last_at:%Y-%m-%d %H:%M}"
            )
            for one in uses
        ]
        start = _("It was evaluated within the last hour: {uses}. Nothing was changed.")
        super().__init__(start.format(uses="; ".join(found)))


def series_of(
    flag: Flag, environment: Environment, *, span: Span, aspect: str, now: datetime
) -> Series:
    starts = _starts(span, now)
    rows = _usage(flag, environment, span.period, starts[0])
    counts: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    found = rows.values("start", aspect).annotate(n=Sum("count"))
    for start, name, count in found.values_list("start", aspect, "n"):
        counts[start][name] += count
    names = _names(flag, aspect, counts.values())
    lines = (SeriesPoint(start, tuple(counts[start][name] for name in names)) for start in starts)
    return Series(names, tuple(lines))


def last_served(flag: Flag, environment: Environment) -> dict[str, datetime]:
    """When each variant was last served; the empty name stands for “no value”."""
    seen = FlagSeen.objects.filter(flag=flag, environment=environment)
    return dict(seen.values_list("variant", "last_at"))


def recent_use(flag: Flag, *, now: datetime) -> list[RecentUse]:
    since = now - HOUR
    seen = FlagSeen.objects.filter(flag=flag, last_at__gt=since)
    last = dict(
        seen.values("environment").annotate(at=Max("last_at")).values_list("environment", "at")
    )
    rows = FlagUsage.objects.filter(flag=flag, period=Period.MINUTE, start__gt=since)
    counts = dict(
        rows.values("environment").annotate(n=Sum("count")).values_list("environment", "n")
    )
    places = Environment.objects.filter(pk__in=last)
    return [RecentUse(place, counts.get(place.pk, 0), last[place.pk]) for place in places]


@dataclass(frozen=True, slots=True)
class Trouble:
    environment: str
    count: int


def over_budget(flag: Flag, *, now: datetime) -> list[Trouble]:
    rows = FlagUsage.objects.filter(
        flag=flag, period=Period.HOUR, start__gt=now - DAY, reason=OVER_BUDGET
    )
    summed = rows.values("environment__name").annotate(n=Sum("count"))
    found = summed.order_by("environment__name").values_list("environment__name", "n")
    return [Trouble(name, count) for name, count in found]


def refuse_if_evaluated(flag: Flag, *, now: datetime, within: Environment) -> None:
    """Raise StillEvaluated for a flag in use in an environment, which is all that a key may know;
    one that is archived already is asked for in vain."""
    uses = [] if flag.is_archived else recent_use(flag, now=now)
    uses = [use for use in uses if use.environment == within]
    if uses:
        raise StillEvaluated(uses)


def hourly_counts(flags: Iterable[Flag], *, now: datetime) -> dict[int, list[int]]:
    starts = _starts(SPANS["day"], now)
    place = {start: index for index, start in enumerate(starts)}
    rows = FlagUsage.objects.filter(
        flag__in=[flag.pk for flag in flags], period=Period.HOUR, start__gte=starts[0]
    )
    found: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(starts))
    summed = rows.values("flag", "start").annotate(n=Sum("count"))
    for flag, start, count in summed.values_list("flag", "start", "n"):
        if start in place:
            found[flag][place[start]] += count
    return dict(found)


def intake_losses(*, since: datetime) -> dict[tuple[str, str], int]:
    rows = IntakeLoss.objects.filter(minute__gte=since).values_list("kind", "cause")
    return {(kind, cause): count for kind, cause, count in rows.annotate(n=Sum("count"))}


def counts_dropped(*, since: datetime) -> int:
    return intake_losses(since=since).get((USAGE.name, LossCause.DROPPED), 0)


def unknown_flags(environment: Environment, *, ignored: bool = False) -> QuerySet[UnknownFlag]:
    """Names that were asked for in vain, the last asked first; without flags that are still to be
    introduced there."""
    rows = UnknownFlag.objects.named().filter(environment=environment)
    coming = FlagConfiguration.objects.filter(environment=environment, introduced=False)
    rows = rows.exclude(name__in=coming.filter(flag__archived_at=None).values("flag__key"))
    return rows.exclude(ignored_at=None) if ignored else rows.watched()


def other_unknown(environment: Environment) -> int:
    others = UnknownFlag.objects.filter(environment=environment, name="")
    return others.aggregate(n=Sum("count"))["n"] or 0


def _usage(
    flag: Flag, environment: Environment, period: Period, since: datetime
) -> QuerySet[FlagUsage]:
    return FlagUsage.objects.filter(
        flag=flag, environment=environment, period=period, start__gte=since
    )


def _starts(span: Span, now: datetime) -> list[datetime]:
    newest = now.replace(second=0, microsecond=0)
    if span.step >= HOUR:
        newest = newest.replace(minute=0)
    if span.step >= DAY:
        newest = newest.replace(hour=0)
    return [newest - span.step * back for back in reversed(range(span.steps))]


def _names(flag: Flag, aspect: str, found: Iterable[Counter[str]]) -> tuple[str, ...]:
    there = set().union(*found)
    known = [one["key"] for one in flag.variants] if aspect == "variant" else []
    return (*known, *sorted(there - set(known)))
