"""Plans and checks as documents: the same when read again, and every mistake named."""

from typing import Any

import pytest
import yaml
from hypothesis import given, strategies as st

from flags.engine.sketch import Sketch
from portal.lib.documents import DocumentError
from releases.engine import plans, steps
from releases.engine.advice import MATRIX, advise
from releases.engine.checks import Check, Kind, Trouble, read_check
from releases.engine.plans import Plan, Reaction, ReturnStrategy, Strategy, read_plan
from releases.engine.promql import Reading, failed_to_read
from releases.engine.rollback_config import read_rollback_config
from releases.engine.steps import Step
from releases.engine.tally import Tally
from releases.engine.verdicts import Judgement, Probes, Verdict, judge

CANARY = plans.canary([5_000, 25_000, 50_000, 100_000], soak_s=300, gate_after=25_000)
ERRORS = {"key": "errors", "kind": "error_rate", "threshold": 5}
GUIDE = """
triggers:
  error_rate:
    threshold: 5%
    window: 5m
  response_time:
    p95_threshold: 2000ms
    window: 5m
  health_check_failures:
    threshold: 3
    window: 2m
rollback_strategy: "immediate"  # or "gradual"
notification_channels:
  - slack
  - email
  - pagerduty
"""


def problems_of(read: Any, document: object) -> list[str]:
    with pytest.raises(DocumentError) as error:
        read(document)
    return [str(one) for one in error.value.problems]


def test_canary__shares_and_a_gate__soaks_on_each_but_the_last() -> None:
    assert CANARY.steps == (
        Step(5_000, 300),
        Step(25_000, 300, gate=True),
        Step(50_000, 300),
        Step(100_000),
    )
    assert plans.feature_flag([1_000, 100_000], soak_s=60).strategy is Strategy.FEATURE_FLAG
    assert plans.in_place().steps == (Step(100_000),)


@pytest.mark.parametrize("plan", [CANARY, plans.in_place(watch_s=0)])
def test_read_plan__what_a_plan_says_of_itself__is_that_plan(plan: Plan) -> None:
    assert read_plan(plan.document) == plan


@given(
    st.sets(st.integers(1, 99_999), max_size=8),
    st.integers(0, 3600),
    st.sampled_from(plans.InFreeze),
    st.sampled_from(Reaction),
    st.booleans(),
)
def test_read_plan__any_plan__comes_back(
    shares: set[int], soak_s: int, freeze: plans.InFreeze, reaction: Reaction, proof: bool
) -> None:
    plan = plans.canary(
        [*sorted(shares), 100_000],
        soak_s=soak_s,
        cohorts=("staff",),
        checks=(read_check(ERRORS),),
        on={**dict.fromkeys(CANARY.on, reaction), Trouble.DEPLOYMENT: Reaction.HOLD},
        in_freeze=freeze,
        proof_of_return=proof,
    )
    assert read_plan(plan.document) == plan


