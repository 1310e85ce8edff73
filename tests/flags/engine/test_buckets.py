"""Buckets, against published points and against a hash written out in Python."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import ALGORITHMS, compile_flag, point
from flags.engine.buckets import hash_text, unit_of
from tests.flags.engine import cases, murmur3
from tests.flags.engine.documents import environment, percents, relaxed, rule, split

PUBLISHED: dict[str, Any] = cases.load("buckets")
UNITS = [f"user-{number}" for number in range(20_000)]

storable_texts = st.text(st.characters(exclude_categories=["Cs"]))


def units_inside(percent: float, units: list[str]) -> set[str]:
    rules = [rule(audience={"percent": percent})]
    flag = compile_flag(environment(rules=rules, salt="ramp"))
    return {unit for unit in units if flag.evaluate({"targetingKey": unit}).value is True}


@pytest.mark.parametrize("case", PUBLISHED["hashes"], ids=lambda case: repr(case["text"])[:40])
def test_murmur3__published_hash__is_the_same_in_both_implementations(case: dict[str, Any]) -> None:
    assert hash_text(case["text"]) == case["hash"] == murmur3.murmur3_32(case["text"].encode())


@relaxed
@given(storable_texts)
def test_murmur3__any_text__is_the_same_in_both_implementations(text: str) -> None:
    assert hash_text(text) == murmur3.murmur3_32(text.encode())


@pytest.mark.parametrize("case", PUBLISHED["points"], ids=lambda case: ascii(case)[:80])
def test_point__published_case__is_met(case: dict[str, Any]) -> None:
    arguments = case["salt"], case["purpose"], case["unit"]
    assert point(*arguments) == case["point"] == murmur3.point(*arguments)


@pytest.mark.parametrize("case", PUBLISHED["placements"], ids=str)
def test_algorithm__published_case__is_met(case: dict[str, Any]) -> None:
    place = ALGORITHMS[case["algorithm"]].place
    assert place(case["seed"], case["unit"], case["total"]) == case["position"]


@pytest.mark.parametrize("case", PUBLISHED["units"], ids=lambda case: repr(case["value"])[:40])
def test_unit__published_value__is_read_as_published(case: dict[str, Any]) -> None:
    assert unit_of(case["value"]) == case["unit"]


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 10**5000, object(), b"u-1"],
    ids=lambda value: type(value).__name__,
)
def test_unit__value_beyond_json__is_no_unit(value: object) -> None:
    assert unit_of(value) is None


@relaxed
@given(st.sets(percents, min_size=2, max_size=2))
def test_audience__raised_percentage__only_adds_users(pair: set[float]) -> None:
    lower, higher = sorted(pair)
    some = UNITS[:300]
    assert units_inside(lower, some) <= units_inside(higher, some)


def test_audience__one_thousandth_of_a_percent_more__admits_exactly_the_next_point() -> None:
    unit = UNITS[7]
    place = murmur3.point("ramp", "audience", unit)
    assert units_inside(place / 1000, [unit]) == set()
    assert units_inside((place + 1) / 1000, [unit]) == {unit}


@pytest.mark.parametrize("percent", [0.5, 10, 33.333, 90])
def test_audience__20000_users__holds_its_share(percent: float) -> None:
    share = percent / 100
    assert len(units_inside(percent, UNITS)) == pytest.approx(20_000 * share, abs=five_sigma(share))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("on", [1_000, 25_000, 50_000, 99_000])
def test_split__20000_users__keeps_its_shares(algorithm: str, on: int) -> None:
    flag = compile_flag(environment(fallthrough=split(on, algorithm=algorithm)))
    served = Counter(flag.evaluate({"targetingKey": unit}).variant for unit in UNITS)
    share = on / 100_000
    assert served["on"] == pytest.approx(20_000 * share, abs=five_sigma(share))
    assert served["off"] == 20_000 - served["on"]


@relaxed
@given(st.sets(st.integers(0, 100_000), min_size=2, max_size=2))
def test_split__growing_first_variant__keeps_those_it_has(pair: set[int]) -> None:
    lower, higher = sorted(pair)
    small, large = (compile_flag(environment(fallthrough=split(on))) for on in (lower, higher))
    for unit in UNITS[:300]:
        if small.evaluate({"targetingKey": unit}).variant == "on":
            assert large.evaluate({"targetingKey": unit}).variant == "on"


def test_purposes__audience_and_split__are_independent() -> None:
    inside = [unit for unit in UNITS if point("s", "audience", unit) < 50_000]
    on = sum(point("s", "split", unit) < 50_000 for unit in inside)
    assert on == pytest.approx(len(inside) / 2, abs=five_sigma(0.5))


def test_salt__changed__reshuffles() -> None:
    same = sum(
        point("a", "split", unit) // 1000 == point("b", "split", unit) // 1000 for unit in UNITS
    )
    assert same == pytest.approx(200, abs=five_sigma(0.01))


def test_rule__copied_under_another_id__keeps_its_users() -> None:
    first, copy = (
        compile_flag(environment(rules=[rule(identity, audience={"percent": 20})]))
        for identity in ("first", "copy")
    )
    for unit in UNITS[:500]:
        context = {"targetingKey": unit}
        assert first.evaluate(context).variant == copy.evaluate(context).variant


def five_sigma(share: float) -> float:
    """Five standard deviations of how many of 20,000 independent users fall into a share."""
    return float(5 * (20_000 * share * (1 - share)) ** 0.5)
