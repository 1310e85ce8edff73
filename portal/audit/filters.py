"""What a history is narrowed to: one set of filters for the page, the count, exports and the API.

Read from a query string by ``parse``. Every value that narrows is exact text, except ``text``,
whose words must all stand in a row (see ``portal.audit.search``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _, gettext_lazy

NAMES: Final = ("environment", "subject", "actor", "event", "requested_by", "approved_by")
PERIODS: Final = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
PERIOD_WORDS: Final = {
    "24h": gettext_lazy("last 24 hours"),
    "7d": gettext_lazy("last 7 days"),
    "30d": gettext_lazy("last 30 days"),
}
MAX_CHARS: Final = 200
MAX_WORDS: Final = 12
NO_PROJECT: Final = "-"  # no project's key starts with a hyphen
_PROJECT: Final = {"": None, NO_PROJECT: ""}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# As the indexes split them: a letter keeps its accents. Of the vowels of New Tai Lue SQLite, which
# knows an older Unicode, makes no words.
_WORD = re.compile(r"[^\W_\u19b0-\u19c9](?:[^\W_\u19b0-\u19c9]|[\u0300-\u0331])*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def words_in(text: str) -> list[str]:
    """The words of a text, split as the indexes split theirs, which alone know how to fold case."""
    return _WORD.findall(text)


@dataclass(frozen=True, slots=True)
class Filters:
    """What rows must match; empty values do not narrow.

    ``project`` None is every project, and the empty text what belongs to none, such as signing in.

    ``subject`` and ``kind`` choose what happened to it, and to what is part of it, such as the
    change requests about a flag. ``requested_by`` is one of those who asked for it or
    edited what was asked for, ``approved_by`` one of those who approved.

    ``since`` is the first moment that counts and ``until`` the first that does no longer. Of
    ``environments``, where they are given, nobody sees more; the empty text is the project's own.
    """

    project: str | None = None
    environment: str = ""
    subject: str = ""
    kind: str = ""
    actor: str = ""
    event: str = ""
    requested_by: str = ""
    approved_by: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    request_id: str = ""
    environments: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return words_in(self.text)

    @property
    def document(self) -> dict[str, object]:
        """What narrows, for the record of an export; times in ISO 8601 UTC."""
        values: dict[str, object] = {
            name: getattr(self, name)
            for name in ("project", *NAMES, "kind", "text", "request_id")
            if getattr(self, name)
        }
        if self.project == "":
            values["project"] = NO_PROJECT
        for name in ("since", "until"):
            if moment := getattr(self, name):
                values[name] = moment.astimezone(UTC).isoformat()
        return values


@dataclass(frozen=True, slots=True)
class Query:
    filters: Filters
    given: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict)


# What a query may carry; anything else is not looked at.
PARAMETERS: Final = (*NAMES, "kind", "period", "from", "to", "zone", "text", "request")


def parse(query: Mapping[str, str], *, project: str | None, now: datetime) -> Query:
    """Read a query. ``project`` None lets the query name one (parameter ``project``).

    Raises nothing: ``problems`` has one sentence for each parameter that cannot be used.
    """
    names = PARAMETERS if project is not None else ("project", *PARAMETERS)
    given = {name: str(query.get(name, "")).strip() for name in names}
    problems = {name: text for name in names if (text := _problem(name, given[name]))}
    shown = {name: value for name, value in given.items() if value and _can_be_shown(value)}
    given = {name: "" if name in problems else value for name, value in given.items()}
    filters = Filters(
        project=project
        if project is not None
        else _PROJECT.get(given["project"], given["project"]),
        text=given["text"],
        kind=given["kind"],
        request_id=given["request"],
        environment=given["environment"],
        subject=given["subject"],
        actor=given["actor"],
        event=given["event"],
        requested_by=given["requested_by"],
        approved_by=given["approved_by"],
    )
    try:
        since, until = _period(given, now)
        filters = replace(filters, since=since, until=until)
    except _Unusable as error:
        problems[error.name] = str(error)
    return Query(filters, shown, problems)


class _Unusable(ValueError):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def _can_be_shown(value: str) -> bool:
    return len(value) <= MAX_CHARS and not _UNSTORABLE.search(value)


def _problem(name: str, value: str) -> str:
    if _UNSTORABLE.search(value):
        return _("Remove the NUL characters.")
    if len(value) > MAX_CHARS:
        return _("Use at most {most} characters.").format(most=MAX_CHARS)
    if name == "text" and value:
        words = _WORD.findall(value)
        if not words:
            return _("Search for a word: letters or digits.")
        if len(words) > MAX_WORDS:
            return _("Search for at most {most} words.").format(most=MAX_WORDS)
    if name == "period" and value and value not in PERIODS:
        return _("Choose one of: {names}.").format(names=", ".join(PERIODS))
    return ""


def _period(given: Mapping[str, str], now: datetime) -> tuple[datetime | None, datetime | None]:
    """A preset, or the two ends as dates or times in the zone that the reader chose."""
    if given["period"]:
        return now - PERIODS[given["period"]], None
    zone = _zone(given["zone"])
    since, until = (_moment(name, given[name], zone) for name in ("from", "to"))
    if since and until and since >= until:
        raise _Unusable("to", _("Choose an end after the start."))
    return since, until


def _zone(name: str) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise _Unusable("zone", _("Choose a time zone such as Europe/Berlin.")) from None


def _moment(name: str, value: str, zone: tzinfo) -> datetime | None:
    """A whole day is meant to its end."""
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if _DATE.fullmatch(value) and name == "to":
            moment = datetime.combine(moment.date() + timedelta(days=1), time.min)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        text = _("Write a date like 2026-03-01, or with a time like 2026-03-01T14:30.")
        raise _Unusable(name, text) from None
