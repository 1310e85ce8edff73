"""The judge against its published vectors, and what holds for any counts."""

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from releases.engine import judge
from releases.engine.judge import Arm, Direction, Evidence, Stratum, ranks

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "cases" / "judge.json").read_text(encoding="utf-8")
)


def cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", [pytest.param(one, id=one["name"]) for one in CASES[name]]
    )


def of(rows: list[list[int]]) -> list[Stratum]:
    return [Stratum(Arm(n_c, e_c), Arm(n_b, e_b)) for n_c, n_b, e_c, e_b in rows]


def collected(strata: list[Stratum]) -> Evidence:
    found = Evidence()
    for one in strata:
        found.add(one)
    return found


def near(case: dict[str, Any], value: float) -> Any:
    return pytest.approx(value, rel=case.get("relative", 0), abs=case.get("absolute", 0))


@cases("evidence")
def test_evidence__is_as_published(case: dict[str, Any]) -> None:
    found = judge.evidence(of(case["strata"]), phi=case["phi"])
    assert found == near(case, case["expected"])


@cases("chi_square")
def test_chi_square__is_as_published(case: dict[str, Any]) -> None:
    found = collected(of(case["strata"]))
    ratio = found.above / found.below
    assert found.spread.chi_square(ratio) == near(case, case["expected"])
    assert found.spread.blocks == case["strata_with_errors"]


@cases("dispersion")
def test_dispersion__is_as_published(case: dict[str, Any]) -> None:
    assert judge.dispersion(of(case["strata"]), last=case["last"]) == near(case, case["expected"])


@cases("instances")
def test_dispersion_of_instances__is_as_published(case: dict[str, Any]) -> None:
    canary, baseline = ([Arm(*one) for one in case[arm]] for arm in ("canary", "baseline"))
    found = judge.instance_dispersion(canary, baseline)
    wanted = case["expected"]
    assert found is None if wanted is None else found == near(case, wanted)


@cases("difference")
def test_difference__is_as_published(case: dict[str, Any]) -> None:
    options = {name: case[name] for name in ("alpha", "phi", "n_star")}
    found = judge.difference(of(case["strata"]), **options)
    assert found.estimate == pytest.approx(case["estimate"], rel=case["relative"], abs=1e-12)
    assert found.halfwidth == near(case, case["halfwidth"])
    assert found.lower == near(case, case["lower"])
    assert found.upper is None


@cases("sample_ratio")
def test_sample_ratio__is_as_published(case: dict[str, Any]) -> None:
    assert judge.sample_ratio(case["steps"]) == near(case, case["expected"])


@cases("alpha")
def test_alpha__is_shared_as_published(case: dict[str, Any]) -> None:
    found = judge.alpha_of(case["weights"], case["alpha"])
    assert found == pytest.approx(case["expected"])


@cases("ranks")
def test_ranks__are_as_published(case: dict[str, Any]) -> None:
    found = judge.mann_whitney(case["canary"], case["baseline"], worse=Direction(case["worse"]))
    assert (found.verdict, found.classification) == (case["verdict"], case["classification"])
    for name in ("effect", "lower", "upper"):
        wanted = case[name]
        got = getattr(found, name)
        assert got is None if wanted is None else got == pytest.approx(wanted, abs=1e-9), name


@st.composite
def any_stratum(draw: st.DrawFn, most: int = 10**6) -> Stratum:
    n_c, n_b = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Stratum(Arm(n_c, draw(st.integers(0, n_c))), Arm(n_b, draw(st.integers(0, n_b))))


some_strata = st.lists(any_stratum(), max_size=30)


