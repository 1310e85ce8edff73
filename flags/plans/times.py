"""When a schedule happens: instants out of what the clock of a named zone shows. Pure.

The time on the wall stays across daylight saving. Where the clock is put back, a time comes twice:
the first of them counts, and the second does not happen again. Where it is put forward, a time
never comes: then it happens at the moment of the jump, once for all times that fall into it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from portal.approvals.freezing import moment_of
from portal.approvals.recurring import HORIZON, starts_between
from portal.approvals.rule_text import parse_rule

# By how much a local time can differ from UTC, and a change of the clock move it.
_SLACK = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Timetable:
    """``starts`` is naive: what the clock shows in ``zone``. ``rrule`` repeats it (see rule_text).

    A rule says when it begins; where it does not fit ``starts``, that is no occurrence. COUNT
    counts from the start on, whatever was missed, and UNTIL is included.
    """

    starts: datetime
    zone: str
    rrule: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """``at`` in UTC, and what the clock of the zone should show then."""

    at: datetime
    local: datetime


def timetable_of(document: Mapping[str, Any]) -> Timetable:
    """The timetable of a checked document."""
    starts = datetime.fromisoformat(document["starts"])
    return Timetable(starts, document["zone"], document.get("rrule", ""))


def following(timetable: Timetable, after: datetime, number: int = 1) -> list[Instant]:
    """The next instants later than a moment; fewer where there are no more."""
    return list(islice(_instants(timetable, after), number))


def _instants(timetable: Timetable, after: datetime) -> Iterator[Instant]:
    zone, last = ZoneInfo(timetable.zone), after
    for local in _local(timetable, after.astimezone(UTC).replace(tzinfo=None) - _SLACK):
        at = moment_of(local, zone, fold=0)
        if at > last:
            last = at
            yield Instant(at, local)


def _local(timetable: Timetable, lo: datetime) -> Iterator[datetime]:
    starts = timetable.starts
    if not timetable.rrule:
        return iter([starts])
    rule = parse_rule(timetable.rrule).settled(starts, timetable.zone)
    return starts_between(rule, starts, lo, starts + HORIZON)
