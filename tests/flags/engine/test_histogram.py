"""Histograms that keep their bounds: what they say of quantiles and limits is true of what was
counted, whatever bounds it came with."""

import math
from bisect import bisect_left

import pytest
from hypothesis import given, strategies as st

from flags.engine.histogram import (
    MOST_INTERVALS,
    UNKNOWN,
    add_intervals,
    limit_of_all,
    quantile_between,
    read_interval,
    slow_among,
    slower_than,
    write_interval,
)
from flags.engine.sketch import RELATIVE_ERROR, Sketch

durations = st.lists(st.floats(0.5, 1e5), max_size=30)
bounds = st.lists(st.integers(1, 100_000), min_size=1, max_size=8, unique=True).map(sorted)
sent = st.lists(st.tuples(bounds, durations), max_size=4)


def histogram_of(bounds: list[int], values: list[float]) -> dict[str, int]:
    found: dict[str, int] = {}
    ends = [0.0, *map(float, bounds), math.inf]
    for value in values:
        at = bisect_left(bounds, value)
        add_intervals(found, {write_interval(ends[at], ends[at + 1]): 1})
    return found


@given(sent, durations, st.floats(0, 1))
def test_a_quantile__lies_between_the_ends(
    sent: list[tuple[list[int], list[float]]], exactly: list[float], share: float
) -> None:
    histogram: dict[str, int] = {}
    for some, values in sent:
        add_intervals(histogram, histogram_of(some, values))
    sketch = Sketch.of(exactly)
    every = sorted([*exactly, *(one for _some, values in sent for one in values)])
    found = quantile_between(sketch, histogram, share)
    if not every:
        assert found is None
        return
    assert found
    exact = every[max(1, math.ceil(share * len(every) - 1e-9)) - 1]
    slack = exact * (RELATIVE_ERROR + 1e-9)
    assert found[0] - slack <= exact <= found[1] + slack


@given(sent, st.integers(1, 100_000))
def test_how_many_are_slower__lies_between_and_is_exact_at_a_bound(
    sent: list[tuple[list[int], list[float]]], limit: int
) -> None:
    histogram: dict[str, int] = {}
    for some, values in sent:
        add_intervals(histogram, histogram_of(some, values))
    exact = sum(one > limit for _some, values in sent for one in values)
    least, most = slower_than(Sketch(), histogram, limit)
    assert least <= exact <= most
    with_it = [(sorted({*some, limit}), values) for some, values in sent]
    histogram = {}
    for some, values in with_it:
        add_intervals(histogram, histogram_of(some, values))
    assert slower_than(Sketch(), histogram, limit) == (exact, exact)


@given(sent, st.integers(1, 100_000))
def test_the_limit_of_all__is_one_that_every_histogram_knows_exactly(
    sent: list[tuple[list[int], list[float]]], limit: int
) -> None:
    histograms = [histogram_of(some, values) for some, values in sent]
    found = limit_of_all([*histograms, {UNKNOWN: 3}], limit)
    assert found >= limit
    for (_some, values), histogram in zip(sent, histograms, strict=True):
        exact = sum(one > found for one in values)
        assert slow_among({**histogram, UNKNOWN: 3}, found) == (len(values), exact)
        assert slower_than(Sketch(), histogram, found) == (exact, exact)


def test_a_limit_that_is_a_bound__stays() -> None:
    some = [{"0:100": 1, "100:250": 1}, {"0:50": 1, "50:100": 1, "250:inf": 1}]
    assert limit_of_all(some, 100) == 100
    assert limit_of_all(some, 120) == 250
    assert limit_of_all(some, 300) == math.inf


def test_a_sketch__says_the_same_without_histograms() -> None:
    sketch = Sketch.of([10, 20, 3000])
    p50 = sketch.quantile(0.5)
    assert quantile_between(sketch, {}, 0.5) == (p50, p50)
    assert slower_than(sketch, {}, 100) == (1, 1)


def test_too_many_intervals__count_as_unknown() -> None:
    held: dict[str, int] = {}
    for number in range(MOST_INTERVALS + 10):
        add_intervals(held, {write_interval(number, number + 1): 1})
    assert len(held) == MOST_INTERVALS + 1
    assert held[UNKNOWN] == 10


@pytest.mark.parametrize("text", ["", "1", "2:1", "1:1", "-1:1", "a:b", "1:nan", "nan:1"])
def test_what_is_no_interval__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"interval|convert"):
        read_interval(text)
