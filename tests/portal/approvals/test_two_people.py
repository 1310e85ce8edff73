"""Two people are two people: who made or can take over an account does not vote twice with it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator

from portal.access import authority, services as access
from portal.access.models import CustomRole, Environment, Group, Project, Sponsorship, User
from portal.access.signin import people as accounts
from portal.approvals import services, services as approvals
from portal.approvals.errors import Barred, NotApproved, Waiting
from portal.approvals.models import ChangeRequest, Emergency, Policy, State
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent, Trace
from tests.portal.approvals.racing import apply
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.desk import Desk
from tests.support.people import PASSWORD, SETTING_UP, acting, create_person, give_role
from tests.support.script import PROJECT, Script


def add(shop: Project, giver: User, name: str, role: str) -> User:
    """Somebody new, whom ``giver`` gives an account and a role."""
    added = access.add_member(project=shop, username=name, role=role, intent=Intent(acting(giver)))
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


def age(days: int) -> None:
    """Let everything that people were given be so many days old."""
    for row in Sponsorship.objects.all():
        Sponsorship.objects.filter(pk=row.pk).update(at=row.at - timedelta(days=days))


# What is not two people


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


def test_what_was_given_while_the_write_waited_for_its_locks__counts(
    desk: Desk, shop: Project, alice: User, frank: User
) -> None:
    begun = Intent(acting(frank))
    request = ask(desk, alice)
    vote(request, add(shop, alice, "s1", "senior_developer"))
    vote(request, frank)
    with pytest.raises(NotApproved, match="more approval"):
        services.apply_request(request=request, intent=begun)
    assert not desk.configuration.enabled


@pytest.mark.postgresql
def test_those_whom_a_guest_adds__are_one_with_who_invited_the_guest(
    desk: Desk, shop: Project, alice: User, erin: User
) -> None:
    """Alice lets somebody in, who adds an approver: three accounts, one person."""
    sent = access.create_invitation(
        project=shop, role="project_admin", intent=Intent(acting(alice))
    )
    _invitation, guest = access.join_by_invitation(
        token=str(sent.token),
        username="guest",
        password=PASSWORD,
        trace=Trace(),
        now=clock.now(),
    )
    puppet = add(shop, guest, "puppet", "devops_lead")
    request = ask(desk, alice)
    for voter in (guest, puppet, erin):
        vote(request, voter)
    assert "1 more approval" in refused(request, erin)


def _lets_manage(shop: Project, alice: User) -> str:
    """A role of Alice's that lets people do nothing but manage the members."""
    role = access.create_role(
        project=shop,
        key="helpers",
        name="Helpers",
        permissions=["flag.view", "member.manage"],
        intent=Intent(acting(alice)),
    )
    return role.key


def _by_themselves(shop: Project, alice: User, puppets: list[User]) -> None:
    role = _lets_manage(shop, alice)
    for puppet in puppets:
        _give(shop, alice, puppet, role)
        _give(shop, puppet, puppet, "senior_developer")
        _give(shop, puppet, puppet, "devops_lead")


def _by_one_another(shop: Project, alice: User, puppets: list[User]) -> None:
    role = _lets_manage(shop, alice)
    one, other = puppets
    for puppet in puppets:
        _give(shop, alice, puppet, role)
    for giver, to in ((one, other), (other, one)):
        _give(shop, giver, to, "senior_developer")
        _give(shop, giver, to, "devops_lead")


def _through_a_group(shop: Project, alice: User, puppets: list[User]) -> None:
    role, by = _lets_manage(shop, alice), acting(alice)
    group = access.create_group(project=shop, key="crew", name="Crew", intent=Intent(by))
    _give(shop, alice, group, role)
    for puppet in puppets:
        access.add_to_group(group=group, user=puppet, intent=Intent(by))
        _give(shop, puppet, puppet, "senior_developer")
        _give(shop, puppet, puppet, "devops_lead")
    access.delete_group(group=group, intent=Intent(by))


