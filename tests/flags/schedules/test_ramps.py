"""What ramps do to configurations, and what is said of documents that are none."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import compile_flag
from flags.schedules.ramps import share_of, steps_of, with_share
from flags.schedules.reading import read_ramp, read_schedule
from flags.schedules.web.forms import new_form
from portal.lib.errors import Invalid

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AUDIENCE = {"part": "audience", "rule": "r-1"}
SPLIT = {"part": "split", "rule": ""}
LINEAR = {"from": 0, "to": 100, "duration_s": 3600, "interval_s": 60}
CONFIGURATION: dict[str, Any] = {
    "enabled": True,
    "off_variant": "off",
    "targets": [],
    "rules": [
        {
            "id": "r-1",
            "when": {"all": []},
            "audience": {"percent": 1.5},
            "serve": {"variant": "on"},
        }
    ],
    "fallthrough": {
        "split": [
            {"variant": "on", "weight": 0},
            {"variant": "off", "weight": 70_000},
            {"variant": "third", "weight": 30_000},
        ]
    },
    "salt": "s",
}


def flag_document(configuration: dict[str, Any]) -> dict[str, Any]:
    variants = [{"key": key, "value": key} for key in ("on", "off", "third")]
    return {
        "key": "f",
        "value_type": "string",
        "client_visible": False,
        "variants": variants,
        "version": 1,
        **configuration,
    }


@given(st.lists(st.integers(0, 70_000), min_size=2, max_size=6, unique=True).map(sorted))
def test_a_ramp_of_a_split__only_ever_adds_users_and_leaves_the_other_shares(
    shares: list[int],
) -> None:
    served: list[dict[str, str]] = []
    for share in shares:
        configuration = with_share({**CONFIGURATION, "rules": []}, SPLIT, share)
        assert configuration is not None
        assert share_of(configuration, SPLIT) == share
        flag = compile_flag(flag_document(configuration))
        people = [f"u-{number}" for number in range(300)]
        served.append({who: str(flag.evaluate({"targetingKey": who}).variant) for who in people})
    for before, after in pairwise(served):
        moved = {(before[who], after[who]) for who in before if before[who] != after[who]}
        assert moved <= {("off", "on")}


def test_a_ramp_of_an_audience__moves_the_share_of_its_rule_alone() -> None:
    after = with_share(CONFIGURATION, AUDIENCE, 12_345)
    assert after is not None
    assert after["rules"][0]["audience"] == {"percent": 12.345}
    assert {**after, "rules": CONFIGURATION["rules"]} == CONFIGURATION
    assert with_share(CONFIGURATION, {"part": "audience", "rule": "r-2"}, 1) is None
    assert with_share(CONFIGURATION, SPLIT, 70_001) is None


def test_a_linear_ramp__rises_evenly_and_ends_exactly() -> None:
    ramp = read_ramp({"target": AUDIENCE, "linear": LINEAR}, moment=NOW)
    steps = steps_of(ramp)
    assert (steps[0].share, steps[0].after_s) == (0, 0)
    assert (steps[1].share, steps[1].after_s) == (1666, 60)
    assert (steps[-1].share, steps[-1].after_s) == (100_000, 3600)
    assert len(steps) == 61


def _steps(*pairs: tuple[float, int]) -> dict[str, Any]:
    return {"steps": [{"percent": percent, "after_s": after} for percent, after in pairs]}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"target": AUDIENCE}, "steps"),
        ({"target": AUDIENCE, "steps": [], "linear": LINEAR}, "steps"),
        ({"target": AUDIENCE, "linear": {**LINEAR, "to": 0}}, "linear.to"),
        ({"target": AUDIENCE, "linear": {**LINEAR, "interval_s": 59}}, "linear.interval_s"),
        ({"target": AUDIENCE, "linear": {**LINEAR, "interval_s": True}}, "linear.interval_s"),
        ({"target": AUDIENCE, "linear": {**LINEAR, "speed": 1}}, "linear.speed"),
        ({"target": AUDIENCE, **_steps((5, 0), (5, 60))}, "steps[1].percent"),
        ({"target": AUDIENCE, **_steps((5, 0), (6, 59))}, "steps[1].after_s"),
        ({"target": AUDIENCE, **_steps((100.001, 0))}, "steps[0].percent"),
        ({"target": AUDIENCE, **_steps((0.0001, 0))}, "steps[0].percent"),
        ({"target": {"part": "audience"}, **_steps((5, 0))}, "target.rule"),
        ({"target": {"part": "all"}, **_steps((5, 0))}, "target.part"),
        ({"target": 5, **_steps((5, 0))}, "target.part"),
        (
            {"target": SPLIT, "starts": "2026-11-01T10:00", "zone": "UTC", **_steps((5, 0))},
            "starts",
        ),
        ({"target": SPLIT, "zone": "Mars/Phobos", **_steps((5, 0))}, "zone"),
        ([], ""),
    ],
)
def test_a_ramp_that_is_none__is_refused_with_its_field(document: object, field: str) -> None:
    with pytest.raises(Invalid) as error:
        read_ramp(document, moment=NOW)
    assert field in error.value.problems


AT = {"starts": "2026-12-24T16:00", "zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({**AT}, "operation"),
        ({**AT, "operation": "explode"}, "operation"),
        ({**AT, "operation": ["turn_on"]}, "operation"),
        ({**AT, "operation": "turn_on", "percent": 5}, "percent"),
        ({**AT, "operation": "percent", "rule": "r-1"}, "percent"),
        ({**AT, "operation": "percent", "rule": "r-1", "percent": float("nan")}, "percent"),
        ({**AT, "operation": "percent", "percent": 5}, "rule"),
        ({**AT, "operation": "replace"}, "configuration"),
        ({**AT, "operation": "turn_on", "zone": "CEST"}, "zone"),
        ({**AT, "operation": "turn_on", "starts": "2026-12-24"}, "starts"),
        ({**AT, "operation": "turn_on", "starts": "2025-12-24T16:00"}, "starts"),
        ({**AT, "operation": "turn_on", "rrule": "FREQ=HOURLY"}, "rrule"),
        ({**AT, "operation": "turn_on", "rrule": "FREQ=DAILY;UNTIL=20250101"}, "rrule"),
        ({**AT, "operation": "turn_on", "rrule": 7}, "rrule"),
    ],
)
def test_a_schedule_that_is_none__is_refused_with_its_field(document: object, field: str) -> None:
    with pytest.raises(Invalid) as error:
        read_schedule(document, moment=NOW)
    assert field in error.value.problems


@pytest.mark.parametrize(
    ("share", "offered"),
    [
        (0, [("1", "0"), ("10", "24"), ("50", "48"), ("100", "72")]),
        (10, [("50", "0"), ("100", "24")]),
        (100, []),
    ],
)
def test_a_new_ramp_is_offered_steps_above_the_present_share(
    share: float, offered: list[tuple[str, str]]
) -> None:
    rows = new_form("ramp", "UTC", {}, share).rows
    assert [row for row in rows if any(row)] == offered
