"""Freezes as an iCalendar file (RFC 5545).

Every occurrence is written out, in UTC: each calendar program then shows what is in force here,
whatever it makes of zones, of rules and of daylight saving.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from portal.access.models import Project
from portal.approvals.errors import freeze_address
from portal.approvals.freezing import Occurrence, occurrences
from portal.approvals.models import FreezeWindow

BEFORE, AFTER = timedelta(days=31), timedelta(days=366)
_MOST = 400
_WIDTH = 75  # octets


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
        for one in islice(found, _MOST):
            lines += _event(project, freeze, one)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _fold(line))


def _event(project: Project, freeze: FreezeWindow, one: Occurrence) -> list[str]:
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
        if len((part + character).encode()) > _WIDTH:
            yield part
            part = " "
        part += character
    yield part