def _give(shop: Project, giver: User, to: User | Group, role: str) -> None:
    access.grant_role(project=shop, to=to, role=role, intent=Intent(acting(giver)))


@pytest.mark.parametrize("way", [_by_themselves, _by_one_another, _through_a_group])
def test_accounts_let_manage_members__that_give_themselves_a_vote__are_one_with_who_let_them(
    desk: Desk,
    shop: Project,
    alice: User,
    way: Callable[[Project, User, list[User]], None],
) -> None:
    """The accounts are old; and afterwards the role that let them is not what it was."""
    puppets = [create_person("p1"), create_person("p2")]
    way(shop, alice, puppets)
    role = CustomRole.objects.get(key="helpers")
    approvals.edit_role(
        role=role, name="Helpers", permissions=["flag.view"], intent=Intent(acting(alice))
    )
    request = ask(desk, alice)
    for puppet in puppets:
        vote(request, puppet)
    assert "more approval" in refused(request, alice)


def test_a_role_that_is_to_let_people_manage_members__waits_where_a_policy_holds(
    desk: Desk, shop: Project, alice: User
) -> None:
    role = access.create_role(
        project=shop,
        key="crew",
        name="Crew",
        permissions=["flag.view"],
        intent=Intent(acting(alice)),
    )
    with pytest.raises(Waiting):
        approvals.edit_role(
            role=role,
            name="Crew",
            permissions=["flag.view", "member.manage"],
            intent=Intent(acting(alice)),
        )


def _password(shop: Project, alice: User, erin: User) -> None:
    access.change_password(
        user=erin, password="another-horse-battery", intent=Intent(acting(alice))
    )


def _second_factor(shop: Project, alice: User, erin: User) -> None:
    Authenticator.objects.create(user=erin, type=Authenticator.Type.TOTP, data={})
    accounts.remove_two_factor(user=erin, actor=acting(alice))


def _reactivation(shop: Project, alice: User, erin: User) -> None:
    accounts.set_active(user=erin, active=False, actor=acting(alice))
    accounts.set_active(user=erin, active=True, actor=acting(alice))


def _role(shop: Project, alice: User, erin: User) -> None:
    shop.grants.filter(user=erin).delete()
    access.set_role(project=shop, user=erin, role="senior_developer", intent=Intent(acting(alice)))


def _group(shop: Project, alice: User, erin: User) -> None:
    """Into a group that votes, by somebody who had nothing to do with what it may."""
    group = access.create_group(project=shop, key="leads", name="Leads", intent=Intent(SETTING_UP))
    give_role(shop, group, "senior_developer")
    access.add_to_group(group=group, user=erin, intent=Intent(acting(alice)))


def _role_of_a_group(shop: Project, alice: User, erin: User) -> None:
    """Erin was in the group when it could do nothing."""
    group = access.create_group(project=shop, key="crew", name="Crew", intent=Intent(SETTING_UP))
    access.add_to_group(group=group, user=erin, intent=Intent(SETTING_UP))
    access.grant_role(project=shop, to=group, role="senior_developer", intent=Intent(acting(alice)))


@pytest.mark.parametrize(
    "take_hold", [_password, _second_factor, _reactivation, _role, _group, _role_of_a_group]
)
def test_who_takes_hold_of_a_voter__is_one_with_them_even_after_the_vote(
    desk: Desk,
    shop: Project,
    alice: User,
    erin: User,
    frank: User,
    take_hold: Callable[[Project, User, User], None],
) -> None:
    request = ask(desk, alice)
    vote(request, frank)
    vote(request, erin)
    take_hold(shop, alice, erin)
    assert "1 more approval" in refused(request, frank)
    other = ask(desk, erin)
    vote(other, alice)
    vote(other, frank)
    assert "1 more approval" in refused(other, frank)


