"""Counting in memory: what is kept of a question, how much of it at most, and how it is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.channel import Asked, Missed, UsageBatch, read_batch
from flags.channel.usage import ROWS_PER_BATCH
from flags.engine import results
from flags.evaluator.counters import Counters
from flags.evaluator.tally import MAX_MISSED_BY_CLIENTS, MAX_MISSED_BY_SERVERS, EnvironmentTally
from flags.evaluator.telling import pause_s

_GOOD = UsageBatch("a" * 32, 7, 60, 61.5, (Asked("f", "on", "STATIC", 2),), (Missed("x", True, 1),))


def take(counters: Counters) -> list[UsageBatch]:
    return counters.take_usage(minute=60, last_at=61.0)


def test_take__counts_once_and_starts_anew() -> None:
    counters = Counters()
    place = counters.tally.of(7)
    place.asked["f", "on", "STATIC"] += 2
    place.asked["f", None, "ERROR"] += 1
    place.miss("gone", is_client=False)
    (batch,) = take(counters)
    assert batch.asked == (Asked("f", "on", "STATIC", 2), Asked("f", "", "ERROR", 1))
    assert batch.missed == (Missed("gone", False, 1),)
    assert (batch.environment_id, batch.minute, len(batch.id)) == (7, 60, 32)
    assert take(counters) == []
    assert counters.all_evaluations() == {"STATIC": 2, "ERROR": 1}


@pytest.mark.parametrize(
    ("is_client", "most"), [(False, MAX_MISSED_BY_SERVERS), (True, MAX_MISSED_BY_CLIENTS)]
)
def test_miss__more_names_than_are_kept__are_counted_together(is_client: bool, most: int) -> None:
    place = EnvironmentTally()
    for number in range(most + 5):
        place.miss(f"name-{number}", is_client=is_client)
    place.miss("name-0", is_client=is_client)
    names = place.missed_by_clients if is_client else place.missed_by_servers
    assert len(names) == most + 1
    assert (names[""], names["name-0"]) == (5, 2)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b", "a\nb", "\ud800"])
def test_miss__what_can_be_no_flag__is_not_kept(name: str) -> None:
    place = EnvironmentTally()
    place.miss(name, is_client=False)
    assert place.missed_by_servers == {"": 1}


def test_take__very_many_flags__come_in_several_batches() -> None:
    counters = Counters()
    for number in range(ROWS_PER_BATCH + 1):
        counters.tally.of(7).asked[f"f{number}", "on", "STATIC"] += 1
    batches = take(counters)
    assert [len(batch.asked) for batch in batches] == [ROWS_PER_BATCH, 1]
    assert len({batch.id for batch in batches}) == 2
    assert results.FLAG_NOT_FOUND not in counters.all_evaluations()


def test_batch__comes_back_as_it_was() -> None:
    assert read_batch(_GOOD.dump()) == _GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "A" * 32},
        {"id": 1},
        {"environment": 0},
        {"environment": True},
        {"minute": 61},
        {"minute": 60.0},
        {"last_at": "soon"},
        {"last_at": 59.0},
        {"last_at": 1e300},
        {"asked": [["f", "on", "because", 1]]},
        {"asked": [["f", "on", "STATIC", 0]]},
        {"asked": [["f", "on", "STATIC", 2**60]]},
        {"asked": [["f", "on", "STATIC"]]},
        {"asked": [["f" * 201, "on", "STATIC", 1]]},
        {"asked": [["f\0", "on", "STATIC", 1]]},
        {"asked": [[1, "on", "STATIC", 1]]},
        {"asked": [["f", "on", "STATIC", 1]] * (2 * ROWS_PER_BATCH)},
        {"missed": [["x", True, -1]]},
        {"missed": None},
    ],
)
def test_batch__of_a_forger__is_none(changes: dict[str, Any]) -> None:
    assert read_batch(json.dumps(json.loads(_GOOD.dump()) | changes).encode()) is None


@given(st.binary() | st.text().map(lambda text: json.dumps(text).encode()))
def test_batch__of_noise__is_none(content: bytes) -> None:
    assert read_batch(content) is None


@given(st.floats(0, 4e9))
def test_pause__never_passes_the_end_of_a_minute_by_more_than_a_moment(now: float) -> None:
    pause = pause_s(now)
    assert 0 < pause <= 2
    assert (now + pause) // 60 <= now // 60 + 1
    assert (now + pause) // 60 == now // 60 or (now + pause) % 60 < 0.02
