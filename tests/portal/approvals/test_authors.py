"""Who answers for what keys and commands ask for, and for the evidence that keys post."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from portal.access import services as access
from portal.access.models import ApiKey, Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Barred, Waiting
from portal.approvals.models import ChangeRequest, Evidence, Policy, State
from portal.lib import clock
from portal.lib.commands import operator
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, vote, waiting
from tests.support.desk import Desk
from tests.support.people import SETTING_UP, acting
from tests.support.script import PRODUCTION, PROJECT, Script

SCAN = {"required_approvals": 1, "evidence": {"security_scan": "all"}}


def createkey(*more: str) -> Script:
    """A script with an admin key for production that a command made."""
    out = StringIO()
    place = ["--project", "shop", "--environment", "production", "--kind", "admin"]
    call_command("createkey", *place, *more, stdout=out)
    return Script(out.getvalue().strip())


def patch(script: Script) -> Any:
    """Turning the flag on in production."""
    path = f"{PRODUCTION}/flags/new-checkout"
    seen = script.get(path)["ETag"]
    return script.call("PATCH", path, {"enabled": True}, if_match=seen)


def turn_on(script: Script) -> ChangeRequest:
    """The request that a key's turning on waits as."""
    answered = patch(script)
    assert answered.status_code == 409
    return ChangeRequest.objects.get(pk=answered.json()["change_request"]["id"])


# The author of what a key or a command asks for


