"""Whom a routing flag sends to the new version, asked of the flags' own engine."""

from typing import Any

from hypothesis import given, strategies as st

from flags.engine import compile_flag, dump_configuration, parse_configuration, parse_definition
from releases.engine.routing import FlagRoute, cohorts_in, routed, share_of
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