def test_a_role_without_a_vote__binds_nobody(
    desk: Desk, shop: Project, alice: User, erin: User, frank: User
) -> None:
    for role in ("viewer", "on_call_engineer"):
        access.grant_role(project=shop, to=erin, role=role, intent=Intent(acting(alice)))
    request = ask(desk, alice)
    vote(request, erin)
    vote(request, frank)
    apply(request, frank)
    assert desk.configuration.enabled


def test_glass__is_not_confirmed_or_reviewed_by_somebody_whom_the_breaker_made(
    desk: Desk, shop: Project, alice: User, frank: User
) -> None:
    Policy.objects.update(break_glass=["project_admin"])
    puppet = add(shop, alice, "puppet", "devops_lead")
    desk.switch(alice, True, break_glass=True, reason="fire")
    emergency = Emergency.objects.get()
    for deed, said in (
        (services.confirm_emergency, {}),
        (services.review_emergency, {"text": "a"}),
    ):
        with pytest.raises(Barred, match="alice"):
            deed(emergency=emergency, intent=Intent(acting(puppet), at=desk.now), **said)
        deed(emergency=emergency, intent=Intent(acting(frank)), **said)


# Keys give nobody a vote


def test_a_key_with_member_manage__gives_nobody_a_vote_nor_the_right_to_give_one(
    desk: Desk, shop: Project, alice: User, bob: User
) -> None:
    """The road of the issue: a role, an invitation, a stranger who adds two accounts."""
    access.create_group(
        project=shop, key="board", name="Board", intent=Intent(SETTING_UP, at=desk.now)
    )
    Policy.objects.update(required_roles=["board", "devops_lead"])
    issued = access.issue_key(
        environment=desk.environment,
        kind="admin",
        name="Pipeline",
        rights=["member.manage", "environment.configure"],
        intent=Intent(acting(alice), at=desk.now),
    )
    key = Script(str(issued.token))
    role = {"name": "Crew", "permissions": ["flag.view"]}
    assert key.post(f"{PROJECT}/roles", {"key": "crew", **role}).status_code == 201
    voting = role | {"permissions": ["change_request.approve"]}
    managing = role | {"permissions": ["member.manage"]}
    attempts = [
        key.post(f"{PROJECT}/roles", {"key": "a", **voting}),
        key.post(f"{PROJECT}/roles", {"key": "b", **managing}),
        key.call("PATCH", f"{PROJECT}/roles/crew", voting),
        key.post(f"{PROJECT}/invitations", {"role": "senior_developer"}),
        key.post(f"{PROJECT}/grants", {"role": "qa", "member": "bob"}),
        key.post(f"{PROJECT}/grants", {"role": "qa", "group": "board"}),
        key.call("PATCH", f"{PROJECT}/members/bob", {"role": "project_admin"}),
        key.call("PUT", f"{PROJECT}/groups/board/members/bob"),
    ]
    assert [one.status_code for one in attempts] == [403] * 8
    assert all("person" in one.json()["detail"] for one in attempts)
    with pytest.raises(access.NotByKeys):
        approvals.reserve(
            environment=desk.environment,
            permission="change_request.approve",
            names=["crew"],
            intent=Intent(authority.key_actor(issued.key, Trace()), at=desk.now),
        )


# Honest teams go on


def test_what_people_had_before_the_first_policy__counts_at_once(
    desk: Desk, shop: Project, alice: User, dana: User
) -> None:
    """The shop's staging has no policy yet when Alice makes its two approvers."""
    place = shop.environments.get(key="staging")
    voters = [add(shop, alice, "s1", "senior_developer"), add(shop, alice, "s2", "devops_lead")]
    set_policy(place, **TWO_ROLES)
    request = ask(Desk(desk.flag, place, desk.now), alice)
    for voter in voters:
        vote(request, voter)
    apply(request, alice)
    Policy.objects.filter(environment=place).delete()
    set_policy(place, **TWO_ROLES)
    late = add(shop, alice, "s3", "devops_lead")
    request = ask_off_and_on(Desk(desk.flag, place, desk.now), dana)
    vote(request, late)
    vote(request, voters[0])
    apply(request, alice)  # s3 is one with alice alone, who takes no part