def test_a_key_without_an_owner__asks_for_what_waits_until_somebody_adopts_it(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    request = turn_on(createkey())
    vote(request, erin)
    assert vote(request, frank).request.state == State.OPEN
    with pytest.raises(Invalid, match="take that back first"):
        services.adopt_request(request=request, intent=Intent(acting(erin), at=desk.now))
    services.adopt_request(request=request, intent=Intent(acting(dana), at=desk.now))
    request.refresh_from_db()
    assert (request.state, request.author_user) == (State.APPLIED, dana)
    assert desk.configuration.enabled


def test_who_adopts__may_not_vote_and_must_be_one_who_could_ask(
    desk: Desk, bob: User, erin: User, frank: User
) -> None:
    request = turn_on(createkey())
    with pytest.raises(Forbidden):
        services.adopt_request(request=request, intent=Intent(acting(bob), at=desk.now))
    services.adopt_request(request=request, intent=Intent(acting(erin), at=desk.now))
    with pytest.raises(Barred):
        vote(request, erin)
    with pytest.raises(Invalid, match="erin is already responsible"):
        services.adopt_request(request=request, intent=Intent(acting(frank), at=desk.now))


def test_a_key_with_an_owner__asks_in_their_name_and_does_what_they_may(
    desk: Desk, dana: User, erin: User
) -> None:
    request = turn_on(createkey("--owner", "erin"))
    assert request.author_user == erin
    with pytest.raises(Barred):
        vote(request, erin)
    script = createkey("--owner", "bob")
    assert patch(script).status_code == 403


def test_a_command_as_somebody__makes_them_the_author(
    desk: Desk, guarded: Environment, frank: User, tmp_path: Any
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "deployment_permissions:\n  approval_requirements:\n    production:\n"
        "      required_approvals: 1\n      independence_days: 5\n"
    )
    with pytest.raises(Exception, match="nothing was loaded"):
        call_command("loadpolicy", str(policy), "--project", "shop", "--as", "frank")
    request = ChangeRequest.objects.get()
    assert request.author_user == frank
    assert request.author.endswith(" for frank")
    with pytest.raises(Barred):
        vote(request, frank)
    with pytest.raises(Exception, match="Nobody called nora"):
        call_command("loadpolicy", str(policy), "--project", "shop", "--as", "nora")


def test_what_nobody_answers_for__edits_no_request(desk: Desk, asked: ChangeRequest) -> None:
    with pytest.raises(Barred, match="cannot edit requests"):
        desk.save(operator("importflags"), revise=asked.pk, enabled=True)


# Evidence


def post(script: Script, request: ChangeRequest, kind: str = "security_scan") -> Any:
    body = {
        "digest": request.digest,
        "kind": kind,
        "result": "passed",
        "expires_at": (clock.now() + timedelta(days=1)).isoformat(),
    }
    return script.post(f"{PROJECT}/evidence", body)


@pytest.fixture
def scanned(desk: Desk) -> Environment:
    """Production, where a security scan has to pass and one person to agree."""
    Policy.objects.filter(environment=desk.environment).delete()
    set_policy(desk.environment, **SCAN)
    return desk.environment


def ask(desk: Desk, person: User) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        desk.switch(person, True)
    return waiting(error)


def key_of(person: User, place: Environment, *kinds: str) -> tuple[ApiKey, Script]:
    issued = access.issue_key(
        environment=place,
        kind="admin",
        name="Scanner",
        evidence=kinds,
        intent=Intent(acting(person)),
    )
    return issued.key, Script(str(issued.token))


def test_a_key_that_was_given_no_evidence__posts_none(
    desk: Desk, scanned: Environment, alice: User, dana: User
) -> None:
    request = ask(desk, dana)
    key, script = key_of(alice, scanned)
    answered = post(script, request)
    assert answered.status_code == 403
    assert "may not post the evidence security_scan" in answered.json()["detail"]
    access.set_evidence(
        key=key, kinds=["performance_test"], intent=Intent(acting(alice), at=desk.now)
    )
    assert post(script, request).status_code == 403
    assert not Evidence.objects.exists()


def test_evidence_of_another_environments_key__does_not_count(
    desk: Desk, shop: Project, scanned: Environment, alice: User, dana: User, erin: User
) -> None:
    request = ask(desk, dana)
    _key, script = key_of(alice, shop.environments.get(key="development"), "security_scan")
    assert post(script, request).status_code == 201
    assert vote(request, erin).request.state == State.OPEN


@pytest.mark.postgresql
def test_evidence_of_who_asked__counts_once_another_approver_confirmed_the_key(
    desk: Desk, scanned: Environment, alice: User, erin: User, frank: User
) -> None:
    request = ask(desk, alice)
    key, script = key_of(alice, scanned, "security_scan")
    assert post(script, request).status_code == 201
    assert vote(request, erin).request.state == State.OPEN
    with pytest.raises(Invalid, match="somebody else"):
        access.confirm_key(key=key, intent=Intent(acting(alice)))
    access.confirm_key(key=key, intent=Intent(acting(frank)))
    services.apply_request(request=request, intent=Intent(acting(frank), at=desk.now))
    assert desk.configuration.enabled


def test_evidence_of_a_key_of_the_authors_own_people__does_not_count(
    desk: Desk, shop: Project, scanned: Environment, alice: User, dana: User, erin: User
) -> None:
    puppet = access.add_member(
        project=shop, username="puppet", role="devops", intent=Intent(acting(alice), at=desk.now)
    ).user
    request = ask(desk, alice)
    _key, script = key_of(puppet, scanned, "security_scan")
    assert post(script, request).status_code == 201
    assert vote(request, erin).request.state == State.OPEN
    other = ask(desk, dana)
    assert other.digest == request.digest
    assert vote(other, erin).request.state == State.APPLIED


def test_new_kinds_of_a_confirmed_key__have_to_be_confirmed_again(
    desk: Desk, scanned: Environment, alice: User, frank: User
) -> None:
    key, _script = key_of(alice, scanned, "performance_test")
    access.confirm_key(key=key, intent=Intent(acting(frank)))
    access.set_evidence(key=key, kinds=["security_scan"], intent=Intent(acting(alice), at=desk.now))
    key.refresh_from_db()
    assert (key.evidence_confirmed_by, key.evidence_by) == (None, alice)


def test_people_and_commands__post_no_evidence(desk: Desk, alice: User) -> None:
    for actor in (acting(alice), SETTING_UP):
        with pytest.raises(services.NotByThis, match="API keys post evidence"):
            services.post_evidence(
                project=desk.flag.project,
                digest="sha256:" + "0" * 64,
                kind="security_scan",
                result="passed",
                expires_at=clock.now() + timedelta(days=1),
                intent=Intent(actor, at=desk.now),
            )


def test_createkey_with_evidence__posts_it(desk: Desk, scanned: Environment, dana: User) -> None:
    request = ask(desk, dana)
    assert post(createkey("--evidence", "security_scan"), request).status_code == 201
