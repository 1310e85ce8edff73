"""Schedules and ramps over HTTP, with an admin key."""

import json
from typing import Any

import pytest

from flags.schedules.models import Plan
from portal.access.models import Environment
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.planning import SHARED_RULE, TARGET, carry_out
from tests.support.script import FLAGS, PRODUCTION, Script, answer, problem

SCHEDULES, RAMPS = f"{PRODUCTION}/schedules", f"{PRODUCTION}/ramps"
NEXT_YEAR = {"operation": "turn_on", "starts": "2099-03-29T02:30", "zone": "Europe/Berlin"}


def _share(script: Script, flag: str) -> None:
    address = f"{PRODUCTION}/flags/{flag}"
    read = script.get(address)
    document = answer(read) | {"rules": [SHARED_RULE], "enabled": True}
    answer(script.call("PUT", address, document, if_match=read["ETag"]))


def test_a_schedule__is_created_read_listed_paused_resumed_and_cancelled(
    script: Script, flag: str
) -> None:
    made = script.post(SCHEDULES, {"flag": flag, "reason": "The fair", **NEXT_YEAR})
    assert made.status_code == 201, made.content
    created: dict[str, Any] = json.loads(made.content)
    # The clocks skip the time that is named.
    assert created["next"] == ["2099-03-29T01:00:00+00:00"]
    assert (created["state"], created["reason"], created["change_request"]) == (
        "running",
        "The fair",
        None,
    )
    assert answer(script.get(made["Location"])) == created
    assert answer(script.get(f"{SCHEDULES}?flag={flag}"))["schedules"] == [created]
    assert answer(script.get(f"{SCHEDULES}?flag=other"))["schedules"] == []
    for step, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        response = script.post(f"{made['Location']}/{step}", {"reason": "because"})
        assert answer(response)["state"] == state
    problem(script.post(f"{made['Location']}/pause"), 400)
    assert answer(script.get(SCHEDULES))["schedules"] == []
    assert len(answer(script.get(f"{SCHEDULES}?over=true"))["schedules"]) == 1
    problem(script.get(f"{RAMPS}/{created['id']}"), 404)
    assert script.get(f"{FLAGS}/{flag}").status_code == 200


def test_a_ramp__rises_and_its_key_answers_for_it(script: Script, flag: str) -> None:
    _share(script, flag)
    steps = [{"percent": 5, "after_s": 0}, {"percent": 99.999, "after_s": 60}]
    made = script.post(RAMPS, {"flag": flag, "target": TARGET, "steps": steps})
    assert made.status_code == 201, made.content
    carry_out(Plan.objects.get())
    document = answer(script.get(f"{PRODUCTION}/flags/{flag}"))
    assert document["rules"][0]["audience"] == {"percent": 5.0}
    found = answer(script.get(made["Location"]))
    assert (found["steps_done"], found["state"], found["problem"]) == (1, "running", "")


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        (SCHEDULES, {**NEXT_YEAR}, "flag"),
        (SCHEDULES, {"flag": "nope", **NEXT_YEAR}, "flag"),
        (SCHEDULES, {"flag": "FLAG", **NEXT_YEAR, "zone": "CET/Berlin"}, "zone"),
        (SCHEDULES, {"flag": "FLAG", **NEXT_YEAR, "colour": "red"}, "colour"),
        (SCHEDULES, {"flag": "FLAG", **NEXT_YEAR, "reason": 5}, "reason"),
        (
            SCHEDULES,
            {"flag": "FLAG", **NEXT_YEAR, "operation": "replace", "configuration": {"rules": 1}},
            "configuration.rules",
        ),
        (RAMPS, {"flag": "FLAG", "target": TARGET, "steps": [{"percent": 5}]}, "steps[0].after_s"),
        (RAMPS, [], ""),
    ],
)
def test_what_is_no_plan__is_refused_with_its_field(
    script: Script, flag: str, address: str, body: Any, field: str
) -> None:
    if isinstance(body, dict) and body.get("flag") == "FLAG":
        body = body | {"flag": flag}
    errors = problem(script.post(address, body), 400)["errors"]
    assert field in [error["path"] for error in errors]


def test_where_others_have_to_agree__it_answers_where_it_waits(
    script: Script, flag: str, production: Environment
) -> None:
    set_policy(production, **TWO_ROLES)
    waits = problem(script.post(SCHEDULES, {"flag": flag, **NEXT_YEAR}), 409)
    assert "/changes/" in waits["change_request"]["address"]
    assert not Plan.objects.exists()