def ask_off_and_on(desk: Desk, person: User) -> ChangeRequest:
    desk.switch(person, False)
    return ask(desk, person)


@pytest.mark.postgresql
def test_a_confirmed_approver__counts_unless_who_confirmed_takes_part(
    desk: Desk, shop: Project, alice: User, dana: User, erin: User, frank: User
) -> None:
    late = add(shop, alice, "late", "devops_lead")
    request = ask(desk, alice)
    vote(request, late)
    vote(request, erin)
    for unfit in (alice, late):
        with pytest.raises(Invalid, match=r"[Ss]omebody else"):
            access.confirm_approver(project=shop, person=late, intent=Intent(acting(unfit)))
    with pytest.raises(Forbidden):
        access.confirm_approver(project=shop, person=late, intent=Intent(acting(dana)))
    access.confirm_approver(project=shop, person=late, intent=Intent(acting(erin)))
    assert "1 more approval" in refused(request, erin)
    access.confirm_approver(project=shop, person=late, intent=Intent(acting(frank)))
    apply(request, erin)
    assert desk.configuration.enabled


def test_the_word_of_somebody_whom_the_same_person_made__confirms_nobody(
    desk: Desk, shop: Project, alice: User, erin: User
) -> None:
    puppets = [add(shop, alice, name, "devops_lead") for name in ("s1", "s2")]
    access.confirm_approver(project=shop, person=puppets[0], intent=Intent(acting(puppets[1])))
    request = ask(desk, alice)
    vote(request, puppets[0])
    vote(request, erin)
    assert "1 more approval" in refused(request, erin)


def test_a_new_password__undoes_what_was_confirmed_before(
    desk: Desk, shop: Project, alice: User, erin: User, frank: User
) -> None:
    late = add(shop, alice, "late", "devops_lead")
    access.confirm_approver(project=shop, person=late, intent=Intent(acting(frank)))
    _password(shop, alice, late)
    request = ask(desk, alice)
    vote(request, late)
    vote(request, erin)
    assert "1 more approval" in refused(request, erin)


@pytest.mark.parametrize(
    ("days", "passed", "counts"), [(30, 29, False), (30, 31, True), (0, 0, True)]
)
def test_the_window__decides_how_long_they_are_one(
    desk: Desk, shop: Project, alice: User, erin: User, days: int, passed: int, counts: bool
) -> None:
    place = shop.environments.get(key="staging")
    set_policy(place, **TWO_ROLES, independence_days=days)
    Environment.objects.filter(pk=place.pk).update(governed_since=clock.now() - timedelta(days=80))
    late = add(shop, alice, "late", "devops_lead")
    age(passed)
    request = ask(Desk(desk.flag, place, desk.now), alice)
    vote(request, erin)
    vote(request, late)
    if counts:
        apply(request, erin)
    else:
        assert "1 more approval" in refused(request, erin)


def test_what_a_command_gives__is_nobodys_doing(
    desk: Desk, shop: Project, dana: User, erin: User, frank: User
) -> None:
    access.change_password(user=erin, password="x-correct-horse", intent=Intent(SETTING_UP))
    request = ask(desk, dana)
    vote(request, erin)
    vote(request, frank)
    apply(request, dana)
    assert not Sponsorship.objects.exists()


def test_the_last_approval_that_does_not_count__applies_nothing(
    desk: Desk, shop: Project, alice: User, erin: User
) -> None:
    late = add(shop, alice, "late", "devops_lead")
    with pytest.raises(Waiting) as error:
        desk.switch(alice, True)
    request = waiting(error)
    vote(request, erin)
    assert vote(request, late).request.state == State.OPEN
    stranger = create_person("stranger")
    give_role(shop, stranger, "devops_lead")
    assert vote(request, stranger).request.state == State.APPLIED
