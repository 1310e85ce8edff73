"""Sketches of durations: as exact as they say, and the same in whatever order they merge."""

import math

from hypothesis import given, strategies as st

from flags.engine.sketch import RELATIVE_ERROR, Sketch

durations = st.floats(min_value=0.001, max_value=1e9)
many = st.lists(durations, min_size=1, max_size=200)


@given(many, st.floats(min_value=0, max_value=1))
def test_quantile__any_values__is_within_the_stated_error(
    values: list[float], share: float
) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values) - 1e-9)) - 1]
    found = Sketch.of(values).quantile(share)
    assert found is not None
    assert abs(found - exact) <= exact * (RELATIVE_ERROR + 1e-9)


@given(st.lists(many, max_size=5))
def test_merge__any_parts_in_any_order__is_the_sketch_of_all(parts: list[list[float]]) -> None:
    forwards, backwards = Sketch(), Sketch()
    for part in parts:
        forwards.merge(Sketch.of(part))
    for part in reversed(parts):
        backwards.merge(Sketch.of(part))
    whole = Sketch.of(value for part in parts for value in part)
    assert forwards == backwards == whole
    assert Sketch.load(whole.dump()) == whole


def test_quantile__nothing_seen__is_none() -> None:
    assert Sketch().quantile(0.95) is None


def test_quantile__values_too_small_and_too_large__stay_in_bounds() -> None:
    assert Sketch.of([0.0, 1e-9]).quantile(1) == 0.0
    largest = Sketch.of([1e300]).quantile(1)
    assert largest is not None
    assert largest < 1.1e11
