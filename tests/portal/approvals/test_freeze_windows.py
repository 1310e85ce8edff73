"""When freeze windows are in force: cases for any language, and what holds for every window."""
# ruff: noqa: DTZ001 - the clock on the wall has no offset

import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, strategies as st

from portal.approvals.freezes.recurrence import HORIZON, BadRule, parse_rule, starts_between
from portal.approvals.freezes.windows import Window, clock_change, coming, in_force, occurrences

CASES = json.loads((Path(__file__).parents[2] / "cases" / "freezes.json").read_text())
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
HOUR = timedelta(hours=1)

zones = st.sampled_from(ZONES)
minutes = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
moments = st.datetimes(
    datetime(2019, 1, 1), datetime(2033, 1, 1), timezones=st.just(ZoneInfo("UTC"))
)
lengths = st.integers(1, 60 * 24 * 20).map(lambda number: timedelta(minutes=number))


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that dateutil finds something for within reasonable time."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    nth = st.sampled_from(["", "1", "2", "-1"] if frequency in ("MONTHLY", "YEARLY") else [""])
    if draw(st.booleans()):
        number = draw(nth)  # dateutil has its own idea of MO and 1MO in one rule
        days = st.sampled_from(DAYS).map(lambda day: number + day)
        parts.append("BYDAY=" + ",".join(draw(st.lists(days, min_size=1, max_size=4))))
    elif frequency != "WEEKLY" and draw(st.booleans()):
        numbers = st.integers(1, 28) | st.integers(-28, -1)
        found = draw(st.lists(numbers.map(str), min_size=1, max_size=4))
        parts.append("BYMONTHDAY=" + ",".join(found))
    if draw(st.booleans()):
        found = draw(st.lists(st.integers(1, 12).map(str), min_size=1, max_size=6))
        parts.append("BYMONTH=" + ",".join(found))
    if draw(st.booleans()):
        parts.append("BYHOUR=" + ",".join(map(str, draw(st.sets(st.integers(0, 23), min_size=1)))))
    ending = draw(st.sampled_from(["", "COUNT=7", "UNTIL=20270615T120000"]))
    return ";".join([*parts, *([ending] if ending else [])])


