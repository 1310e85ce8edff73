from calendar import Calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from portal.access.models import Project
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.selectors import freeze_address
from portal.approvals.freezes.windows import YEARS, Occurrence, occurrences, zones

# What one window shows of itself in a month; one that is in force each hour has more.
_MOST = 100
_FULL = 4
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Entry:
    freeze: FreezeWindow
    starts: datetime
    ends: datetime

    def hours_on(self, day: date) -> str:
        starts = f"{self.starts:%H:%M}" if self.starts.date() == day else ""
        ends = f"{self.ends:%H:%M}" if self.ends.date() == day else ""
        if starts and ends:
            return _("{start} to {end}").format(start=starts, end=ends)
        if starts and starts != "00:00":
            return _("from {start}").format(start=starts)
        return _("until {end}").format(end=ends) if ends else _("all day")

    @property
    def words(self) -> str:
        day = "D j M, H:i"
        starts, ends = (date_format(one, day, use_l10n=False) for one in (self.starts, self.ends))
        return _("{start} to {end}").format(start=starts, end=ends)


@dataclass(slots=True)
class Day:
    date: date
    in_month: bool
    is_today: bool
    entries: list[tuple[Entry, str]] = field(default_factory=list)

    @property
    def shown(self) -> list[tuple[Entry, str]]:
        return self.entries[:_FULL]

    @property
    def more(self) -> int:
        return max(0, len(self.entries) - _FULL)


@dataclass(frozen=True, slots=True)
class Month:
    first: date
    zone: str
    weeks: list[list[Day]]
    entries: list[Entry]

    @property
    def previous(self) -> str:
        return f"{self.first - DAY:%Y-%m}"

    @property
    def next(self) -> str:
        return f"{self.first + 31 * DAY:%Y-%m}"


def reader_zone(request: HttpRequest) -> str:
    """The zone that the reader's browser says it is in; UTC where it does not."""
    named = request.COOKIES.get("aviary_zone", "")
    return named if named in zones() else "UTC"


def month_of(freezes: Iterable[FreezeWindow], wanted: str, zone: str, now: datetime) -> Month:
    """The month ``wanted`` (such as 2026-11), or the present one."""
    place = ZoneInfo(zone)
    today = now.astimezone(place).date()
    first = _first(wanted) or today.replace(day=1)
    dates = list(Calendar().itermonthdates(first.year, first.month))
    days = {day: Day(day, day.month == first.month, day == today) for day in dates}
    between = tuple(datetime.combine(day, time(), place) for day in (dates[0], dates[-1] + DAY))
    entries = sorted(
        (
            _entry(freeze, one, place)
            for freeze in freezes
            for one in islice(occurrences(freeze.window, (between[0], between[1])), _MOST)
        ),
        key=lambda entry: (entry.starts, entry.freeze.name),
    )
    for entry in entries:
        _spread(entry, days)
    in_grid = [days[day] for day in dates]
    weeks = [in_grid[at : at + 7] for at in range(0, len(in_grid), 7)]
    touched = [one for one in entries if _touches(one, first)]
    return Month(first, zone, weeks, touched)


def _entry(freeze: FreezeWindow, one: Occurrence, zone: ZoneInfo) -> Entry:
    return Entry(freeze, one.starts.astimezone(zone), one.ends.astimezone(zone))


def _spread(entry: Entry, days: dict[date, Day]) -> None:
    day = max(entry.starts.date(), min(days))
    last = min((entry.ends - timedelta(microseconds=1)).date(), max(days))
    while day <= last:
        days[day].entries.append((entry, entry.hours_on(day)))
        day += DAY


def _touches(entry: Entry, first: date) -> bool:
    after = (first + 31 * DAY).replace(day=1)
    return entry.starts.date() < after and (entry.ends - timedelta(microseconds=1)).date() >= first


def _first(text: str) -> date | None:
    try:
        found = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month of a calendar
    except ValueError:
        return None
    return found if found.year in YEARS else None


BEFORE, AFTER = timedelta(days=31), timedelta(days=366)
_MOST_EXPORTED = 400
_ICAL_WIDTH = 75  # octets


def calendar_of(project: Project, freezes: Iterable[FreezeWindow], now: datetime) -> str:
    """What was in force in the last month and will be in the next year."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Aviary//Freezes//EN",
        f"NAME:{_escape(project.name)}",
        f"X-WR-CALNAME:{_escape(project.name)}",
    ]
    for freeze in freezes:
        found = occurrences(freeze.window, (now - BEFORE, now + AFTER))
        for one in islice(found, _MOST_EXPORTED):
            lines += _ical_event(project, freeze, one)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _fold(line))


def _ical_event(project: Project, freeze: FreezeWindow, one: Occurrence) -> list[str]:
    where = ", ".join(environment.name for environment in freeze.environments.all())
    return [
        "BEGIN:VEVENT",
        f"UID:{project.key}-{freeze.pk}-{one.local_starts:%Y%m%dT%H%M}@aviary",
        f"DTSTAMP:{_utc(freeze.updated_at)}",
        f"SEQUENCE:{freeze.version}",
        f"DTSTART:{_utc(one.starts)}",
        f"DTEND:{_utc(one.ends)}",
        f"SUMMARY:{_escape(f'{freeze.name}: {where}')}",
        f"DESCRIPTION:{_escape(freeze.reason)}",
        f"URL:{freeze_address(project, freeze)}",
        "END:VEVENT",
    ]


def _utc(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join("".join(c for c in line if c.isprintable()) for line in text.splitlines())


def _fold(line: str) -> Iterator[str]:
    """Lines of at most 75 octets, never within a character."""
    part = ""
    for character in line:
        if len((part + character).encode()) > _ICAL_WIDTH:
            yield part
            part = " "
        part += character
    yield part
