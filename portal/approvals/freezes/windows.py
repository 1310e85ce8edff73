"""Freeze windows: from when to when nothing may change, on the clock of a named zone. Pure.

A window is told by the clock on the wall: daylight saving moves the clock, not the window. Where
the clock is put back, its times come twice: a start is the first of them and an end the last.
Where it is put forward, some times never come: such a start or end is the moment of the jump. So a
window holds from the first moment at which the clock has reached its start to the last at which it
has not passed its end. What begins and ends within one jump does not happen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from portal.approvals.freezes.recurrence import HORIZON, parse_rule, starts_between

LONGEST = timedelta(days=366)
YEARS = range(2000, 2200)
# By how much a local time can differ from UTC, and a change of the clock move it.
_SLACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Window:
    """``starts`` and ``ends`` are naive: what the clock shows in ``zone``, an IANA name.

    ``rrule`` repeats it (see rule_text), empty for once. A rule says when it begins; where it does
    not fit ``starts``, that is no occurrence.
    """

    name: str
    starts: datetime
    ends: datetime
    zone: str
    rrule: str = ""

    @property
    def lasts(self) -> timedelta:
        """How long it is on the clock; daylight saving makes it an hour more or less."""
        return self.ends - self.starts


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One time that a window is in force: from ``starts``, until just before ``ends``, in UTC.

    ``local_starts`` and ``local_ends`` are what the clock of its zone should show then.
    """

    starts: datetime
    ends: datetime
    local_starts: datetime
    local_ends: datetime


def in_force(window: Window, at: datetime) -> Occurrence | None:
    """The occurrence that a moment lies in; where several do, the one that ends last."""
    holding = [one for one in occurrences(window, (at, at)) if one.starts <= at < one.ends]
    return max(holding, key=lambda one: one.ends, default=None)


def occurrences(window: Window, between: tuple[datetime, datetime]) -> Iterator[Occurrence]:
    """The occurrences that touch a time from one moment to another, in the order of their starts.

    The work grows with the days between the two and the length of the window, nothing else.
    """
    lo, hi = (moment.astimezone(UTC).replace(tzinfo=None) for moment in between)
    zone = ZoneInfo(window.zone)
    hi = min(hi, window.starts + HORIZON) + _SLACK
    lo = max(lo, window.starts) - window.lasts - _SLACK
    for start in _local_starts(window, lo, hi):
        found = _occurrence(start, start + window.lasts, zone)
        if found.starts < found.ends and found.ends > between[0] and found.starts <= between[1]:
            yield found


def coming(window: Window, after: datetime, number: int) -> list[Occurrence]:
    """The next occurrences that are not over at a moment; fewer where there are no more."""
    last = (window.starts + HORIZON).replace(tzinfo=UTC)
    return list(islice(occurrences(window, (after, max(after, last))), number))


def clock_change(zone: str, after: datetime) -> datetime | None:
    """The next moment within 400 days at which a zone's clocks are changed."""
    place = ZoneInfo(zone)
    for day in range(400):
        lo, hi = after + timedelta(days=day), after + timedelta(days=day + 1)
        if lo.astimezone(place).utcoffset() != hi.astimezone(place).utcoffset():
            return _jump(lo, hi, place)
    return None


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _local_starts(window: Window, lo: datetime, hi: datetime) -> Iterator[datetime]:
    if not window.rrule:
        return iter([window.starts] if lo <= window.starts <= hi else [])
    rule = parse_rule(window.rrule).settled(window.starts, window.zone)
    return starts_between(rule, window.starts, lo, hi)


def _occurrence(start: datetime, end: datetime, zone: ZoneInfo) -> Occurrence:
    return Occurrence(moment_of(start, zone, fold=0), moment_of(end, zone, fold=1), start, end)


def moment_of(local: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    """When a zone's clock shows a local time: the first time (fold 0) or the last (fold 1)."""
    found = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == local:
        return found
    before, after = (local.replace(tzinfo=zone, fold=one).astimezone(UTC) for one in (1, 0))
    return _jump(before, after, zone)


def _jump(lo: datetime, hi: datetime, zone: ZoneInfo) -> datetime:
    """The moment after ``lo`` and until ``hi`` at which the clock is changed, to the second."""
    offset = lo.astimezone(zone).utcoffset()
    known, span = lo.replace(microsecond=0), int((hi - lo).total_seconds()) + 1
    while span > 1:
        half = span // 2
        middle = known + timedelta(seconds=half)
        if middle.astimezone(zone).utcoffset() == offset:
            known, span = middle, span - half
        else:
            span = half
    return known + timedelta(seconds=span)
