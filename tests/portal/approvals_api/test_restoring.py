"""Restoring by a script what a record of the history says."""

import pytest
from django.db import transaction

from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.access.services import create_role
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.journal import Entry, Intent
from tests.portal.approvals_web.conftest import at
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = pytest.mark.postgresql


@pytest.fixture
def script(production: Environment, alice: User) -> Script:
    return Script(issue(production, owner=alice))


@pytest.fixture
def desk(new_checkout: Flag, production: Environment) -> Desk:
    return Desk(new_checkout, production, clock.now())


def last() -> int:
    return AuditEvent.objects.latest("sequence").sequence


def address(record: int) -> str:
    return f"{PROJECT}/history/{record}/restore"


def test_a_script_that_read_what_would_change__restores_it(
    script: Script, desk: Desk, dana: User
) -> None:
    desk.save(dana, rules=[RULE])
    record, before = last(), desk.configuration.document
    desk.save(dana, rules=[])
    read = answer(script.call("GET", address(record)))
    assert any("country is one of DE" in sentence for sentence in read["changes"])
    body = {"version": read["version"], "reason": "INC-7"}
    after = answer(script.call("POST", address(record), body))
    assert desk.configuration.document == before
    assert after["changes"] == []
    assert AuditEvent.objects.get(sequence=last()).reason == "INC-7"
    said = problem(script.call("POST", address(record), body), 409)
    assert said["current"] == before


def test_a_script__where_a_policy_stands__is_told_where_it_waits(
    script: Script, desk: Desk, dana: User
) -> None:
    desk.switch(dana, True)
    record = last()
    desk.switch(dana, False)
    set_policy(desk.environment, **TWO_ROLES)
    version = answer(script.call("GET", address(record)))["version"]
    said = problem(script.call("POST", address(record), {"version": version}), 409)
    assert said["change_request"]["id"] == ChangeRequest.objects.get().pk
    assert not desk.configuration.enabled


def test_records_that_a_key_does_not_reach__are_not_found(
    script: Script, desk: Desk, staging: Environment, dana: User
) -> None:
    Desk(desk.flag, staging, desk.now).save(dana, rules=[RULE])
    for record in (last(), 10**9):
        problem(script.call("GET", address(record)), 404)
        problem(script.call("POST", address(record), {"version": "1"}), 404)


def test_what_takes_a_proof_of_who_somebody_is__no_key_restores(
    script: Script, shop: Project, alice: User
) -> None:
    create_role(
        project=shop,
        key="tester",
        name="Tester",
        permissions=["flag.view"],
        intent=Intent(acting(alice)),
    )
    problem(script.call("POST", address(last()), {"version": "1"}), 403)


def test_a_record_of_an_earlier_form__is_a_sentence_and_no_fault(
    script: Script, desk: Desk, alice: User
) -> None:
    row = AuditEvent.objects.get(event="flag.created")
    told = {**(row.after_document or {}), "no_longer_known": 1}
    with transaction.atomic():
        journal.write(Entry(row.event, SETTING_UP, "flag", desk.flag.key, "shop", after=told))
    for method, body in (("GET", None), ("POST", {"version": "1"})):
        said = problem(script.call(method, address(last()), body), 404)
        assert said["detail"] == "This record is in an older format that can no longer be read."
    assert at(alice).open(f"history/{last()}/restore").status_code == 404
