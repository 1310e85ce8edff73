"""A key reaches its environment only: what it reads of others, and what it changes there.

The key is for development. The flag is served in every environment of the shop.
"""

from typing import Any

import pytest

from flags.core import definitions
from flags.exclusion_groups import services as group_services
from flags.models import Flag, FlagConfiguration, FlagSeen, FlagUsage, Period
from flags.segments import services as segment_services
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, waiting
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, boolean_flag
from tests.support.script import FLAGS, PROJECT, Script, issue, problem

DEVELOPMENT = f"{PROJECT}/environments/development"
SEGMENT = RULE | {"when": {"segment": "beta"}}
AUDIENCE = RULE | {"audience": {"percent": 50, "group": "line"}}
OTHER_VALUES = [{"key": "on", "value": False}, {"key": "off", "value": True}]


@pytest.fixture
def here(development: Environment) -> Script:
    return Script(issue(development))


@pytest.fixture
def there(new_checkout: Flag, production: Environment) -> Desk:
    return Desk(new_checkout, production, clock.now())


def only_here(flag: Flag) -> None:
    """As if the flag had been created while the other environments had policies."""
    rows = FlagConfiguration.objects.filter(flag=flag)
    rows.exclude(environment__key="development").update(introduced=False)


def refused(response: Any, *places: str) -> None:
    said = problem(response, 403)
    assert said["environments"] == list(places)
    assert all(place in said["detail"] for place in places)


# Reading


def test_history__of_the_key__holds_no_other_environment(
    here: Script, there: Desk, dana: User
) -> None:
    there.switch(dana, True)
    secret = there.save(dana, rules=[RULE | {"id": "secret"}])
    assert secret.version
    document = {"flags": [boolean_flag("imported")]}
    assert here.post(f"{DEVELOPMENT}/import?format=native", document).status_code == 200
    for query in ("", "?text=checkout", "?subject=new-checkout", "?environment=development"):
        answer = here.get(f"{PROJECT}/history{query}")
        assert answer.status_code == 200
        events = answer.json()["events"]
        assert {event["environment"] for event in events} <= {"", "development"}
        places = [event["after"]["environments"] for event in events if _is_new_flag(event)]
        assert all(list(found) == ["development"] for found in places)
        assert "secret" not in answer.content.decode()
    problem(here.get(f"{PROJECT}/history?environment=production"), 403)
    assert here.get(f"{PROJECT}/history?environment=nowhere").json()["events"] == []


def _is_new_flag(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "flag.created")


def test_a_request_to_import_elsewhere__keeps_what_it_wants_there(
    here: Script, there: Desk, dana: User, production: Environment
) -> None:
    """Development has a say in it: the file edits what it serves. But not in production's rules."""
    set_policy(production, required_approvals=1)
    configuration = there.configuration.document | {"rules": [RULE | {"id": "secret"}]}
    flag = boolean_flag() | {
        "variants": OTHER_VALUES,
        "environments": {"production": configuration},
    }
    from_there = Script(issue(production))
    for place in ("development", "staging"):
        FlagConfiguration.objects.filter(environment__key=place).update(introduced=False)
    waits = from_there.post(
        f"{PROJECT}/environments/production/import?format=native", {"flags": [flag]}
    )
    problem(waits, 409)
    request = ChangeRequest.objects.get()
    request.environments.set(there.flag.project.environments.all())
    mine = from_there.get(f"{PROJECT}/change-requests/{request.pk}").json()
    assert "secret" in str(mine["after"])
    shown = here.get(f"{PROJECT}/change-requests/{request.pk}").json()
    assert (shown["before"], shown["after"]) == ({}, {})
    assert "secret" not in here.get(f"{PROJECT}/history").content.decode()


def test_keys__are_those_of_the_environment(here: Script, production: Environment) -> None:
    issue(production)
    listed = here.get(f"{PROJECT}/keys").json()["keys"]
    assert {one["environment"] for one in listed} == {"development"}
    other = production.api_keys.get()
    problem(here.get(f"{PROJECT}/keys/{other.selector}"), 404)
    problem(here.get(f"{PROJECT}/keys?environment=production"), 403)


def test_copying_from_another_environment__reads_it__and_is_refused(
    here: Script, there: Desk
) -> None:
    row = there.flag.configurations.get(environment__key="development")
    body = {"source": "production"}
    answer = here.post(f"{DEVELOPMENT}/copy/{there.flag.key}", body, if_match=f'"{row.version}"')
    assert "does not reach" in problem(answer, 403)["detail"]


