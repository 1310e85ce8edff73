"""Canaries beside their baseline: what is compared, what fires, and what only holds."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from flags.engine.sketch import Sketch, bucket_of
from portal.access.models import Environment, User
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.core import check_words, commands, descriptions, planning
from releases.core.descriptions import outcome_words
from releases.core.models import Comparison, Measurement, Release
from releases.telemetry.models import OutcomeBucket
from tests.support.people import acting
from tests.support.releasing import (
    DIGEST,
    a_release,
    a_service,
    a_setup,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    serve,
    tick,
)

WORSE = {"key": "worse", "kind": "error_comparison"}
STEPS = [{"share": 5, "soak_s": 600}, {"share": 25, "soak_s": 600}, {"share": 50, "soak_s": 600},
         {"share": 100}]  # fmt: skip
PLAN = {"steps": STEPS, "proof_of_return": False}


def words(release: Release, key: str = "worse") -> str:
    (check,) = (one for one in release.parsed_plan.checks if one.key == key)
    return check_words.verdict_words(check, release.checks[key])


def canary_with(place: Environment, person: User, *checks: dict[str, Any], **plan: Any) -> Release:
    service = routed_by_flag(place, checks=checks)
    return a_release(service, place, person, plan=PLAN | plan)


@pytest.fixture
def canary(development: Environment, alice: User) -> Release:
    return canary_with(development, alice, WORSE)


def test_one_with_more_errors_than_its_baseline__is_taken_back_with_its_evidence(
    canary: Release,
) -> None:
    back = serve(canary, *[((200, 8), (200, 2))] * 30)
    assert back.state == "rolled_back"
    assert outcome_words(back) == (
        "Rolled back by the check “worse”: new version +3 points (at least +2.2), 6,000 "
        "against 6,000 requests; evidence over 1,000,000 of 20 needed. "
        "Allowed: error rate not above the baseline's."
    )
    assert back.because["numbers"]["lower"] > 0.01
    assert back.because["requests"] == 6000


def test_one_like_its_baseline__goes_up_and_is_not_compared_at_the_end(canary: Release) -> None:
    serve(canary, *[((200, 2), (200, 2))] * 20)
    assert words(fresh(canary)).startswith("new version +0 points (at least -")
    assert "400 requests" not in words(fresh(canary))  # all of the step, not a window
    for step in (1, 2):
        assert let_pass(canary, 601).step == step
        serve(canary, *[((1000, 10), (1000, 10))] * 6)
    done = tick(let_pass(canary, 601))
    assert (done.state, done.checks["worse"]) == ("succeeded", {"idle": True})
    assert "nobody gets another version" in words(done)
    numbers = Measurement.objects.filter(check_key="worse").last()
    assert numbers is not None
    assert numbers.requests == 20 * 200 + 2 * 6 * 1000  # the evidence is of all steps


def test_without_requests_of_the_baseline__it_is_held_and_says_so(canary: Release) -> None:
    held = serve(canary, *[((200, 2), (0, 0))] * 3)
    held = let_pass(held, 601)
    assert (held.state, held.step) == ("held", 0)
    assert [(one["cause"], one["wanting"]) for one in held.holds] == [("no_data", 100)]
    assert words(held) == "No requests of the baseline yet. Needs 100 more requests."


def test_with_too_few_requests__it_says_how_many_more_and_when(canary: Release) -> None:
    few = serve(canary, *[((10, 0), (10, 0))] * 6)
    assert few.checks["worse"]["verdict"] == "inconclusive"
    assert few.checks["worse"]["wanting"] == 40
    assert "Needs 40 more requests, about " in words(few)
    held = let_pass(few, 601)
    (hold,) = held.holds
    assert "needs 40 more requests" in descriptions.hold_words(held, hold)
    assert "Expected about " in descriptions.hold_words(held, hold)


def test_a_threshold__whose_window_never_holds_enough__says_that_too(
    development: Environment, alice: User
) -> None:
    check = {"key": "worse", "kind": "error_rate", "threshold": 5, "window_s": 60}
    canary = canary_with(development, alice, check)
    let_pass(canary, 60)
    outcomes(canary, 50)
    said = words(tick(canary))
    assert said.endswith("Needs 50 more requests; at the present rate they never come within its "
                         "window.")  # fmt: skip


def test_what_is_not_settled__waits__and_is_counted_once(canary: Release) -> None:
    outcomes(canary, 100, errors=1)
    outcomes(canary, 100, errors=1, version="baseline")
    assert "worse" in tick(canary).checks
    assert fresh(canary).checks["worse"]["verdict"] == "no_data"
    looks = [let_pass(canary, 21) for _look in range(3)]
    assert looks[-1].checks["worse"]["numbers"]["here"] == [100, 1, 100, 1]


def test_versions_that_tell_at_different_seconds__are_one_stratum(canary: Release) -> None:
    """As exporters do that tell a minute at once."""
    minute = [((1200, 12), (0, 0)), ((0, 0), (0, 0)), ((0, 0), (1200, 12))]
    told = serve(canary, *minute, *minute)
    assert (told.checks["worse"]["requests"], told.checks["worse"]["errors"]) == (2400, 24)
    assert told.checks["worse"]["numbers"]["evidence"] > 0.1


def test_evidence_that_was_dismissed__begins_anew_and_fires_again(
    development: Environment, alice: User
) -> None:
    canary = canary_with(development, alice, WORSE | {"role": "signal"})
    bad = [((200, 12), (200, 1))] * 12
    held = serve(canary, *bad)
    assert [one["cause"] for one in held.holds] == ["regression"]
    commands.dismiss(release=held, check="worse", intent=Intent(acting(alice), "a known bug"))
    anew = serve(canary, *[((50, 0), (50, 0))] * 3)
    assert (anew.state, anew.holds) == ("running", [])
    assert anew.checks["worse"]["requests"] == 150
    assert serve(canary, *bad).state == "held"


def test_a_failure_that_a_promotion_skips__does_not_hold_the_next_step(
    development: Environment, alice: User
) -> None:
    canary = canary_with(development, alice, WORSE | {"role": "signal"})
    held = serve(canary, *[((200, 12), (200, 1))] * 12)
    commands.promote(release=held, intent=Intent(acting(alice), "a known bug, mended"))
    moved = serve(canary, *[((200, 2), (200, 2))] * 3)
    assert (moved.state, moved.step) == ("running", 1)


def test_a_step_that_is_measured_anew__begins_without_evidence(
    development: Environment, alice: User
) -> None:
    canary = canary_with(development, alice, WORSE | {"role": "signal"})
    assert serve(canary, *[((200, 12), (200, 1))] * 12).state == "held"
    commands.retry(release=fresh(canary), intent=Intent(acting(alice), "it was the database"))
    assert serve(canary, *[((200, 2), (200, 2))] * 3).state == "running"


def test_a_gradual_return__goes_by_steps__unless_it_still_fails(
    development: Environment, alice: User
) -> None:
    canary = canary_with(development, alice, WORSE, return_strategy="gradual")
    serve(canary, *[((1000, 5), (1000, 5))] * 12)
    let_pass(canary, 601)
    back = serve(canary, *[((1000, 40), (1000, 5))] * 12)
    assert (back.state, back.wanted["share"]) == ("rolling_back", 5000)


def test_alpha__is_shared_by_weight_over_what_compares(
    development: Environment, alice: User
) -> None:
    slow = {"key": "slow", "kind": "latency_comparison", "slower_than_ms": 500, "weight": 2}
    third = WORSE | {"key": "third", "role": "dry_run"}
    canary = serve(canary_with(development, alice, WORSE, slow, third), ((200, 2), (200, 2)))
    needed = {key: round(one["numbers"]["needed"]) for key, one in canary.checks.items()}
    assert needed == {"worse": 80, "slow": 40, "third": 80}


def test_more_slow_requests__take_it_back(development: Environment, alice: User) -> None:
    slow = {"key": "slow", "kind": "latency_comparison", "slower_than_ms": 500}
    canary = canary_with(development, alice, slow)
    now = clock.database_now()
    for at in range(30):
        for version, late in (("2.0", 10), ("baseline", 1)):
            sketch = Sketch({bucket_of(100): 190, bucket_of(500): 5, bucket_of(900): late})
            OutcomeBucket.objects.create(
                environment=development,
                about="service",
                name="checkout",
                version=version,
                start=now + timedelta(seconds=10 * at),
                requests=195 + late,
                durations=sketch.dump(),
            )
    back = let_pass(canary, 321)
    assert back.state == "rolled_back"
    assert back.because["errors"] == 300  # what took 500 ms is not slow
    assert "Allowed: share slower than 500 ms not above the baseline's." in outcome_words(back)


@pytest.fixture
def by_hand(development: Environment, alice: User) -> Release:
    """A canary beside the rest of the traffic: its router has no baseline."""
    service = a_service(development.project)
    a_setup(service, development)
    plan = {"steps": [{"share": 100}], "proof_of_return": False}
    first = a_release(service, development, alice, version="1.0", plan=plan)
    assert confirmed(first, alice).state == "succeeded"
    a_setup(service, development, checks=[WORSE | {"minimum_errors": 1}])
    canary = a_release(service, development, alice, plan=PLAN)
    return confirmed(canary, alice)


def confirmed(release: Release, person: User) -> Release:
    commands.confirm(release=tick(release), intent=Intent(acting(person), ""))
    return tick(release)


def failures(dice: Random, requests: int, rate: float) -> int:
    return sum(dice.random() < rate for _request in range(requests))


def by_shares(dice: Random, canary: Release, alice: User, *, times: float = 1.0) -> list[Release]:
    """As the rate of errors drifts from 0.5 % to 1.5 % while the share grows from 5 % to 50 %."""
    found = []
    for share, rate in ((0.05, 0.005), (0.25, 0.01), (0.5, 0.015)):
        n_c, n_b = round(20_000 * share), round(20_000 * (1 - share))
        buckets = [
            ((n_c, failures(dice, n_c, rate * times)), (n_b, failures(dice, n_b, rate)))
            for _bucket in range(12)
        ]
        found.append(serve(canary, *buckets, baseline="1.0"))
        if found[-1].state != "running":
            return found
        confirmed(let_pass(canary, 601), alice)
    return found


def test_a_base_rate_that_drifts_with_the_share__is_no_difference(
    by_hand: Release, alice: User
) -> None:
    found = by_shares(Random(13), by_hand, alice)
    assert [one.state for one in found] == ["running"] * 3
    assert found[-1].checks["worse"]["numbers"]["evidence"] < 1
    pooled = found[-1].checks["worse"]
    canary = pooled["errors"] / pooled["requests"]
    requests, errors = pooled["numbers"]["baseline"]
    assert canary > 1.3 * errors / requests  # which pooling would have called a third more


def test_a_doubled_canary__beside_the_rest_of_the_traffic__only_holds(
    by_hand: Release, alice: User
) -> None:
    found = by_shares(Random(13), by_hand, alice, times=2.0)
    assert found[-1].state == "held"
    assert [one["cause"] for one in found[-1].holds] == ["regression"]


def test_a_comparison_without_a_baseline__says_in_the_preview_that_it_only_holds(
    by_hand: Release, development: Environment
) -> None:
    document = {
        "service": "checkout",
        "artefact": {"version": "3.0", "digest": DIGEST},
        "strategy": "canary",
        "plan": PLAN,
    }
    found = planning.preview(
        project=development.project, environment=development, document=document
    )
    (remark,) = found.remarks
    assert "worse compares with the stable version, for the router has no baseline." in remark


def test_the_dispersion_of_a_service__is_remembered_for_its_next_release(
    canary: Release, alice: User, development: Environment
) -> None:
    serve(canary, *[((200, 10), (200, 0)), ((200, 0), (200, 10))] * 8)
    known = Comparison.objects.get().phi
    assert known is not None
    assert known > 5
    commands.abort(release=fresh(canary), intent=Intent(acting(alice), "enough"))
    following = a_release(canary.service, development, alice, version="3.0", plan=PLAN)  # type: ignore[arg-type]
    first = serve(following, ((200, 2), (200, 2)))
    assert first.checks["worse"]["numbers"]["phi"] == pytest.approx(known)


def values(release: Release, canary: list[float], baseline: list[float]) -> Release:
    """A mean value of each version in each minute."""
    now = clock.database_now()
    for version, means in (("2.0", canary), ("baseline", baseline)):
        for at, mean in enumerate(means):
            OutcomeBucket.objects.create(
                environment=release.environment,
                about="service",
                name="checkout",
                version=version,
                start=now + timedelta(seconds=60 * at),
                requests=10,
                values=10,
                value_sum=10 * mean,
            )
    return let_pass(release, 601)


REVENUE = {"key": "revenue", "kind": "value_comparison"}
LESS, MORE = [10.0, 11, 10.5, 9.8, 10.2, 10.1, 9.9, 10.4], [20.0, 21, 19.5, 20.2, 20.4, 19, 22, 21]


def test_lower_values__hold_it_once_its_step_is_over(development: Environment, alice: User) -> None:
    canary = canary_with(development, alice, REVENUE)
    held = values(canary, LESS, MORE)
    assert [one["cause"] for one in held.holds] == ["regression"]
    assert "in 8 against 8 windows: worse than the baseline." in words(held, "revenue")
    outcomes(canary, 10)
    assert tick(canary).checks["revenue"]["verdict"] == "failed"  # once per step


def test_higher_values__are_no_reason_to_hold(development: Environment, alice: User) -> None:
    assert values(canary_with(development, alice, REVENUE), MORE, LESS).step == 1


def test_values_of_four_windows__are_too_few(development: Environment, alice: User) -> None:
    held = values(canary_with(development, alice, REVENUE), LESS[:4], MORE[:4])
    assert [one["cause"] for one in held.holds] == ["no_data"]
    assert "needs values of 5 windows" in descriptions.hold_words(held, held.holds[0])


@pytest.mark.parametrize("kind", ["value_comparison", "new_error_types"])
def test_what_is_no_bounded_test__may_not_roll_back(
    development: Environment, alice: User, kind: str
) -> None:
    with pytest.raises(Invalid) as refused:
        canary_with(development, alice, {"key": "x", "kind": kind, "role": "guardrail"})
    assert "never rolls it back: take signal or dry_run." in str(refused.value.problems)


def types(release: Release, version: str, **kinds: int) -> None:
    OutcomeBucket.objects.create(
        environment=release.environment,
        about="service",
        name="checkout",
        version=version,
        start=clock.database_now(),
        requests=500,
        errors=sum(kinds.values()),
        error_types=kinds,
    )
    let_pass(release, 11)


def test_errors_of_a_type_that_only_it_has__hold_it(development: Environment, alice: User) -> None:
    canary = canary_with(development, alice, {"key": "types", "kind": "new_error_types"})
    types(canary, "baseline", Timeout=3)
    types(canary, "2.0", Timeout=40, KeyError=4)
    assert fresh(canary).holds == []
    assert words(fresh(canary), "types") == "No new types of errors in 500 requests."
    types(canary, "2.0", KeyError=1)
    held = fresh(canary)
    assert [one["cause"] for one in held.holds] == ["regression"]
    assert words(held, "types") == "Only the new version has errors of these types: KeyError (5)."
