"""When a recurrence rule (RRULE, RFC 5545) occurs, with work that nobody can make endless. Pure.

dateutil looks for the next occurrence until the year 9999, so that a rule which never occurs (on
30 February) keeps it busy for seconds. Here every question is about a range of days, and each day
is looked at once; the tests compare the answers with dateutil's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

# No rule goes on for longer than this after its start.
HORIZON = timedelta(days=100 * 366)
DAY = timedelta(days=1)
Numbers = tuple[int, ...]
Period = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule. ``weekdays`` are pairs of a weekday (0 is Monday) and which of them in
    the month or year: 0 for each, 1 for the first, -1 for the last. ``until`` is local time, or
    UTC where it says so; it is included."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    months: Numbers = ()
    month_days: Numbers = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    hours: Numbers = ()
    minutes: Numbers = ()
    positions: Numbers = ()
    week_start: int = 0

    def settled(self, start: datetime, zone: str) -> "Rule":
        """The rule with what it leaves to its start said: which days, which time."""
        until = self.until
        if until is not None and until.tzinfo is not None:
            until = until.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        named = bool(self.month_days or self.weekdays)
        dated = self.frequency in ("MONTHLY", "YEARLY") and not named
        yearly = self.frequency == "YEARLY" and not named
        return replace(
            self,
            until=until,
            months=self.months or ((start.month,) if yearly else ()),
            month_days=self.month_days or ((start.day,) if dated else ()),
            weekdays=self.weekdays
            or (((start.weekday(), 0),) if self.frequency == "WEEKLY" and not named else ()),
            hours=self.hours or (start.hour,),
            minutes=self.minutes or (start.minute,),
        )


def starts_between(rule: Rule, start: datetime, lo: datetime, hi: datetime) -> Iterator[datetime]:
    """The local starts from ``lo`` to ``hi``, both included, in order; the rule is settled."""
    hi = min(hi, start + HORIZON, rule.until or hi)
    lo = max(lo, start)
    if rule.count is not None:
        everything = _counted(rule, start)
        yield from (one for one in everything if lo <= one <= hi)
        return
    yield from _starts(rule, start, lo, hi)


@lru_cache(maxsize=256)
def _counted(rule: Rule, start: datetime) -> tuple[datetime, ...]:
    """All that a rule with COUNT has: they count from the start on."""
    found = _starts(rule, start, start, start + HORIZON)
    return tuple(one for _number, one in zip(range(rule.count or 0), found, strict=False))


def _starts(rule: Rule, start: datetime, lo: datetime, hi: datetime) -> Iterator[datetime]:
    times = [time(hour, minute) for hour, minute in product(rule.hours, rule.minutes)]
    times.sort()
    for period in _PERIODS[rule.frequency](rule, start.date(), lo.date(), hi.date()):
        found = [datetime.combine(day, at) for day in _days(rule, period) for at in times]
        if rule.positions:
            found = _positioned(found, rule.positions)
        for one in found:
            if one > hi:
                return
            if one >= lo:
                yield one


def _positioned(found: list[datetime], positions: Numbers) -> list[datetime]:
    """The first of a period is 1, the last is -1."""
    size = len(found)
    indexes = {at - 1 if at > 0 else size + at for at in positions}
    return [found[index] for index in sorted(indexes) if 0 <= index < size]


def _days(rule: Rule, period: Period) -> Iterator[date]:
    day, last = period
    while day <= last:
        if _fits(rule, day):
            yield day
        day += DAY


def _fits(rule: Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days:
        from_the_end = day.day - _month_length(day) - 1
        if day.day not in rule.month_days and from_the_end not in rule.month_days:
            return False
    return not rule.weekdays or any(
        day.weekday() == weekday and _is_nth(rule, day, nth) for weekday, nth in rule.weekdays
    )


def _is_nth(rule: Rule, day: date, nth: int) -> bool:
    """Whether a day is the nth of its weekday in the month; in the year for a rule by years."""
    if nth == 0:
        return True
    if rule.frequency == "YEARLY" and not rule.months:
        number, length = day.timetuple().tm_yday, _year_length(day.year)
    else:
        number, length = day.day, _month_length(day)
    return nth == (number - 1) // 7 + 1 if nth > 0 else nth == -((length - number) // 7 + 1)


def _month_length(day: date) -> int:
    return (_month(day.year * 12 + day.month) - _month(day.year * 12 + day.month - 1)).days


def _year_length(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days


def _month(index: int) -> date:
    """The first day of the month ``index``: years times twelve and months from 0."""
    return date(index // 12, index % 12 + 1, 1)


def _by_days(rule: Rule, start: date, lo: date, hi: date) -> Iterator[Period]:
    first = _first((lo - start).days, rule.interval)
    for number in range(first, (hi - start).days + 1, rule.interval):
        yield start + number * DAY, start + number * DAY


def _by_weeks(rule: Rule, start: date, lo: date, hi: date) -> Iterator[Period]:
    monday = start - (start.weekday() - rule.week_start) % 7 * DAY
    first = _first((lo - monday).days // 7, rule.interval)
    for number in range(first, (hi - monday).days // 7 + 1, rule.interval):
        yield monday + number * 7 * DAY, monday + (number * 7 + 6) * DAY


def _by_months(rule: Rule, start: date, lo: date, hi: date) -> Iterator[Period]:
    zero, low, high = (day.year * 12 + day.month - 1 for day in (start, lo, hi))
    for number in range(_first(low - zero, rule.interval), high - zero + 1, rule.interval):
        yield _month(zero + number), _month(zero + number + 1) - DAY


def _by_years(rule: Rule, start: date, lo: date, hi: date) -> Iterator[Period]:
    first = _first(lo.year - start.year, rule.interval)
    for number in range(first, hi.year - start.year + 1, rule.interval):
        yield date(start.year + number, 1, 1), date(start.year + number, 12, 31)


def _first(number: int, interval: int) -> int:
    """The first multiple of the interval that is not below ``number``, nor below 0."""
    return max(0, -(-number // interval) * interval)


_PERIODS: dict[str, Callable[[Rule, date, date, date], Iterator[Period]]] = {
    "DAILY": _by_days,
    "WEEKLY": _by_weeks,
    "MONTHLY": _by_months,
    "YEARLY": _by_years,
}


LONGEST_TEXT = 500
MOST_INTERVAL = 1000
MOST_COUNT = 1000
MOST_TIMES = 24  # in a day
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class BadRule(ValueError):
    """What is wrong with a rule, in one sentence for people."""


@lru_cache(maxsize=1024)
def parse_rule(text: str) -> Rule:
    """A rule from its text, such as ``FREQ=WEEKLY;BYDAY=FR``. Raises BadRule."""
    if len(text) > LONGEST_TEXT:
        raise BadRule(_("A rule has at most {most} characters.").format(most=LONGEST_TEXT))
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise BadRule(_("Write a rule like FREQ=WEEKLY;BYDAY=FR: NAME=VALUE pairs."))
        if name in parts:
            raise BadRule(_("{name} stands there twice.").format(name=name))
        parts[name] = value
    unknown = sorted(parts.keys() - _PARTS.keys())
    if unknown:
        known = ", ".join(_PARTS)
        text = _("{name} cannot be used here; there are {known}.")
        raise BadRule(text.format(name=unknown[0][:40], known=known))
    if "FREQ" not in parts:
        raise BadRule(_("Say how often: FREQ=DAILY, WEEKLY, MONTHLY or YEARLY."))
    rule = Rule(**{_PARTS[name][0]: _PARTS[name][1](value) for name, value in parts.items()})  # type: ignore[arg-type]
    _check_together(rule)
    return rule


def _frequency(text: str) -> str:
    if text not in FREQUENCIES:
        raise BadRule(_("FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; for hours, use BYHOUR."))
    return text


def _number(name: str, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= most:
            raise BadRule(_("{name} is a number from 1 to {most}.").format(name=name, most=most))
        return int(text)

    return parse


def _numbers(name: str, least: int, most: int, *, signed: bool = False) -> Callable[[str], Numbers]:
    def parse(text: str) -> Numbers:
        found = set()
        for one in text.split(","):
            number = int(one) if re.fullmatch(r"[+-]?[0-9]{1,3}", one) else None
            size = abs(number) if number is not None and signed else number
            if number is None or size is None or not least <= size <= most:
                span = _("{name} lists numbers from {least} to {most}.")
                raise BadRule(span.format(name=name, least=least, most=most))
            found.add(number)
        return tuple(sorted(found))

    return parse


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for one in text.split(","):
        match = re.fullmatch(r"([+-]?[0-9]{1,2})?([A-Z]{2})", one)
        if match is None or match[2] not in WEEKDAYS or not -53 <= int(match[1] or 1) <= 53:
            raise BadRule(_("BYDAY lists weekdays such as MO, 1MO (first) or -1FR (last)."))
        if match[1] and int(match[1]) == 0:
            raise BadRule(_("BYDAY counts from 1, or from -1 at the end."))
        found.add((WEEKDAYS.index(match[2]), int(match[1] or 0)))
    return tuple(sorted(found))


def _week_start(text: str) -> int:
    if text not in WEEKDAYS:
        raise BadRule(_("WKST is the weekday on which weeks begin, such as MO."))
    return WEEKDAYS.index(text)


def _until(text: str) -> datetime:
    for shape, rest in (("%Y%m%dT%H%M%SZ", UTC), ("%Y%m%dT%H%M%S", None)):
        try:
            return datetime.strptime(text, shape).replace(tzinfo=rest)
        except ValueError:
            continue
    try:
        return datetime.strptime(text, "%Y%m%d").replace(hour=23, minute=59, second=59)  # noqa: DTZ007 - local
    except ValueError:
        raise BadRule(_("UNTIL is a date like 20271231, or 20271231T180000.")) from None


_PARTS: dict[str, tuple[str, Callable[[str], object]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _number("INTERVAL", MOST_INTERVAL)),
    "COUNT": ("count", _number("COUNT", MOST_COUNT)),
    "UNTIL": ("until", _until),
    "BYMONTH": ("months", _numbers("BYMONTH", 1, 12)),
    "BYMONTHDAY": ("month_days", _numbers("BYMONTHDAY", 1, 31, signed=True)),
    "BYDAY": ("weekdays", _weekdays),
    "BYHOUR": ("hours", _numbers("BYHOUR", 0, 23)),
    "BYMINUTE": ("minutes", _numbers("BYMINUTE", 0, 59)),
    "BYSETPOS": ("positions", _numbers("BYSETPOS", 1, 366, signed=True)),
    "WKST": ("week_start", _week_start),
}


def _check_together(rule: Rule) -> None:
    if rule.count is not None and rule.until is not None:
        raise BadRule(_("Say COUNT or UNTIL, not both."))
    if rule.frequency in ("DAILY", "WEEKLY") and any(nth for _day, nth in rule.weekdays):
        raise BadRule(_("Only rules by months and years can say which weekday, such as 1MO."))
    if rule.frequency == "WEEKLY" and rule.month_days:
        raise BadRule(_("A rule by weeks has no BYMONTHDAY; use FREQ=MONTHLY."))
    if len(rule.hours or (0,)) * len(rule.minutes or (0,)) > MOST_TIMES:
        raise BadRule(_("A rule has at most {n} times a day.").format(n=MOST_TIMES))
    if rule.positions and not (rule.weekdays or rule.month_days or rule.months or rule.hours):
        raise BadRule(_("BYSETPOS chooses among the days of another part, such as BYDAY."))
