"""Two people are two people: who made or can take over an account does not vote twice with it."""

from datetime import timedelta
from typing import Any

import pytest

from portal.access import services as access
from portal.access.models import Project, User
from portal.access.signin import people as accounts
from portal.approvals.errors import NotApproved, Waiting
from portal.approvals.models import ChangeRequest
from portal.lib import clock
from portal.lib.journal import Trace
from tests.flags.api.script import Script
from tests.flags.services.writes import Desk
from tests.portal.approvals.racing import apply
from tests.support.agreeing import vote, waiting
from tests.support.people import PASSWORD, acting, create_person, give_role


def add(shop: Project, giver: User, name: str, role: str) -> User:
    """Somebody new, whom ``giver`` gives an account and a role."""
    added = access.add_member(
        project=shop, username=name, role=role, actor=acting(giver), now=clock.now()
    )
    return added.user


def ask(desk: Desk, person: User) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        desk.switch(person, True, apply_when_approved=False)
    return waiting(error)


def refused(request: ChangeRequest, person: User) -> str:
    """Why a request is not applied; nothing is changed."""
    with pytest.raises(NotApproved) as error:
        apply(request, person)
    return str(error.value)


def test_a_project_admin__who_adds_two_accounts_and_votes_with_both__is_refused(
    desk: Desk, shop: Project, alice: User, dana: User
) -> None:
    puppets = [add(shop, alice, "s1", "senior_developer"), add(shop, alice, "s2", "devops_lead")]
    for author in (alice, dana):
        request = ask(desk, author)
        for puppet in puppets:
            vote(request, puppet)
        assert "more approval" in refused(request, alice)
    assert not desk.configuration.enabled


def test_a_key_with_member_manage__cannot_make_a_stranger_who_makes_approvers(
    desk: Desk, shop: Project, alice: User
) -> None:
    """The road of the issue: a role, an invitation, a stranger who adds two accounts."""
    issued = access.issue_key(
        environment=desk.environment,
        kind="admin",
        name="Pipeline",
        rights=["member.manage"],
        actor=acting(alice),
        now=desk.now,
    )
    key = Script(str(issued.token))
    role = {"key": "crew", "name": "Crew", "permissions": ["flag.view", "member.manage"]}
    answered = key.post("/api/v1/projects/shop/roles", role)
    assert answered.status_code == 403
    assert "in person" in answered.json()["detail"]