def test_archiving__tells_no_use_of_another_environment(
    here: Script, there: Desk, production: Environment
) -> None:
    now = clock.now()
    only_here(there.flag)
    seen = {"flag": there.flag, "environment": production, "variant": "on"}
    FlagSeen.objects.create(**seen, last_at=now)
    FlagUsage.objects.create(**seen, reason="STATIC", period=Period.MINUTE, start=now, count=3)
    assert here.call("DELETE", f"{FLAGS}/{there.flag.key}").status_code == 204


def four_variants(there: Desk, alice: User) -> Flag:
    """A flag with a variant that production's rule about an attribute serves, and others name."""
    variants = [{"key": key, "value": key} for key in "abcd"]
    document = boolean_flag("letters") | {"value_type": "string", "variants": variants}
    flag = definitions.create_flag(
        project=there.flag.project, document=document, intent=Intent(acting(alice), at=there.now)
    )
    when = {"attribute": "secretTier", "operator": "in", "values": ["gold"]}
    rules = [{"id": "r-1", "when": when, "serve": {"variant": "b"}}]
    Desk(flag, there.environment, there.now).save(alice, rules=rules)
    there.save(alice, prerequisites=[{"flag": "letters", "variants": ["c"]}])
    return flag


def test_what_another_environment_serves_or_names__is_not_told_by_refusals(
    here: Script, there: Desk, alice: User
) -> None:
    flag = four_variants(there, alice)
    for gone in "bc":
        kept = [one for one in flag.variants if one["key"] != gone]
        answer = here.call("PATCH", f"{FLAGS}/letters", {"variants": kept})
        assert answer.status_code in (400, 409)
        assert "does not reach" in answer.json()["detail"]
        for told in ("production", "Production", "r-1", "rules", "new-checkout"):
            assert told not in answer.text
    archiving = here.call("DELETE", f"{FLAGS}/letters")
    assert problem(archiving, 409)["used_by"] == []
    assert "new-checkout" not in archiving.text


def test_search__finds_no_attribute_that_another_environment_asks_for(
    here: Script, there: Desk, alice: User
) -> None:
    four_variants(there, alice)
    assert here.get(f"{FLAGS}?search=secretTier").json()["flags"] == []
    production = Script(issue(there.environment))
    (found,) = production.get(f"{FLAGS}?search=secretTier").json()["flags"]
    assert found["key"] == "letters"


def test_a_request_that_concerns_both__tells_who_gets_what_here_alone(
    here: Script, there: Desk, alice: User, dana: User
) -> None:
    flag = four_variants(there, alice)
    set_policy(there.environment, required_approvals=1)
    others = [one | {"value": one["value"] * 2} for one in flag.variants]
    with pytest.raises(Waiting) as error:
        Desk(flag, there.environment, there.now).edit(dana, variants=others)
    request = waiting(error)
    request.environments.set(there.flag.project.environments.all())
    told = here.get(f"{PROJECT}/change-requests/{request.pk}")
    assert [one["title"] for one in told.json()["outcomes"]] == ["The values", "Development"]
    assert "secretTier" not in told.text


# Changing what several environments share


def test_a_definition_that_others_serve__takes_the_right_there(here: Script, there: Desk) -> None:
    address = f"{FLAGS}/{there.flag.key}"
    before = there.configuration.version
    for change in (
        {"variants": OTHER_VALUES},
        {"client_visible": True},
        {"metadata": {"team": "search"}},
    ):
        refused(here.call("PATCH", address, change), "staging", "production")
    refused(here.call("DELETE", f"{address}?force=1"), "staging", "production")
    there.flag.refresh_from_db()
    assert not there.flag.is_archived
    assert there.configuration.version == before
    assert not ChangeRequest.objects.exists()


def test_what_nobody_is_served__takes_no_right_elsewhere(here: Script, there: Desk) -> None:
    address = f"{FLAGS}/{there.flag.key}"
    spare = [*there.flag.variants, {"key": "spare", "value": True}]
    for change in (
        {"name": "N", "description": "D", "tags": ["t"], "owner": "o"},
        {"variants": spare},
    ):
        assert here.call("PATCH", address, change).status_code == 200


