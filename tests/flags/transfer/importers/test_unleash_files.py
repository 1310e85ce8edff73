"""What of Unleash's toggles cannot be taken over is said; a bad one harms no other."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import DocumentError
from flags.transfer.importers import FileRefused, ImportPlan, plan_import
from tests.flags.engine.documents import any_json, any_text, relaxed
from tests.flags.transfer.importers.plans import compiled
from tests.flags.transfer.importers.unleash import Imported, plan_unleash

FINE = {"name": "fine", "enabled": True, "strategies": [{"name": "default"}]}


def toggle(**changes: Any) -> dict[str, Any]:
    return {"name": "bad", "enabled": True, "strategies": [], **changes}


def strategy(**changes: Any) -> dict[str, Any]:
    return toggle(strategies=[{"name": "default", **changes}])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (toggle(enabled="yes"), "enabled: expected true or false, found 'yes'"),
        (toggle(strategies={}), "strategies: expected a list, found an object"),
        (toggle(strategies=["default"]), "strategies[0]: expected an object, found 'default'"),
        (toggle(type=5), "type: expected a text, found 5"),
        (strategy(name=None), "strategies[0].name: expected a text, found null"),
        (strategy(parameters=[]), "strategies[0].parameters: expected an object, found a list"),
        (
            strategy(parameters={"x": []}),
            "strategies[0].parameters.x: expected a text, found a list",
        ),
        (
            strategy(constraints=[{"contextName": "x"}]),
            "strategies[0].constraints[0].operator: expected a text, found null",
        ),
        (
            strategy(constraints=[{"contextName": "x", "operator": "IN", "values": [{}]}]),
            "strategies[0].constraints[0].values[0]: expected a text, found an object",
        ),
        (
            toggle(variants=[{"name": "a", "weight": -1}]),
            "variants[0].weight: a weight is a whole number from 0, not -1",
        ),
        (
            toggle(variants=[{"name": "a", "weight": 1, "payload": "x"}]),
            "variants[0].payload: expected an object, found 'x'",
        ),
        (
            toggle(dependencies=[{"feature": "worse"}]),
            "dependencies[0]: its parent 'worse' is not taken over either",
        ),
    ],
)
def test_a_toggle_that_is_malformed__is_skipped_with_its_reason(bad: Any, reason: str) -> None:
    plan = plan_unleash([FINE, toggle(name="worse", enabled=0), bad])
    assert [planned.key for planned in plan.flags] == ["fine"]
    assert (plan.skipped[-1].flag, plan.skipped[-1].reason) == ("bad", reason)


@pytest.mark.parametrize("bad", [None, 1, "x", [], {}, {"name": 5}])
def test_what_is_no_toggle__is_skipped_by_its_place(bad: object) -> None:
    plan = plan_unleash([bad, FINE])
    assert [planned.key for planned in plan.flags] == ["fine"]
    assert [skipped.flag for skipped in plan.skipped] == ["features[0]"]


def test_a_toggle_that_comes_twice__is_taken_once_and_reported() -> None:
    plan = plan_unleash([FINE, {**FINE, "enabled": False}])
    assert [planned.key for planned in plan.flags] == ["fine"]
    assert plan.skipped[0].reason == "the file has this flag twice; the first counts"
    assert Imported(plan).answer("fine", {}).enabled


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        1,
        {},
        {"features": None},
        {"features": {}},
        {"features": [], "segments": 1},
        {"events": [1]},
        {"features": [], "segments": [{"id": "x"}]},
    ],
)
def test_what_is_not_from_unleash__is_refused_whole(document: object) -> None:
    with pytest.raises(FileRefused, match=r"^This is not from Unleash's client API: .+\.$"):
        plan_import("unleash", document, environment="production")


def test_strategies_that_match_nobody__are_noted_with_their_reason() -> None:
    nobody = [{"name": "flexibleRollout", "parameters": {"rollout": "0.5"}}, {"name": "mine"}]
    plan = plan_unleash([toggle(strategies=nobody, impressionData=True)])
    assert plan.notes == [
        "bad: strategies[0]: the rollout '0.5' is no whole number up to 100; "
        "this strategy matches nobody, as there",
        "bad: strategies[1]: the strategy 'mine' is unknown; "
        "this strategy matches nobody, as there",
        "fields that change no answer and are not taken over: impressionData",
    ]


def test_parents_in_a_circle__are_off_and_noted() -> None:
    circle = [
        toggle(name="a", dependencies=[{"feature": "b"}]),
        toggle(name="b", dependencies=[{"feature": "a"}]),
    ]
    plan = plan_unleash(circle)
    assert [len(planned.configuration or ()) for planned in plan.flags] == [5, 5]
    assert not any(Imported(plan).answer(name, {}).enabled for name in "ab")
    assert plan.notes[0].endswith("'b' has parents itself; it is off for everybody, as there")


def test_the_incremental_answer__is_its_last_state() -> None:
    other = {**FINE, "name": "other"}
    events = [
        {"type": "hydration", "features": [FINE, toggle()], "segments": []},
        {"type": "feature-updated", "feature": other},
        {"type": "feature-updated", "feature": {**FINE, "enabled": False}},
        {"type": "feature-removed", "featureName": "bad"},
        {"type": "segment-updated", "segment": {"id": 1, "constraints": []}},
        {"type": "segment-removed", "segmentId": 1},
    ]
    ours = Imported(plan_import("unleash", {"events": events}, environment="production"))
    assert [ours.answer(name, {}).enabled for name in ours.flags] == [False, True]


def test_variants_that_share_a_name__are_told_apart_and_served_by_it() -> None:
    variants = [
        {"name": "on", "weight": 1, "payload": {"type": "string", "value": value}}
        for value in ("1", "2")
    ]
    plan = plan_unleash([{**FINE, "variants": variants}])
    keys = [one["key"] for one in plan.flags[0].definition["variants"]]  # type: ignore[attr-defined]
    assert keys == ["on", "off", "on-2", "on-3"]
    answers = {Imported(plan).answer("fine", {"userId": f"u{n}"}) for n in range(50)}
    assert {(one.variant, one.payload) for one in answers} == {("on", "1"), ("on", "2")}


def test_people_without_any_id__are_dealt_out_at_random() -> None:
    half = {"name": "flexibleRollout", "parameters": {"rollout": "50"}}
    ours = Imported(plan_unleash([toggle(strategies=[half])]))
    assert {ours.answer("bad", {}).enabled for _ in range(100)} == {True, False}


def test_ten_thousand_toggles__are_planned() -> None:
    plan = plan_unleash([{**FINE, "name": f"toggle-{number}"} for number in range(10_000)])
    assert len(plan.flags) == 10_000


def test_many_users_by_id__are_more_than_one_test_holds() -> None:
    users = ",".join(f"user-{number}" for number in range(25_000))
    ids = {"name": "userWithId", "parameters": {"userIds": users}}
    ours = Imported(plan_unleash([toggle(strategies=[ids])]))
    assert ours.answer("bad", {"userId": "user-24999"}).enabled
    assert not ours.answer("bad", {"userId": "user-25000"}).enabled


_nearly = st.recursive(
    any_json | st.sampled_from(["default", "flexibleRollout", "userWithId", "IN", "SEMVER_EQ"]),
    lambda inner: st.dictionaries(
        st.sampled_from(
            [
                "name",
                "enabled",
                "strategies",
                "constraints",
                "operator",
                "values",
                "value",
                "contextName",
                "parameters",
                "variants",
                "weight",
                "payload",
                "overrides",
                "dependencies",
                "feature",
                "segments",
                "rollout",
                "userIds",
                "stickiness",
            ]
        ),
        inner | st.lists(inner, max_size=3),
        max_size=4,
    ),
    max_leaves=12,
)


def planned_or_refused(features: Any, segments: Any) -> ImportPlan | None:
    document = {"features": features, "segments": segments}
    try:
        return plan_import("unleash", document, environment="production")
    except FileRefused:
        return None


@relaxed
@given(
    st.lists(
        st.builds(
            lambda name, rest: {"enabled": True, **rest, "name": name},
            any_text,
            st.dictionaries(
                st.sampled_from(["strategies", "variants", "dependencies", "enabled", "type"]),
                st.lists(_nearly, max_size=2) | any_json,
            ),
        )
        | any_json,
        max_size=3,
    ),
    st.lists(_nearly, max_size=2) | any_json,
)
def test_any_json__is_planned_skipped_or_refused(features: Any, segments: Any) -> None:
    plan = planned_or_refused(features, segments)
    if plan is None:
        return
    assert len(plan.flags) + len(plan.skipped) == len(features)
    for planned in plan.flags:
        with contextlib.suppress(DocumentError):  # reported when it is stored
            compiled(planned)
