"""Whom a routing flag sends to the new version, asked of the flags' own engine."""

from typing import Any

from hypothesis import given, strategies as st

from flags.engine import compile_flag, dump_configuration, parse_configuration, parse_definition
from releases.engine.routing import FlagRoute, cohorts_in, pins_end, routed, share_of
from releases.engine.steps import WHOLE

ROUTE = FlagRoute("b", "a", "baseline")
USERS = [f"user-{number}" for number in range(400)]
VARIANTS = [{"key": key, "value": key} for key in ("a", "b", "baseline")]
FLAG: dict[str, Any] = {
    "key": "route",
    "kind": "operational",
    "value_type": "string",
    "variants": VARIANTS,
}
RULE = {"id": "r-1", "when": {"attribute": "plan", "operator": "in", "values": ["gold"]}}
PLACE: dict[str, Any] = {
    "enabled": True,
    "off_variant": "a",
    "rules": [RULE | {"serve": {"variant": "a"}}],
    "fallthrough": {"variant": "a"},
    "salt": "c0ffee00",
}
shares = st.integers(0, WHOLE)


def served(share: int) -> dict[str, str | None]:
    document = routed(PLACE, ROUTE, share=share)
    known = {name: one for name, one in FLAG.items() if name != "kind"}
    flag = compile_flag({**known, "client_visible": False, **document, "version": 1})
    return {user: flag.evaluate({"targetingKey": user}).variant for user in USERS}


@given(shares, shares)
def test_raising_the_share__only_adds_users_and_takes_none_from_the_baseline(
    one: int, other: int
) -> None:
    low, high = sorted((one, other))
    before, after = served(low), served(high)
    for user in USERS:
        if before[user] == "b":
            assert after[user] == "b"
        if before[user] == "baseline" and high <= WHOLE - low:
            assert after[user] != "b"


@given(shares, st.lists(st.sampled_from(["staff", "beta"]), unique=True))
def test_what_a_release_sets__is_read_back_and_is_a_valid_configuration(
    share: int, cohorts: list[str]
) -> None:
    document = routed(PLACE, ROUTE, share=share, cohorts=cohorts)
    definition = parse_definition(FLAG)
    stored = dump_configuration(parse_configuration(document, definition))
    assert share_of(stored, ROUTE) == share
    assert cohorts_in(stored) == tuple(cohorts)
    assert routed(stored, ROUTE, share=0)["rules"] == PLACE["rules"]


def test_what_no_release_sets__is_no_share() -> None:
    for serve in (
        {"variant": "baseline"},
        {"split": [{"variant": "a", "weight": 50_000}, {"variant": "b", "weight": 50_000}]},
        {"split": [{"variant": "b", "weight": 50_000}, {"variant": "a", "weight": 50_000}]},
        {"code_default": True},
    ):
        assert share_of({**PLACE, "fallthrough": serve}, ROUTE) is None


PINNING = FlagRoute("b", "a", "baseline", tester="7.signed", pin_s=600)
START = 1_760_000_000
rises = st.lists(st.tuples(st.integers(1, 400), shares), min_size=1, max_size=5)


def asked(document: Any, visit_at: float, *, users: Any = USERS) -> dict[str, str | None]:
    known = {name: one for name, one in FLAG.items() if name != "kind"}
    flag = compile_flag({**known, "client_visible": False, **document, "version": 1})
    contexts = ({"targetingKey": user, "aviary_visit_at": visit_at} for user in users)
    return {one["targetingKey"]: flag.evaluate(one).variant for one in contexts}


@given(rises, st.integers(-700, 1700))
def test_pinned_visits__never_lose_the_new_version_and_keep_the_stable_one_for_their_time(
    steps: list[tuple[int, int]], visit: int
) -> None:
    document: Any = routed(PLACE, PINNING, share=0, at=START)
    at, began, had = float(START), START + visit, dict[str, str | None]()
    rising = sorted(share for _after, share in steps)
    for (after, _share), share in zip(steps, rising, strict=True):
        now, once = started_with(document, PINNING), asked(document, began)
        at += after
        if began < at and not had:
            had = once
        document = routed(document, PINNING, share=max(share, now), at=at)
        seen = asked(document, began)
        for user, variant in once.items():
            assert variant != "b" or seen[user] == "b"
        if had and at < began + PINNING.pin_s:
            assert {user for user in USERS if seen[user] == "b"} == {
                user for user in USERS if had[user] == "b"
            }
    ended = routed(document, PINNING, share=share_of(document, PINNING) or 0, at=at + 611)
    assert pins_end(ended) == ()
    assert asked(ended, began) == asked({**ended, "rules": PLACE["rules"]}, began)
    back = routed(document, PINNING, share=0, at=at + 1)
    assert pins_end(back) == () or share_of(document, PINNING) == 0


def started_with(document: Any, route: FlagRoute) -> int:
    found = share_of(document, route)
    assert found is not None
    return found


def test_rules_that_pin_visits__stand_behind_those_of_others_and_are_read_back() -> None:
    document: Any = routed(PLACE, PINNING, share=5_000, cohorts=("staff",), at=START)
    stored: Any = dump_configuration(parse_configuration(document, parse_definition(FLAG)))
    ids = [rule["id"] for rule in stored["rules"]]
    assert ids == ["release-testers", "release-cohorts", "r-1", f"release-pin-7-{START + 610}"]
    assert pins_end(stored) == (START + 610,)
    gold = {"targetingKey": "u", "plan": "gold", "aviary_visit_at": START}
    known = {name: one for name, one in FLAG.items() if name != "kind"}
    plain = {**known, "client_visible": False, **routed(stored, PINNING, share=5_000, at=START)}
    assert compile_flag({**plain, "version": 1}).evaluate(gold).metadata["ruleId"] == "r-1"
    other = FlagRoute("b", "a", "baseline", tester="8.signed", pin_s=600)
    kept = [rule["id"] for rule in routed(stored, other, share=5_000, at=START + 1)["rules"]]
    assert "release-pin" not in "".join(kept)