def test_what_is_served_here_alone__is_the_keys_own(here: Script, there: Desk) -> None:
    only_here(there.flag)
    address = f"{FLAGS}/{there.flag.key}"
    assert here.call("PATCH", address, {"variants": OTHER_VALUES}).status_code == 200
    assert here.call("DELETE", address).status_code == 204
    assert here.post(f"{PROJECT}/restore/{there.flag.key}").status_code == 200


@pytest.mark.parametrize("indirect", [False, True])
def test_a_segment_that_others_ask_for__takes_the_right_there(
    here: Script, there: Desk, dana: User, indirect: bool
) -> None:
    common: dict[str, Any] = {
        "project": there.flag.project,
        "intent": Intent(SETTING_UP, at=there.now),
    }
    segment_services.create_segment(**common, document={"key": "inner"})
    when = {"any": [{"segment": "inner"}]}
    segment_services.create_segment(**common, document={"key": "beta", "when": when})
    there.save(dana, rules=[SEGMENT])
    key = "inner" if indirect else "beta"
    everyone: dict[str, Any] = {"when": {"any": None, "all": []}}
    refused(here.call("PATCH", f"{PROJECT}/segments/{key}", everyone), "production")
    body = {"mode": "add", "keys": ["erin"]}
    refused(here.post(f"{PROJECT}/segment-keys/included/{key}", body), "production")
    file = {"flags": [], "segments": [{"key": key, "when": {"all": []}}]}
    refused(here.post(f"{DEVELOPMENT}/import?format=native", file), "production")
    assert here.call("PATCH", f"{PROJECT}/segments/{key}", {"name": "N"}).status_code == 200


def test_a_group_that_others_ask_for__takes_the_right_there(
    here: Script, there: Desk, dana: User
) -> None:
    slots = [{"flag": there.flag.key, "from": 0, "to": 50}]
    group_services.create_group(
        project=there.flag.project,
        document={"key": "line", "slots": slots},
        intent=Intent(SETTING_UP, at=there.now),
    )
    assert here.call("PATCH", f"{PROJECT}/exclusion-groups/line", {"holdout": 5}).status_code == 200
    there.save(dana, rules=[AUDIENCE])
    refused(here.call("PATCH", f"{PROJECT}/exclusion-groups/line", {"holdout": 10}), "production")


def test_an_import__that_edits_what_others_serve__is_refused_whole(
    here: Script, there: Desk
) -> None:
    flags = [boolean_flag() | {"variants": OTHER_VALUES}, boolean_flag("another")]
    answer = here.post(f"{DEVELOPMENT}/import?format=native", {"flags": flags})
    refused(answer, "staging", "production")
    assert not Flag.objects.filter(key="another").exists()


# Over HTTP: what is not introduced


def test_a_new_flag__over_http__says_that_it_is_not_introduced(
    here: Script, production: Environment, alice: User
) -> None:
    set_policy(production, required_approvals=1)
    assert here.post(FLAGS, boolean_flag("brand-new")).status_code == 201
    there = Script(issue(production))
    address = f"{PROJECT}/environments/production/flags/brand-new"
    shown = there.get(address)
    assert shown.json()["introduced"] is False
    (listed,) = there.get(f"{PROJECT}/environments/production/flags").json()["configurations"]
    assert listed["introduced"] is False
    assert "introduced" not in here.get(f"{DEVELOPMENT}/flags/brand-new").json()
    tag = shown.headers["ETag"]
    kept = there.call("PATCH", address, {"enabled": False})
    assert kept.json()["introduced"] is False
    for change in ({"introduced": True}, {"enabled": True}):
        problem(there.call("PATCH", address, change, if_match=tag), 409)
    whole = shown.json() | {"rules": [RULE]}
    assert there.call("PUT", address, whole, if_match=tag).status_code == 200
    tag = there.get(address).headers["ETag"]
    for bad in ({"introduced": "yes"}, {"introduced": 1}):
        problem(there.call("PATCH", address, bad, if_match=tag), 400)
    assert ChangeRequest.objects.count() == 2


def test_a_person__edits_what_all_share__as_before(
    there: Desk, dana: User, production: Environment
) -> None:
    flag = definitions.edit_flag(
        flag=there.flag,
        document=there.flag.document | {"variants": OTHER_VALUES},
        expected_version=there.flag.version,
        intent=Intent(acting(dana), at=there.now),
    )
    assert flag.version == 2
