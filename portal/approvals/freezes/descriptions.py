from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext as _, gettext_noop, ngettext

from portal.access.models import Environment
from portal.approvals.freezes.models import FreezeWindow, InForce
from portal.approvals.freezes.recurrence import Rule, parse_rule
from portal.approvals.freezes.windows import Occurrence, Window

_EVERY = {
    "DAILY": (gettext_noop("every day"), gettext_noop("every {n} days")),
    "WEEKLY": (gettext_noop("every week"), gettext_noop("every {n} weeks")),
    "MONTHLY": (gettext_noop("every month"), gettext_noop("every {n} months")),
    "YEARLY": (gettext_noop("every year"), gettext_noop("every {n} years")),
}
_NTH = {
    1: gettext_noop("first {day}"),
    2: gettext_noop("second {day}"),
    3: gettext_noop("third {day}"),
    4: gettext_noop("fourth {day}"),
    5: gettext_noop("fifth {day}"),
    -1: gettext_noop("last {day}"),
}
_FIELDS = {
    "name": gettext_noop("Name"),
    "reason": gettext_noop("Reason"),
    "environments": gettext_noop("Environments"),
    "starts": gettext_noop("Starts"),
    "ends": gettext_noop("Ends"),
    "zone": gettext_noop("Time zone"),
    "rrule": gettext_noop("Repeats"),
}


def local_time(moment: datetime) -> str:
    """What a clock shows, such as “Fri 27 Nov 2026, 16:00”."""
    return date_format(moment, "D j M Y, H:i", use_l10n=False)


def occurrence_words(occurrence: Occurrence) -> str:
    return _("{start} to {end}").format(
        start=local_time(occurrence.local_starts), end=local_time(occurrence.local_ends)
    )


def window_words(window: Window) -> str:
    first = Occurrence(window.starts, window.ends, window.starts, window.ends)
    text = _("{times} ({zone})").format(times=occurrence_words(first), zone=window.zone)
    return f"{text}, {recurrence_words(window.rrule)}" if window.rrule else text


def recurrence_words(rrule: str) -> str:
    """How a window repeats: “every week on Friday”; the rule itself where words would not do."""
    if not rrule:
        return _("once")
    rule = parse_rule(rrule)
    if rule.positions or rule.minutes or rule.hours or not _are_plain(rule):
        return _("by the rule {rule}").format(rule=rrule)
    one, many = _EVERY[rule.frequency]
    text = _(one) if rule.interval == 1 else _(many).format(n=rule.interval)
    if rule.weekdays:
        text = _("{often} on {days}").format(
            often=text, days=_listed(_weekday(day, nth) for day, nth in rule.weekdays)
        )
    if rule.month_days:
        text = _("{often} on day {days}").format(
            often=text, days=_listed(map(str, rule.month_days))
        )
    if rule.months:
        names = _listed(str(MONTHS[month]) for month in rule.months)
        text = _("{often} in {months}").format(often=text, months=names)
    return text + _ending(rule)


def frozen_sentence(frozen: InForce) -> str:
    """“Production is frozen by “Weekend” until Mon 30 Nov 2026, 08:00 (Europe/Berlin).”"""
    if frozen.freeze.stops_line:
        return line_sentence(frozen.freeze, frozen.environments)
    text = ngettext(
        "{places} is frozen by “{name}” until {until} ({zone}).",
        "{places} are frozen by “{name}” until {until} ({zone}).",
        len(frozen.environments),
    )
    return text.format(
        places=_listed(environment.name for environment in frozen.environments),
        name=frozen.freeze.name,
        until=local_time(frozen.occurrence.local_ends),
        zone=frozen.freeze.zone,
    )


def line_sentence(freeze: FreezeWindow, environments: Iterable[Environment]) -> str:
    """“alice has stopped the line in Production: error rates rise. Somebody has to lift that.”"""
    text = _("{person} has stopped the line in {places}: {reason} Somebody has to lift that.")
    reason = freeze.reason if freeze.reason[-1:] in (".", "!", "?") else f"{freeze.reason}."
    places = _listed(environment.name for environment in environments)
    return text.format(person=freeze.created_by, places=places, reason=reason)


def freeze_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [
        _("{field}: {after} instead of {before}.").format(
            field=_(label), before=_plain(name, before[name]), after=_plain(name, after[name])
        )
        for name, label in _FIELDS.items()
        if before[name] != after[name]
    ]


def _plain(name: str, value: Any) -> str:
    if name == "rrule":
        return recurrence_words(value)
    if name in ("starts", "ends"):
        return local_time(datetime.fromisoformat(value))
    return _listed(value) if isinstance(value, list) else value or _("nothing")


def _are_plain(rule: Rule) -> bool:
    return all(nth in (0, *_NTH) for _day, nth in rule.weekdays) and not (
        (rule.weekdays and rule.month_days) or min(rule.month_days, default=1) < 0
    )


def _weekday(day: int, nth: int) -> str:
    name = str(WEEKDAYS[day])
    return _(_NTH[nth]).format(day=name) if nth else name


def _ending(rule: Rule) -> str:
    if rule.count is not None:
        return ngettext(", {n} time", ", {n} times", rule.count).format(n=rule.count)
    if rule.until is not None:
        day = date_format(rule.until, "j M Y", use_l10n=False)
        return _(", until {day}").format(day=day)
    return ""


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return _("{first} and {last}").format(first=", ".join(first), last=last) if first else last
