"""A flag that takes too much work: its own error, counted, and nobody else's trouble."""

import pytest

from tests.flags.evaluator.publisher import Key, flag
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until

COSTLY = {"attribute": "text", "operator": "contains", "values": [f"v{n}" for n in range(900)]}
RULES = [{"id": f"r{n}", "when": COSTLY, "serve": {"variant": "off"}} for n in range(20)]
CONTEXT = {"targetingKey": "alice", "text": "x" * 900_000}


@pytest.fixture
def open_shop(shop: Shop, client_key: Key) -> Shop:
    shop.open(flag("a"), flag("costly", client_visible=True, rules=RULES), keys=(client_key,))
    return shop


def test_a_flag_that_takes_too_much_work__is_an_error_item_and_counted(
    open_shop: Shop, client_key: Key
) -> None:
    before = open_shop.evaluator.metric("evaluations_total", reason="OVER_BUDGET")
    alone = open_shop.ask("costly", CONTEXT)
    assert (alone.status_code, alone.json()["errorCode"]) == (400, "GENERAL")
    assert "more than 50000 steps" in alone.json()["errorDetails"]
    assert "steps" not in open_shop.ask("costly", CONTEXT, key=client_key).text
    items = {one["key"]: one for one in open_shop.ask_all(CONTEXT).json()["flags"]}
    assert (items["costly"]["errorCode"], items["a"]["value"]) == ("GENERAL", True)
    assert open_shop.value("costly", {"text": "short"}) is True
    counted = before + 3
    wait_until(
        lambda: open_shop.evaluator.metric("evaluations_total", reason="OVER_BUDGET") == counted
    )


def test_many_costly_flags_at_once__use_up_what_one_answer_may_cost(shop: Shop) -> None:
    condition = {"attribute": "list", "operator": "array_contains_any", "values": [-1]}
    rules = [{"id": f"r{n}", "when": condition, "serve": {"variant": "off"}} for n in range(4)]
    shop.open(flag("a"), *(flag(f"costly-{n:02}", rules=rules) for n in range(60)), flag("z"))
    items = shop.ask_all({"list": list(range(9_900))}).json()["flags"]
    served = [one["key"] for one in items if "errorCode" not in one]
    assert ("a" in served, "costly-00" in served, "z" in served) == (True, True, True)
    assert 40 < len(served) < 60


def test_a_batch_of_telemetry_that_costs_much__goes_on_with_what_costs_little(shop: Shop) -> None:
    condition = {"attribute": "list", "operator": "array_contains_any", "values": [-1]}
    rules = [{"id": f"r{n}", "when": condition, "serve": {"variant": "off"}} for n in range(4)]
    shop.open(flag("a"), flag("costly", rules=rules))
    told = [{"flag": "costly", "context": {"list": list(range(9_900))}}] * 60
    told.append({"flag": "a", "context": {}})
    answer = shop.post("/api/v1/telemetry", {"outcomes": told}).json()
    assert 40 < answer["accepted"] < 60
    refusals = {one["error"] for one in answer["rejected"]}
    assert refusals == {"the flag 'costly' takes too much work for that context"}
    assert answer["rejected"][-1]["index"] == 59