def test_curves__from_a_first_share__rise_to_all() -> None:
    assert steps.linear(10_000, 4) == [10_000, 40_000, 70_000, 100_000]
    assert steps.exponential(1_000, 3) == [1_000, 10_000, 100_000]
    for curve in steps.CURVES.values():
        read_plan(plans.canary(curve(1_000, 12), soak_s=1).document)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "steps: Give at least one."),
        ({"steps": [{"share": 100}] * 10_000}, "steps: Give a list of 0 to 50, not 10000."),
        (
            {"steps": [{"share": 25}, {"share": 5}, {"share": 100}]},
            "steps[1].share: Give a larger share than the step before.",
        ),
        ({"steps": [{"share": 50}]}, "steps[0].share: Let the last step reach 100 %."),
        (
            {"steps": [{"share": 0}, {"share": 100}]},
            "steps[0].share: Give a share above 0 %; cohorts come first by themselves.",
        ),
        (
            {"steps": [{"share": float("nan")}]},
            "steps[0].share: Give a finite number, of at most 1.7e308.",
        ),
        (
            {"steps": [{"share": 5}, {"work": "synthetic"}, {"share": 100}]},
            "steps[1].work: Let tagged requests have it once, before any share.",
        ),
        (
            {"steps": [{"work": "synthetic"}, {"work": "synthetic"}, {"share": 100}]},
            "steps[1].work: Let tagged requests have it once, before any share.",
        ),
        ({"steps": [{"work": "synthetic"}]}, "steps[0].share: Let the last step reach 100 %."),
        (
            {"strategy": "in_place", "steps": [{"work": "synthetic"}, {"share": 100}]},
            "steps: In place is one step; take a canary for more.",
        ),
        (
            {"steps": [{"work": "synthetic", "minimum_requests": 0}, {"share": 100}]},
            "steps[0].minimum_requests: Give",
        ),
        ({"checks": [ERRORS, ERRORS]}, "Give each check a key of its own; errors is there twice."),
        ({"colour": "red"}, "Remove the unknown field colour"),
        ({"on": {"regression": "panic"}}, "There is no reaction 'panic'"),
    ],
)
def test_read_plan__mistakes__are_named(changes: dict[str, object], said: str) -> None:
    found = problems_of(read_plan, CANARY.document | changes)
    assert any(said in one for one in found), found


def test_the_step_of_tagged_requests__comes_back_and_asks_checks_for_no_more_than_it_says() -> None:
    tagged = {"work": "synthetic", "soak_s": 60, "gate": True, "minimum_requests": 20}
    plan = read_plan(
        CANARY.document
        | {"steps": [tagged, {"share": 100}], "cohorts": ["staff"], "checks": [ERRORS]}
    )
    assert read_plan(plan.document) == plan
    assert [step.work.value for step in plan.all_steps] == ["synthetic", "route", "route"]
    assert (plan.first_routed, plan.first, plan.shares) == (0, 1, (100_000,))
    least = [[one.minimum_requests for one in plan.checks_at(step)] for step in (0, 1)]
    assert least == [[20], [100]]
    unsaid = read_plan(plan.document | {"steps": [{"work": "synthetic"}, {"share": 100}]})
    assert [one.minimum_requests for one in unsaid.checks_at(0)] == [100]


@pytest.mark.parametrize(
    "document",
    [
        ERRORS,
        ERRORS | {"role": "signal", "window_s": 60, "minimum_errors": 1, "counts_clients": True},
        {"key": "slow", "kind": "latency", "threshold": 800.5, "quantile": 0.99},
        {"key": "up", "kind": "http", "threshold": 3, "url": "http://127.0.0.1:1/health"},
        {"key": "ask", "kind": "webhook", "threshold": -1, "url": "https://example.com/x"},
    ],
)
def test_read_check__what_a_check_says_of_itself__is_that_check(document: dict[str, Any]) -> None:
    check = read_check(document)
    assert read_check(check.document) == check
    assert document.items() <= check.document.items()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 101}, "threshold: Give a percentage from 0 to 100."),
        ({"threshold": float("inf")}, "threshold: Give a finite number"),
        ({"kind": "magic"}, "kind: There is no kind of check 'magic'"),
        ({"window_s": 5}, "window_s: Give a whole number from 10 to 3600."),
        ({"url": "http://x/"}, "url: Remove the unknown field url"),
    ],
)
def test_read_check__mistakes__are_named(changes: dict[str, object], said: str) -> None:
    found = problems_of(read_check, ERRORS | changes)
    assert any(said in one for one in found), found


def tally(requests: int, errors: int = 0, *, slow: int = 0) -> Tally:
    durations = Sketch()
    if requests - slow:
        durations.add(100.0, requests - slow)
    if slow:
        durations.add(5000.0, slow)
    return Tally(requests, errors, durations)


FAILS, PASSES = Verdict.FAILED, Verdict.PASSED
LATENCY = Check(key="slow", kind=Kind.LATENCY, threshold=2000)
PROBE = Check(key="up", kind=Kind.HTTP, threshold=3, url="http://x/")
HOOK = Check(key="ask", kind=Kind.WEBHOOK, threshold=1, url="http://x/")


