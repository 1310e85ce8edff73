"""Counting in memory: what is kept of a question, how much of it at most, and how it is told."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.channel import (
    USAGE,
    EvaluationCount,
    IntakeBatch,
    Missed,
    Sealer,
    UsageBatch,
    read_usage,
)
from flags.channel.intake import open_batch
from flags.channel.usage import ROWS_PER_BATCH, write_usage
from flags.engine import results
from flags.evaluator.counters import Counters
from flags.evaluator.intake import pause_s
from flags.evaluator.sampling import Reservoir
from flags.evaluator.tally import (
    MAX_MISSED_BY_CLIENTS,
    MAX_MISSED_BY_SERVERS,
    EnvironmentTally,
    Tally,
)

_ROWS = (EvaluationCount("f", "on", "STATIC", 2), Missed("x", True, 1))
_GOOD = IntakeBatch(USAGE, 60, 61.5, write_usage((7, row) for row in _ROWS), 3, 4)
_SEALER = Sealer(b"a" * 32)


def told(tally: Tally) -> list[UsageBatch]:
    batches = (IntakeBatch(USAGE, 60, 61.0, content, n) for n, content in tally.contents())
    return [one for batch in batches for one in read_usage(batch)]


def test_take__counts_once_and_starts_anew() -> None:
    counters = Counters()
    place = counters.tally.of(7)
    place.asked["f", "on", "STATIC"] += 2
    place.asked["f", None, "ERROR"] += 1
    place.miss("gone", is_client=False)
    taken = counters.take_usage()
    (usage,) = told(taken)
    assert usage.asked == (
        EvaluationCount("f", "on", "STATIC", 2),
        EvaluationCount("f", "", "ERROR", 1),
    )
    assert usage.missed == (Missed("gone", False, 1),)
    assert (usage.environment_id, usage.minute, taken.weigh()[0]) == (7, 60, 4)
    assert counters.take_usage().weigh() == (0, 0)
    assert counters.all_evaluations() == {"STATIC": 2, "ERROR": 1}


@pytest.mark.parametrize(
    ("is_client", "most"), [(False, MAX_MISSED_BY_SERVERS), (True, MAX_MISSED_BY_CLIENTS)]
)
def test_miss__more_names_than_are_kept__are_counted_together_also_when_merged(
    is_client: bool, most: int
) -> None:
    place = EnvironmentTally()
    for number in range(most + 5):
        place.miss(f"name-{number}", is_client=is_client)
    later = EnvironmentTally()
    for name in ("name-0", "new", "new"):
        later.miss(name, is_client=is_client)
    place.merge(later)
    names = place.missed_by_clients if is_client else place.missed_by_servers
    assert len(names) == most + 1
    assert (names[""], names["name-0"]) == (7, 2)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b", "a\nb", "\ud800"])
def test_miss__what_can_be_no_flag__is_not_kept(name: str) -> None:
    place = EnvironmentTally()
    place.miss(name, is_client=False)
    assert place.missed_by_servers == {"": 1}


def test_contents__very_many_flags__come_in_several_batches() -> None:
    counters = Counters()
    for number in range(ROWS_PER_BATCH + 1):
        counters.tally.of(number % 2).asked[f"f{number}", "on", "STATIC"] += 1
    assert [count for count, _content in counters.take_usage().contents()] == [ROWS_PER_BATCH, 1]
    assert results.FLAG_NOT_FOUND not in counters.all_evaluations()


def test_batch__comes_back_as_it_was_and_is_of_its_kind_and_key_alone() -> None:
    sealed = _GOOD.seal(_SEALER)
    assert open_batch(USAGE, sealed, _SEALER) == _GOOD
    assert open_batch(USAGE, sealed, Sealer(b"b" * 32)) is None
    assert [(one.asked, one.missed) for one in read_usage(_GOOD)] == [(_ROWS[:1], _ROWS[1:])]


@pytest.mark.parametrize(
    "changes",
    [
        {"asked": [[7, "f", "on", "because", 1]]},
        {"asked": [[7, "f", "on", "STATIC", 0]]},
        {"asked": [[7, "f", "on", "STATIC", 2**60]]},
        {"asked": [[7, "f", "on", "STATIC"]]},
        {"asked": [[0, "f", "on", "STATIC", 1]]},
        {"asked": [[True, "f", "on", "STATIC", 1]]},
        {"asked": [[7, "f" * 201, "on", "STATIC", 1]]},
        {"asked": [[7, "f\0", "on", "STATIC", 1]]},
        {"asked": [[7, 1, "on", "STATIC", 1]]},
        {"asked": [[7, "f", "on", "STATIC", 1]] * (4 * ROWS_PER_BATCH)},
        {"missed": [[7, "x", True, -1]]},
        {"missed": None},
    ],
)
def test_usage__that_no_evaluator_writes__is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        list(read_usage(IntakeBatch(USAGE, 60, 61.5, _GOOD.content | changes)))


@pytest.mark.parametrize(
    "changes", [{"id": "A" * 32}, {"minute": 61}, {"minute": 60.0}, {"last_at": 59.0}]
)
def test_batch__of_no_time_or_id__is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no "):
        IntakeBatch(**{"kind": USAGE, "minute": 60, "last_at": 61.5, **changes})


@given(st.binary())
def test_batch__of_noise__is_none(content: bytes) -> None:
    assert open_batch(USAGE, content, _SEALER) is None


@given(st.floats(0, 4e9))
def test_pause__never_passes_the_end_of_a_minute_by_more_than_a_moment(now: float) -> None:
    pause = pause_s(now)
    assert 0 < pause <= 2
    assert (now + pause) // 60 <= now // 60 + 1
    assert (now + pause) // 60 == now // 60 or (now + pause) % 60 < 0.02


@given(st.lists(st.integers(0, 60), max_size=8))
def test_reservoirs__merged__hold_what_was_offered_each_once_and_no_more_than_one(
    sizes: list[int],
) -> None:
    merged, offered = Reservoir[int](), 0
    for size in sizes:
        newer = Reservoir[int]()
        for number in range(offered, offered + size):
            newer.offer(number)
        merged.merge(newer)
        offered += size
    assert merged.offered == offered
    assert len(set(merged.chosen)) == len(merged.chosen) == min(offered, 20)
    assert set(merged.chosen) <= set(range(offered))


def test_reservoirs__merged__choose_as_evenly_as_one() -> None:
    """Of 100 and then 900, a tenth of what is kept is from the first."""
    from_first = 0
    for _round in range(300):
        merged, newer = Reservoir[int](), Reservoir[int]()
        for number in range(100):
            merged.offer(number)
        for number in range(100, 1000):
            newer.offer(number)
        merged.merge(newer)
        from_first += sum(one < 100 for one in merged.chosen)
    assert 430 < from_first < 770  # 600 expected; a deviation is 23
