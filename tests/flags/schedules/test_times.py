"""When schedules happen: cases for any language, and what holds for every zone."""
# ruff: noqa: DTZ001 - the clock on the wall has no offset

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from flags.schedules.ramps import Timetable, following

CASES = json.loads((Path(__file__).parents[2] / "cases" / "schedules.json").read_text())
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_schedule__happens_when_its_case_says(case: dict[str, Any]) -> None:
    table = Timetable(datetime.fromisoformat(case["starts"]), case["zone"], case["rrule"])
    found = following(table, datetime.fromisoformat(case["after"]), 3)
    assert [f"{one.at:%Y-%m-%dT%H:%M:%SZ}" for one in found] == case["instants"]


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda moment: moment.replace(second=0, microsecond=0)
    ),
    st.sampled_from(ZONES),
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU,WE", "FREQ=DAILY;BYHOUR=0,1,2,3"]),
)
def test_every_schedule__goes_forward_and_keeps_the_time_on_the_wall(
    start: datetime, zone: str, rrule: str
) -> None:
    found = following(Timetable(start, zone, rrule), start.replace(tzinfo=UTC), 40)
    assert all(one.at < other.at for one, other in pairwise(found))
    for one in found:
        shown = one.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        # Where the clock was put forward, it is later than it should be, by no more than the jump.
        assert timedelta() <= shown - one.local <= timedelta(days=1)
