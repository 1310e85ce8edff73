"""What counted outcomes may take in memory, and what happens beyond it."""

import time

import pytest

from flags.channel import TELEMETRY
from flags.channel.telemetry import BucketKey, Counts
from flags.engine.sketch import bucket_of
from flags.evaluator import outcomes
from flags.evaluator.intake_queue import IntakeQueue
from flags.evaluator.outcomes import Collector, Outcomes


def place(version: str = "1", start: int = 60, *, environment: int = 1, **more: bool) -> BucketKey:
    return (environment, "service", "checkout", version, more.get("by_client", False), start)


def some(*durations: float) -> Counts:
    return Counts(len(durations), durations={bucket_of(one): 1 for one in durations})


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for a few buckets."""
    monkeypatch.setattr(outcomes, "MOST_BYTES", 6000)
    monkeypatch.setattr(outcomes, "MOST_BYTES_OF", {False: 3000, True: 1000})


def test_memory__that_is_full_takes_no_new_bucket_and_goes_on_counting_in_the_old(
    few: None,
) -> None:
    collector, kept = Collector(), 0
    while not collector.why_not(place(start=10 * kept)):
        collector.outcomes.add(place(start=10 * kept), some(1, 2))
        kept += 1
    assert kept == 6
    assert collector.why_not(place(start=990)) == outcomes.FULL
    assert not collector.why_not(place(start=10))
    minute = collector.take()
    newer = {place(start=990): some(1), place(start=10): some(1, 50), place(start=20): some(2)}
    assert minute.merge(Outcomes(newer)) == 3
    assert minute.weigh()[0] == 2 * kept + 1
    assert not collector.why_not(place(start=990))


def test_names_without_end__are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST_NAMES_OF", {False: 3, True: 1})
    monkeypatch.setattr(outcomes, "MOST_KNOWN", 6)
    collector = Collector()
    named = [(1, "service", str(number), "1", False, 60) for number in range(5)]
    said = [collector.why_not(one) for one in named]
    assert said == ["", "", "", *[outcomes.NAMES.format(3)] * 2]
    assert not collector.why_not((2, *named[4][1:]))
    assert not collector.why_not(place("1", by_client=True))
    versions = [collector.why_not((1, "service", "0", str(n), False, 60)) for n in range(3)]
    assert versions == ["", "", outcomes.FULL]
    assert not collector.why_not(named[0])
    collector.turn(time.time())
    assert not collector.why_not(named[4])


def test_one_environment__takes_nothing_from_another_nor_strangers_from_servers(
    few: None,
) -> None:
    held = Outcomes()
    for by_client in (True, False):
        start = 0
        while not held.is_full(1, by_client=by_client):
            held.add(place(start=start, by_client=by_client), some(1))
            start += 10
        assert not held.is_full(1, by_client=False) or not by_client
        assert not held.is_full(2, by_client=by_client)


def test_a_minute__that_grows_too_large_while_it_waits_says_what_it_lost(few: None) -> None:
    collector = Collector()
    queue = IntakeQueue(TELEMETRY, collector.take)
    for start in range(0, 100, 10):
        collector.outcomes.add(place(start=start), some(1, 2, 3))
        queue.add(60, 61.0)
    assert queue.dropped == queue.untold == 30 - queue.count > 0


def test_a_minute__that_is_over_waits_as_json_with_the_same_contents() -> None:
    collector = Collector()
    queue = IntakeQueue(TELEMETRY, collector.take)
    for minute in (60, 120):
        for number in range(20):
            collector.outcomes.add(place(str(number)), some(*range(1, 100)))
        queue.add(minute, minute + 1.0)
    first, second = queue.waiting
    assert first.count == second.count == 20 * 99
    assert first.size < second.size / 3
    assert first.gathered
    assert sum(count for count, _part in first.gathered.contents()) == first.count
