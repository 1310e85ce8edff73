"""Reading recurrence rules (RRULE, RFC 5545) and refusing what is wrong with them. Pure.

Supported are FREQ of DAILY, WEEKLY, MONTHLY and YEARLY with INTERVAL, COUNT or UNTIL, BYMONTH,
BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS and WKST.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from django.utils.translation import gettext as _

from portal.approvals.recurring import Numbers, Rule

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