@pytest.mark.parametrize(("n_c", "n_b", "rate"), [(4, 4, 0.3), (2, 7, 0.5), (6, 3, 0.9)])
@pytest.mark.parametrize("phi", [1.0, 3.0])
def test_evidence__of_equal_versions__is_no_more_than_one_on_average(
    n_c: int, n_b: int, rate: float, phi: float
) -> None:
    def chance(n: int, errors: int) -> float:
        return math.comb(n, errors) * rate**errors * (1 - rate) ** (n - errors)

    one = list(product(range(n_c + 1), range(n_b + 1)))
    mean = math.fsum(
        chance(n_c, a) * chance(n_b, b) * chance(n_c, c) * chance(n_b, d)
        * judge.evidence(of([[n_c, n_b, a, b], [n_c, n_b, c, d]]), phi=phi)
        for (a, b), (c, d) in product(one, one)
    )  # fmt: skip
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize(("n_c", "n_b", "errors"), [(500, 500, 9), (50, 950, 12), (900, 100, 6)])
def test_evidence__given_so_many_errors__is_one_on_average(n_c: int, n_b: int, errors: int) -> None:
    share = n_c / (n_c + n_b)
    mean = math.fsum(
        math.comb(errors, of_canary) * share**of_canary * (1 - share) ** (errors - of_canary)
        * judge.evidence([Stratum(Arm(n_c, of_canary), Arm(n_b, errors - of_canary))])
        for of_canary in range(errors + 1)
    )  # fmt: skip
    assert mean == pytest.approx(1)


@given(strata=some_strata, at=st.integers(0, 30))
def test_evidence__stored_between__is_as_of_the_whole(strata: list[Stratum], at: int) -> None:
    stored = json.loads(json.dumps(collected(strata[:at]).document))
    found = Evidence.load(stored)
    for one in strata[at:]:
        found.add(one)
    assert found == collected(strata)


def test_evidence__of_another_grid__is_refused() -> None:
    with pytest.raises(ValueError, match="6 likelihoods"):
        Evidence.load({"likelihoods": [0.0]})


@given(strata=some_strata, n_c=st.integers(0, 10**9), n_b=st.integers(0, 10**9))
def test_a_stratum_without_errors__changes_neither_evidence_nor_dispersion(
    strata: list[Stratum], n_c: int, n_b: int
) -> None:
    more = [*strata, Stratum(Arm(n_c, 0), Arm(n_b, 0))]
    assert judge.evidence(more) == judge.evidence(strata)
    assert judge.dispersion(more) == judge.dispersion(strata)


@given(strata=some_strata, phi=st.floats(1, 1e6))
def test_everything__is_a_finite_number(strata: list[Stratum], phi: float) -> None:
    found = judge.difference(strata, alpha=0.05, phi=phi)
    assert 0 <= judge.evidence(strata, phi=phi) <= judge.MOST_EVIDENCE
    assert 1 <= judge.dispersion(strata) < math.inf
    assert -1 <= found.lower <= found.estimate <= 1
    assert 0 < found.halfwidth < math.inf


@given(strata=some_strata)
def test_arms_swapped__differ_by_as_much_to_the_other_side(strata: list[Stratum]) -> None:
    swapped = [Stratum(one.baseline, one.canary) for one in strata]
    there, back = (judge.difference(one, alpha=0.05) for one in (strata, swapped))
    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert there.halfwidth == pytest.approx(back.halfwidth)
    assert judge.dispersion(strata) == pytest.approx(judge.dispersion(swapped))


@given(one=any_stratum().filter(lambda one: one.canary.requests and one.baseline.requests))
def test_difference__of_one_stratum__is_that_of_the_rates(one: Stratum) -> None:
    rates = one.canary.errors / one.canary.requests, one.baseline.errors / one.baseline.requests
    found = judge.difference([one], alpha=0.05)
    assert found.estimate == pytest.approx(rates[0] - rates[1], abs=1e-9)


@given(strata=some_strata, phi=st.floats(1, 50))
def test_difference__at_a_dispersion__is_as_much_wider_as_its_root(
    strata: list[Stratum], phi: float
) -> None:
    plain, wide = (judge.difference(strata, alpha=0.05, phi=one) for one in (1.0, phi))
    if any(one.canary.requests and one.baseline.requests for one in strata):
        assert wide.halfwidth == pytest.approx(plain.halfwidth * math.sqrt(phi))


arms = st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.01, 1)), min_size=1, max_size=5)