windows = st.builds(
    lambda start, lasts, zone, rule: Window("w", start, start + lasts, zone, rule),
    minutes,
    lengths,
    zones,
    rules() | st.just(""),
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    given = case["window"]
    starts, ends = moment(given["starts"]), moment(given["ends"])
    window = Window("w", starts, ends, given["zone"], given["rrule"])
    found = in_force(window, moment(case["at"]))
    wanted = case["in_force"]
    assert (found and (found.starts, found.ends)) == (
        wanted and (moment(wanted["starts"]), moment(wanted["ends"]))
    )


@given(minutes, rules(), st.integers(0, 2500), st.integers(0, 500))
def test_every_rule__occurs_when_dateutil_says(
    start: datetime, text: str, after: int, days: int
) -> None:
    lo = start + timedelta(days=after)
    hi = lo + timedelta(days=days)
    found = list(starts_between(parse_rule(text).settled(start, "UTC"), start, lo, hi))
    assert found == rrulestr(text, dtstart=start).between(lo, hi, inc=True)


@given(minutes, st.sampled_from([1, 2, -1]), st.lists(st.sampled_from(DAYS), min_size=2))
def test_every_position__is_the_one_dateutil_counts(
    start: datetime, position: int, days: list[str]
) -> None:
    text = f"FREQ=MONTHLY;BYDAY={','.join(days)};BYSETPOS={position}"
    found = starts_between(
        parse_rule(text).settled(start, "UTC"), start, start, start + timedelta(days=2000)
    )
    assert list(islice(found, 20)) == rrulestr(text, dtstart=start)[:20]


@given(windows, moments)
def test_in_force__agrees_with_the_occurrences(window: Window, at: datetime) -> None:
    around = occurrences(window, (at - timedelta(days=40), at + timedelta(days=40)))
    holding = [one for one in around if one.starts <= at < one.ends]
    found = in_force(window, at)
    assert (found is not None) == bool(holding)
    assert found is None or (found in holding and found.ends == max(o.ends for o in holding))


@given(windows, moments)
def test_every_occurrence__is_in_force_from_its_first_moment_until_its_end(
    window: Window, at: datetime
) -> None:
    for one in islice(occurrences(window, (at, at + timedelta(days=400))), 5):
        for inside in (one.starts, one.ends - timedelta(seconds=1)):
            found = in_force(window, inside)
            assert found
            assert found.ends >= one.ends
        after = in_force(window, one.ends)
        assert after is None or after.ends > one.ends


@given(windows, moments)
def test_every_occurrence__shows_its_times_on_the_clock_there(window: Window, at: datetime) -> None:
    """But where the clock jumps over them: then it shows the first time after."""
    zone = ZoneInfo(window.zone)
    for one in islice(occurrences(window, (at, at + timedelta(days=400))), 5):
        for local, found in ((one.local_starts, one.starts), (one.local_ends, one.ends)):
            shown = found.astimezone(zone).replace(tzinfo=None, fold=0)
            just_before = (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
            assert shown == local or just_before < local < shown
        assert one.local_ends - one.local_starts == window.lasts


@given(windows, moments, st.integers(1, 300))
def test_occurrences__are_the_same_however_the_time_is_cut(
    window: Window, at: datetime, days: int
) -> None:
    middle, end = at + timedelta(days=days), at + timedelta(days=2 * days)
    whole = list(occurrences(window, (at, end)))
    parts = {*occurrences(window, (at, middle)), *occurrences(window, (middle, end))}
    assert whole == sorted(whole)
    assert set(whole) == parts


@given(zones, moments)
def test_clock_change__is_the_second_at_which_the_offset_changes(zone: str, at: datetime) -> None:
    found, place = clock_change(zone, at), ZoneInfo(zone)
    assume(found)
    assert found
    before = found - timedelta(seconds=1)
    assert before.astimezone(place).utcoffset() != found.astimezone(place).utcoffset()
    assert found.microsecond == 0
    assert at < found <= at + timedelta(days=401)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FREQ=SECONDLY", "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=HOURLY", "use BYHOUR"),
        ("INTERVAL=2", "Say how often"),
        ("FREQ=DAILY;INTERVAL=0", "from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=999999999999", "from 1 to 1000"),
        ("FREQ=DAILY;COUNT=100000", "from 1 to 1000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "not both"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL is a date"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL is a date"),
        ("FREQ=DAILY;FREQ=WEEKLY", "stands there twice"),
        ("FREQ=DAILY;BYEASTER=1", "cannot be used here"),
        ("FREQ=DAILY;BYSECOND=1", "cannot be used here"),
        ("FREQ=WEEKLY;BYDAY=1FR", "by months and years"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "use FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYDAY=XX", "BYDAY lists weekdays"),
        ("FREQ=MONTHLY;BYDAY=0MO", "counts from 1"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "from 1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "from 1 to 31"),
        ("FREQ=DAILY;BYHOUR=24", "from 0 to 23"),
        ("FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,5,10,15,20,25,30,35,40", "at most 24 times a day"),
        ("FREQ=DAILY;BYSETPOS=1", "chooses among the days"),
        ("every Friday", "NAME=VALUE"),
        ("", "NAME=VALUE"),
        ("FREQ=DAILY\nDTSTART=20260101", "FREQ is DAILY"),
        ("FREQ=DAILY;BYMONTH=" + "1," * 300, "at most 500 characters"),
        ("FREQ=DAILY;BYMONTH=\uff11", "from 1 to 12"),
    ],
)
def test_a_rule_that_cannot_be_used__says_why(text: str, says: str) -> None:
    with pytest.raises(BadRule, match=says):
        parse_rule(text)


@given(st.text(max_size=60) | st.text(alphabet="FREQ=DAILYWK;BYINTV1-,0", max_size=60))
def test_any_text__is_a_rule_or_refused(text: str) -> None:
    with suppress(BadRule):
        assert parse_rule(text).interval


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;INTERVAL=1000",
        "FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=1000",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=366",
        "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";COUNT=1000",
    ],
)
def test_a_hostile_rule__is_answered_at_once(rule: str) -> None:
    """A hundred years in less time than a person notices; here, what a slow machine takes."""
    start = datetime(2026, 1, 1)
    window = Window("w", start, start + timedelta(days=366), "Europe/Berlin", rule)
    began = time.process_time()
    coming(window, start.replace(tzinfo=UTC) + HORIZON - HOUR, 5)
    in_force(window, datetime(2100, 1, 1, tzinfo=UTC))
    assert time.process_time() - began < 1.5
