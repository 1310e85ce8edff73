"""Which release policies apply to what, and which of them wins: cases, and what holds for all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from releases.engine import plans
from releases.engine.checks import Check, Kind, Role, Trouble
from releases.engine.plans import Reaction
from releases.engine.policies import Moved, Policy, missing, only_warned_of, rule, uses

CASES = json.loads((Path(__file__).parents[2] / "cases" / "release_policies.json").read_text())
_NAMES = ("environments", "services", "tags")


def a_check(key: str, **fields: Any) -> Check:
    return Check(key=key, kind=Kind.ERROR_RATE, threshold=5, **fields)


def a_policy(key: str, **said: Any) -> Policy:
    names: dict[str, Any] = {name: frozenset(said.get(name, ())) for name in _NAMES}
    checks = tuple(a_check(one) for one in said.get("checks", ()))
    return Policy(key=key, checks=checks, templates=tuple(said.get("templates", ())), **names)


POLICIES = [a_policy(key, **said) for key, said in CASES["policies"].items()]


@pytest.mark.parametrize("case", [pytest.param(one, id=one["name"]) for one in CASES["cases"]])
def test_policies__of_a_case__apply_and_win_as_it_says(case: dict[str, Any]) -> None:
    said = case["moved"]
    names = {name: frozenset(said.get(name, ())) for name in ("services", "tags")}
    ruling = rule(POLICIES, Moved(said["environment"], **names))
    assert [one.key for one in ruling.policies] == case["applies"]
    assert {key: one.key for key, one in ruling.winners.items()} == case["checks"]
    assert (ruling.requiring.key if ruling.requiring else None) == case["requires"]


keys = st.sampled_from(["a", "b", "c"])
some = st.frozensets(keys, max_size=2)
policies = st.builds(
    a_policy,
    keys,
    environments=some,
    services=some,
    tags=some,
    checks=some.map(sorted),
    templates=some.map(sorted),
)
moved = st.builds(Moved, keys, some, some)


@given(st.lists(policies, max_size=6, unique_by=lambda one: one.key), moved, st.randoms())
def test_policies__in_any_order__rule_alike_and_no_check_of_theirs_is_lost(
    found: list[Policy], about: Moved, random: Any
) -> None:
    ruling = rule(found, about)
    shuffled = list(found)
    random.shuffle(shuffled)
    assert rule(shuffled, about) == ruling
    applying = [one for one in found if one.applies_to(about)]
    wanted = {check.key for one in applying for check in one.checks}
    assert {check.key for check in ruling.checks} == wanted
    for policy in applying:
        for _key, winner in ruling.overruled(policy):
            assert winner.precedence < policy.precedence
    bare = plans.in_place()
    assert {check.key for check in missing(bare, ruling)} == wanted
    assert not list(missing(replace(bare, checks=ruling.checks), ruling))


PLAN = plans.canary([5_000, 100_000], soak_s=60, checks=(a_check("own"),))
RULING = rule([a_policy("p", checks=["errors"])], Moved("production"))


def test_a_plan__with_further_checks__still_uses_its_template_and_with_less_does_not() -> None:
    more = replace(PLAN, checks=(*PLAN.checks, a_check("more")))
    assert uses(more, PLAN, RULING, instead=["own"])
    assert not uses(more, PLAN, RULING, instead=["more"])
    taken = replace(PLAN, checks=(a_check("errors"), *PLAN.checks))
    given = replace(PLAN, checks=(a_check("errors", window_s=60), *PLAN.checks))
    assert uses(given, taken, RULING, instead=())
    for changed in (
        replace(PLAN, checks=()),
        replace(PLAN, checks=(replace(PLAN.checks[0], role=Role.DRY_RUN),)),
        replace(PLAN, steps=PLAN.steps[1:]),
        replace(PLAN, steps=(replace(PLAN.steps[0], gate=True), *PLAN.steps[1:])),
        replace(PLAN, cohorts=("staff",)),
        replace(PLAN, on={**PLAN.on, Trouble.DEADLINE: Reaction.WARN}),
        replace(PLAN, watch_s=0),
    ):
        assert not uses(changed, PLAN, RULING, instead=())


def test_a_plan__that_only_warns__is_told_where_a_policy_watches_more_than_for_show() -> None:
    on = {**PLAN.on, Trouble.NO_DATA: Reaction.WARN, Trouble.DEADLINE: Reaction.WARN}
    warns = replace(PLAN, on=on)
    assert only_warned_of(warns, RULING) == [Trouble.NO_DATA]
    shown = Policy(key="p", checks=(a_check("errors", role=Role.DRY_RUN),))
    assert only_warned_of(warns, rule([shown], Moved("production"))) == []
    assert only_warned_of(warns, rule([], Moved("production"))) == []