@given(step=arms, other=arms, data=st.data())
def test_sample_ratio__does_not_depend_on_the_order(
    step: list[tuple[int, float]], other: list[tuple[int, float]], data: st.DataObject
) -> None:
    def read(*steps: list[tuple[int, float]]) -> float:
        return judge.sample_ratio([tuple(zip(*one, strict=True)) for one in steps])  # type: ignore[misc]

    shuffled = data.draw(st.permutations(step))
    assert read(shuffled) == pytest.approx(read(step), rel=1e-6, abs=1e-5)
    assert read(step, other) == pytest.approx(read(step) + read(other), rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
def test_alpha__of_a_weight_that_is_not_above_zero__is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        judge.alpha_of({"errors": 1, "latency": weight})


values = st.lists(st.integers(-1000, 1000).map(float), min_size=5, max_size=70)


@settings(deadline=None)
@given(canary=values, baseline=values)
def test_ranks__of_series_swapped__are_the_other_side(
    canary: list[float], baseline: list[float]
) -> None:
    there, back = judge.mann_whitney(canary, baseline), judge.mann_whitney(baseline, canary)
    assert (there.effect, there.lower, there.upper) == (
        -(back.effect or 0), -(back.upper or 0), -(back.lower or 0)
    )  # fmt: skip
    swapped = {"high": "low", "low": "high"}
    assert back.classification == swapped.get(there.classification, there.classification)


@settings(deadline=None)
@given(canary=values, baseline=values, by=st.integers(-500, 500))
def test_ranks__of_a_series_moved__move_as_far(
    canary: list[float], baseline: list[float], by: int
) -> None:
    moved = judge.mann_whitney([one + by for one in canary], baseline)
    found = judge.mann_whitney(canary, baseline)
    assert moved.effect == (found.effect or 0) + by


def test_ranks__of_what_is_no_number__are_of_the_rest() -> None:
    series = [1.0, 2.0, 3.0, 4.0, 5.0]
    broken = [math.nan, *series, math.inf]
    assert judge.mann_whitney(broken, series) == judge.mann_whitney(series, series)


def test_ranks__of_very_long_series__are_of_as_many_evenly_as_are_compared() -> None:
    falling = [float(-at) for at in range(20_000)]
    found = judge.mann_whitney(falling, [one + 100_000 for one in falling])
    assert found.classification == "low"
    assert found.effect == -100_000


@pytest.mark.parametrize(("m", "n"), [(5, 5), (12, 30), (49, 49)])
def test_the_interval__leaves_out_no_more_than_it_says(m: int, n: int) -> None:
    canary, baseline = [math.sqrt(at) for at in range(m)], [math.log(2 + at) for at in range(n)]
    found = judge.mann_whitney(canary, baseline)
    shifts = sorted(a - b for a in canary for b in baseline)
    below = shifts.index(found.lower or 0)
    assert ranks._distribution(m, n)[below] < 0.01 <= ranks._distribution(m, n)[below + 1]


def test_the_interval__of_many_values__is_nearly_as_counted_out() -> None:
    series = [float(at) for at in range(49)]
    shifted = [one + 0.37 for one in series]
    few = judge.mann_whitney(series, shifted)
    many = judge.mann_whitney([*series, 24.0, 25.0], [*shifted, 24.0, 25.0])
    assert many.lower == pytest.approx(few.lower, abs=1)


def test_score__is_the_weight_of_what_passed() -> None:
    good = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    passed = judge.mann_whitney(good, good)
    failed = judge.mann_whitney([one + 50 for one in good], good)
    silent = judge.mann_whitney([], good)
    found = {"orders": passed, "baskets": failed, "visits": silent}
    assert judge.score(found) == 50
    assert judge.score(found, {"orders": 3}) == 75
    assert judge.score(found, critical=["baskets"]) == 0
    assert judge.score(found, critical=["visits"]) is None
    assert judge.score({"visits": silent}) is None


def test_needed__is_less_at_more_errors_a_larger_effect_and_less_dispersion() -> None:
    usual: dict[str, Any] = {"rate": 0.01, "alpha": 0.05, "phi": 2.0}
    wanted = judge.needed(**usual) or 0
    assert wanted > (judge.needed(**{**usual, "rate": 0.02}) or 0) > 0
    assert wanted > (judge.needed(**usual, effect=5.0) or 0) > 0
    assert wanted > (judge.needed(**{**usual, "phi": 1.0}) or 0) > 0
    assert judge.needed(**usual, seen=wanted - 7) == 7
    assert judge.needed(**usual, seen=10**9) == 0


@pytest.mark.parametrize("usual", [{"rate": 0}, {"effect": 1.0}, {"canary_share": 1}])
def test_needed__where_it_would_never_be_found__is_not_known(usual: dict[str, Any]) -> None:
    assert judge.needed(**{"rate": 0.01, "alpha": 0.05, **usual}) is None
