"""The judge over whole releases as the bench makes them; each is the same every time."""

import math
from bisect import bisect
from collections import Counter
from itertools import accumulate
from random import Random

import pytest

from bench import judge as bench
from bench.judge_traffic import (
    BURSTS,
    INSTANCE,
    SINGLE,
    Scenario,
    Traffic,
    _table,
)
from releases.engine import judge
from releases.engine.judge import Arm, Stratum


def fired(scenario: Scenario, times: float = 1.0, runs: int = 40) -> Counter[str]:
    return Counter(way for seed in range(runs) for way in bench.release(scenario, seed, times))


@pytest.mark.parametrize("errors", [SINGLE, BURSTS, INSTANCE])
def test_equal_versions__under_drift__are_told_apart_by_all_but_the_judge(errors: str) -> None:
    found = fired(Scenario(0.05, True, errors))
    assert found[bench.JUDGE] <= 3
    assert found[bench.FIXED] > 8
    assert found[bench.POOLED] == 40


def test_twice_as_many_errors__are_found_in_every_release() -> None:
    assert fired(Scenario(0.01, True, SINGLE), times=2.0)[bench.JUDGE] == 40
    assert fired(Scenario(0.05, False, BURSTS), times=2.0)[bench.JUDGE] == 40


def test_instances_that_nobody_tells_apart__are_taken_for_a_difference() -> None:
    """So the page says that the baseline is not equivalent, where no instance is told."""
    found = fired(Scenario(0.05, False, INSTANCE))
    assert found[bench.UNTOLD] > 8 >= 3 >= found[bench.JUDGE]


def test_what_the_bench_promises__is_held_against_its_counts() -> None:
    steady, drifting = Scenario(0.01, False, SINGLE), Scenario(0.01, True, SINGLE)
    good = {steady: Counter(judge=25), drifting: Counter(judge=25, pooled=400)}
    assert not bench.broken(good, runs=500)
    bad = {steady: Counter(judge=26), drifting: Counter(judge=0, pooled=25)}
    assert len(bench.broken(bad, runs=500)) == 2


@pytest.mark.parametrize(("n", "p"), [(30, 0.001), (150, 0.05), (37, 0.6), (750, 0.2)])
def test_counts__are_drawn_from_the_binomial_distribution(n: int, p: float) -> None:
    least, table = _table(n, p)
    exact = list(accumulate(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)))
    assert table == pytest.approx(exact[least : least + len(table)], abs=1e-9)
    assert exact[least + len(table)] == pytest.approx(1)


def test_bursts__come_five_at_a_time() -> None:
    buckets = Traffic(Scenario(0.05, False, BURSTS), Random(1)).buckets()
    counts = [bucket.stratum.canary.errors for bucket in buckets]
    assert sum(counts)
    assert not any(count % 5 for count in counts)


@pytest.mark.parametrize("phi", [1.0, 4.0])
@pytest.mark.parametrize("rate", [0.001, 0.05])
def test_after_as_many_requests_as_are_needed__four_of_five_doublings_are_found(
    rate: float, phi: float
) -> None:
    """Errors come phi at a time here, and the judge knows."""
    needed = judge.needed(rate=rate, alpha=0.05, phi=phi) or 0
    random, each, size = Random(1), needed // 2, int(phi)
    found = 0
    for _release in range(400):
        arms = []
        for times in (2, 1):
            least, table = _table(each // size, times * rate)
            arms.append(Arm(each, size * (least + bisect(table, random.random()))))
        found += judge.evidence([Stratum(*arms)], phi=phi) >= 20
    assert 0.72 < found / 400 < 0.9