@pytest.mark.parametrize(
    ("check", "measured", "verdict", "wanting"),
    [
        (read_check(ERRORS), tally(0), Verdict.NO_DATA, 100),
        (read_check(ERRORS), tally(99, 99), Verdict.INCONCLUSIVE, 1),
        (read_check(ERRORS), tally(100, 5), PASSES, 0),
        (read_check(ERRORS), tally(100, 6), FAILS, 0),
        (read_check(ERRORS | {"minimum_errors": 10}), tally(100, 9), Verdict.INCONCLUSIVE, 0),
        (read_check(ERRORS), tally(100_000), PASSES, 0),
        (LATENCY, tally(100, slow=4), PASSES, 0),
        (LATENCY, tally(100, slow=6), FAILS, 0),
        (LATENCY, tally(50, slow=50), Verdict.INCONCLUSIVE, 50),
        (LATENCY, Tally(1000, 0), Verdict.NO_DATA, 100),
        (PROBE, Probes(0, 0), Verdict.NO_DATA, 1),
        (PROBE, Probes(12, 2), PASSES, 0),
        (PROBE, Probes(12, 3), FAILS, 0),
        (HOOK, Reading(1.0), PASSES, 0),
        (HOOK, Reading(1.1), FAILS, 0),
        (HOOK, Reading(float("nan")), Verdict.ERROR, 0),
        (HOOK, Reading(float("inf")), FAILS, 0),
        (HOOK, Reading(detail="nothing yet"), Verdict.NO_DATA, 0),
        (HOOK, failed_to_read("it is away"), Verdict.ERROR, 0),
        (HOOK, None, Verdict.ERROR, 0),
    ],
)
def test_judge__a_measurement__says_this(
    check: Check, measured: Any, verdict: Verdict, wanting: int
) -> None:
    judgement = judge(check, measured)
    assert (judgement.verdict, judgement.wanting) == (verdict, wanting)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_judge__no_data__is_never_a_pass(requests: int, errors: int) -> None:
    check = read_check(ERRORS)
    judgement: Judgement = judge(check, tally(requests, min(requests, errors)))
    if requests < check.minimum_requests:
        assert judgement.verdict in (Verdict.NO_DATA, Verdict.INCONCLUSIVE)


def test_the_guides_rollback_config__as_it_stands__is_three_guardrails() -> None:
    config = read_rollback_config(yaml.safe_load(GUIDE))
    assert [(one.key, one.threshold, one.window_s) for one in config.checks] == [
        ("error_rate", 5.0, 300),
        ("response_time", 2000.0, 300),
        ("health_check_failures", 3, 120),
    ]
    assert config.return_strategy is ReturnStrategy.IMMEDIATE
    assert config.channels == ("slack", "email", "pagerduty")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"triggers": {"error_rate": {"threshold": "5%", "window": "5 years"}}}, "such as 5m"),
        ({"triggers": {"error_rate": {"threshold": "500%", "window": "5m"}}}, "such as 5%"),
        ({"triggers": {"mood": {}}}, "triggers.mood: Remove the unknown field mood"),
        ({"rollback_strategy": "maybe"}, "There is no strategy 'maybe'"),
        ({"notification_channels": ["smoke"]}, "There is no channel 'smoke'"),
    ],
)
def test_rollback_config__mistakes__are_named(changes: dict[str, object], said: str) -> None:
    found = problems_of(read_rollback_config, yaml.safe_load(GUIDE) | changes)
    assert any(said in one for one in found), found


def test_advise__every_answer_of_the_guide__names_a_strategy() -> None:
    everything = frozenset({"canary", "feature_flag", "in_place", "blue_green", "rolling"})
    for concern, answers in MATRIX.items():
        for answer, strategy in answers.items():
            assert advise(concern, answer, possible=everything).strategy == strategy
    few = advise("zero_downtime_required", "high_traffic", possible=frozenset({"canary"}))
    assert (few.strategy, few.instead_of) == ("canary", "blue_green")
