"""A quantile of which only an interval is known: what a check may say of it."""

from typing import Any, Final

import pytest

from flags.engine.sketch import Sketch
from releases.core.check_words import verdict_words
from releases.engine.checks import Check, Kind
from releases.engine.tally import Tally
from releases.engine.verdicts import Judgement, Verdict, judge
from releases.web.labels import measured

FAST: Final = {"100:250": 96}
SLOW: Final = {"1000:2500": 5}
CHECK: Final[dict[str, Any]] = {"key": "p95", "kind": Kind.LATENCY, "minimum_requests": 100}


def p95(limit: float, histogram: dict[str, int], *exactly: float) -> Judgement:
    tally = Tally(200, durations=Sketch.of(exactly), histogram=histogram)
    return judge(Check(threshold=limit, **CHECK), tally)


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (3000, Verdict.PASSED),
        (2500, Verdict.PASSED),
        (2499, Verdict.INCONCLUSIVE),
        (2000, Verdict.INCONCLUSIVE),
        (1001, Verdict.INCONCLUSIVE),
        (1000, Verdict.FAILED),
        (500, Verdict.FAILED),
    ],
)
def test_a_limit__decides_where_it_is_a_bound_or_all_of_the_interval_lies_on_one_side(
    limit: float, verdict: Verdict
) -> None:
    found = p95(limit, {"100:250": 94, "1000:2500": 6})
    assert (found.verdict, found.numbers.get("least"), found.value) == (verdict, 1000, 2500)
    assert (found.requests, found.wanting) == (100, 0)


def test_the_last_interval__has_no_end() -> None:
    histogram = {"100:250": 90, "10000:inf": 10}
    assert p95(10_000, histogram).verdict is Verdict.FAILED
    found = p95(20_000, histogram)
    assert (found.verdict, found.numbers.get("least"), found.value) == (
        Verdict.INCONCLUSIVE,
        10_000,
        10_000,
    )
    check = Check(threshold=20_000, **CHECK)
    assert measured(check, found.value, found.numbers["least"]) == "above 10,000 ms"


def test_too_few__say_nothing_whatever_they_took() -> None:
    found = p95(500, {"1000:2500": 99})
    assert (found.verdict, found.wanting) == (Verdict.INCONCLUSIVE, 1)
    assert p95(500, {}).verdict is Verdict.NO_DATA


def test_durations_that_are_known__count_beside_those_that_are_not() -> None:
    found = p95(500, FAST, *[400.0] * 10)
    assert found.verdict is Verdict.PASSED
    assert not found.numbers
    assert found.value == pytest.approx(400, rel=0.01)
    assert found.requests == 106


def test_words__say_between_which_two_it_is() -> None:
    check = Check(threshold=2000, **CHECK)
    found = p95(2000, {**FAST, **SLOW, "2500:5000": 1})
    said = {
        "verdict": found.verdict,
        "value": found.value,
        "numbers": found.numbers,
        "requests": 102,
    }
    words = verdict_words(check, said)
    assert words.startswith("p95 between 1,000 and 2,500 ms of 102 requests: the limit lies in")
    assert measured(check, found.value, found.numbers["least"]) == "1,000 to 2,500 ms"
