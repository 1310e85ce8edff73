"""Where a flag is in its life: a table of cases, and what holds whatever the facts."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.usage.lifecycle import EnvironmentFacts, Facts, Stage, judge

CASES = json.loads((Path(__file__).parents[2] / "cases" / "lifecycle.json").read_text())
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def ago(days: int | None) -> datetime | None:
    return None if days is None else NOW - timedelta(days=days)


def facts_of(case: dict[str, Any]) -> Facts:
    """Two environments; numbers are days ago."""
    enabled, changed = case.get("enabled", False), ago(case.get("changed", case["age"])) or NOW
    gets = "" if case.get("depends") else "on" if enabled else "off"
    first = EnvironmentFacts(enabled or case.get("depends", False), gets, changed)
    second = EnvironmentFacts(True, "on", changed) if case.get("mixed") else first
    return Facts(
        kind=case.get("kind", "release"),
        permanent=case.get("permanent", False),
        created_at=ago(case["age"]) or NOW,
        places=(first, second),
        last_evaluated_at=ago(case.get("asked")),
        counted_since=ago(case.get("counted", case.get("asked"))),
        is_needed=case.get("needed", False),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_stage__is_as_the_table_says(case: dict[str, Any]) -> None:
    found = judge(facts_of(case), now=NOW)
    assert found.stage == case["stage"]
    assert case.get("why", found.why[0]) in found.why


_moments = st.integers(0, 500).map(lambda days: NOW - timedelta(days=days))
_standings = st.builds(
    EnvironmentFacts, st.booleans(), st.sampled_from(["", "on", "off"]), changed_at=_moments
)
_facts = st.builds(
    Facts,
    kind=st.sampled_from(["release", "experiment", "operational", "kill_switch", "permission"]),
    permanent=st.booleans(),
    created_at=_moments,
    places=st.lists(_standings, max_size=4).map(tuple),
    last_evaluated_at=st.none() | _moments,
    counted_since=st.none() | _moments,
    is_needed=st.booleans(),
)


@given(_facts)
def test_stage__always_says_why__and_is_never_ready_where_somebody_asked(facts: Facts) -> None:
    found = judge(facts, now=NOW)
    assert found.why
    assert all(found.why)
    if found.stage is Stage.READY:
        assert facts.counted_since is not None
        assert (facts.last_evaluated_at or facts.created_at) <= NOW - timedelta(days=7)
        assert all(place.everyone_gets for place in facts.places)


@given(_facts, st.integers(0, 400))
def test_stage__time_alone__never_brings_a_flag_back(facts: Facts, days: int) -> None:
    order = list(Stage)
    later = judge(facts, now=NOW + timedelta(days=days))
    assert order.index(later.stage) >= order.index(judge(facts, now=NOW).stage)
