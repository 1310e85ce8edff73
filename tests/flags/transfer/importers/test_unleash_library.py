"""People keep what Unleash gave them: whole answers, beside those of Unleash's own client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flags.transfer.importers.unleash import Imported, Original, plan_unleash

PLACE = {"appName": "shop", "environment": "production"}


def rollout(percent: int, group: str | None, **others: Any) -> dict[str, Any]:
    parameters = {"rollout": str(percent), "stickiness": "default"}
    parameters |= {} if group is None else {"groupId": group}
    return {"name": "flexibleRollout", "parameters": parameters, **others}


def variant(name: str, weight: int, kind: str = "string", value: str = "") -> dict[str, Any]:
    return {"name": name, "weight": weight, "payload": {"type": kind, "value": value or name}}


SIZES = [variant("small", 333), variant("large", 333, "json", '{"size": 2}'), variant("xl", 334)]
TOGGLES: list[dict[str, Any]] = [
    {"name": "half", "enabled": True, "strategies": [rollout(50, None)]},
    {"name": "sizes", "enabled": True, "strategies": [rollout(73, "Größe")], "variants": SIZES},
    {
        "name": "checkout",
        "enabled": True,
        "strategies": [
            {"name": "userWithId", "parameters": {"userIds": "user-7, user-8"}},
            rollout(20, "summer", variants=[variant("a", 10), variant("b", 0), variant("a", 30)]),
            rollout(61, "summer", variants=[variant("c", 1, "csv", "1,2"), variant("d", 2)]),
            {
                "name": "gradualRolloutUserId",
                "parameters": {"percentage": "7", "groupId": "legacy"},
                "variants": [],
            },
        ],
        "variants": [variant("a", 10), variant("z", 90, "number", "1.50")],
    },
]


def people(count: int) -> list[dict[str, str]]:
    return [{**PLACE, "userId": f"user-{number}"} for number in range(count)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    client = Original(tmp_path_factory.mktemp("unleash"), TOGGLES)
    yield client
    client.close()


def differing(name: str, count: int, original: Original) -> list[Any]:
    ours = Imported(plan_unleash(TOGGLES))
    answers = [(ours.answer(name, one), original.answer(name, one)) for one in people(count)]
    assert len({answer for answer, _theirs in answers}) > 1
    return [pair for pair in answers if pair[0] != pair[1]]


def test_many_people__keep_what_unleash_gave_them(original: Original, whole: bool) -> None:
    assert differing("sizes", 100_000 if whole else 10_000, original) == []


@pytest.mark.parametrize("name", ["half", "checkout"])
def test_other_groups_and_strategies__keep_their_people_too(name: str, original: Original) -> None:
    assert differing(name, 5_000, original) == []


def test_is_enabled__is_the_value(original: Original) -> None:
    ours = Imported(plan_unleash(TOGGLES))
    for one in people(2_000):
        assert ours.answer("checkout", one).enabled == original.is_enabled("checkout", one)


def test_a_targeting_key__stands_in_for_the_user_id(original: Original, tmp_path: Path) -> None:
    ours = Imported(plan_unleash(TOGGLES))
    for number in range(2_000):
        identity = f"user-{number}"
        theirs = original.answer("checkout", {**PLACE, "userId": identity})
        assert ours.answer("checkout", {**PLACE, "targetingKey": identity}) == theirs
