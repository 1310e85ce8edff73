"""Two things at the same instant: never applied unapproved, nobody counted twice, no deadlock."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from flags.core import configurations
from portal.access import services as access
from portal.access.models import Environment, Group, Project, User
from portal.approvals import selectors, services, services as approvals
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Emergency, Policy, Vote
from portal.approvals.services import Voted
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.errors import Conflict
from portal.lib.journal import Entry, Intent, WriteOptions
from tests.portal.approvals.racing import Cast, apply, at_once, many, names, sequence_of, with_glass
from tests.support.agreeing import TWO_ROLES, set_policy, waiting
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, create_person, give_role

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 4


@pytest.fixture
def people(desk: Desk, dana: User, erin: User, frank: User) -> Cast:
    return Cast(desk, dana, erin, frank)


@pytest.fixture
def slow_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks whether a request is approved acts on it a moment later."""
    look = selectors.assess_request

    def look_and_wait(*args: Any, **kwargs: Any) -> Any:
        found = look(*args, **kwargs)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(selectors, "assess_request", look_and_wait)


def _cast(request: ChangeRequest, person: User) -> Callable[[], object]:
    seen = request.digest
    return lambda: services.cast_vote(
        request=request, verdict="approve", seen_digest=seen, intent=Intent(acting(person))
    )


def _crowd(shop: Project) -> list[User]:
    crowd = [create_person(f"voter-{number}") for number in range(many())]
    for person in crowd:
        give_role(shop, person, "qa")
    return crowd


def test_votes_of_many_at_once__count_once_each(
    people: Cast, shop: Project, guarded: Environment
) -> None:
    crowd = _crowd(shop)
    request = people.ask(people.desk)
    assert set(names(at_once(*(_cast(request, person) for person in crowd)))) == {"Voted"}
    assert set(request.votes.values_list("user", flat=True)) == {person.pk for person in crowd}
    assert AuditEvent.objects.filter(event="change_request.approved").count() == len(crowd)
    assert not people.desk.configuration.enabled  # enough people, but not the roles


def test_votes_of_many_at_once__apply_it_once(
    people: Cast, shop: Project, guarded: Environment
) -> None:
    crowd = _crowd(shop)
    set_policy(guarded.project.environments.get(key="staging"), required_approvals=5)
    desk = Desk(people.desk.flag, shop.environments.get(key="staging"), people.desk.now)
    with pytest.raises(Waiting) as error:
        desk.switch(people.dana, True)
    request = waiting(error)
    outcomes = at_once(*(_cast(request, person) for person in crowd))
    voted = [one for one in outcomes if isinstance(one, Voted)]
    assert set(names(outcomes)) <= {"Voted", "Closed"}
    assert len(voted) == Vote.objects.count() >= 5
    assert {one.problem for one in voted} == {""}
    for event in ("change_request.applied", "flag.enabled"):
        assert AuditEvent.objects.filter(event=event).count() == 1
    assert AuditEvent.objects.filter(event="change_request.approved").count() == len(voted)


def test_votes_of_one_person_at_once__are_one(people: Cast) -> None:
    request = people.ask(people.desk)
    outcomes = at_once(*[_cast(request, people.erin)] * many())
    assert names(outcomes) == sorted(["Voted"] + ["Invalid"] * (many() - 1))
    assert Vote.objects.count() == 1


def test_the_same_asked_by_one_person_at_once__is_one_request(people: Cast) -> None:
    outcomes = at_once(*[lambda: people.desk.switch(people.dana, True)] * 4)
    assert names(outcomes) == ["Waiting"] * 4
    assert ChangeRequest.objects.count() == 1


def test_a_vote_against_an_edit__is_on_the_new_content_or_refused(
    people: Cast, slow_look: None
) -> None:
    for number in range(ROUNDS):
        desk = people.new_desk(number)
        with pytest.raises(Waiting) as error:
            desk.switch(people.dana, True)
        request = waiting(error)
        services.cast_vote(
            request=request,
            verdict="approve",
            seen_digest=request.digest,
            intent=Intent(acting(people.erin)),
        )
        seen = desk.configuration.document
        at_once(
            _cast(request, people.frank),
            partial(desk.save, people.dana, revise=request.pk, rules=[RULE]),
        )
        request.refresh_from_db()
        agreed = {**seen, "enabled": True}
        agreed.pop("introduced", None)  # what is on is introduced
        assert desk.configuration.document == (agreed if request.state == "applied" else seen)
        assert all(vote.digest == request.digest for vote in request.votes.all())


@transaction.atomic
def _close(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)
    closed = Entry("user.deactivated", SETTING_UP, subject_kind="user", subject=person.username)
    journal.write(closed)


Contest = Callable[[Cast, Project], object]
CONTESTS: dict[str, tuple[str, Contest]] = {
    "a role is taken away": (
        "grant.revoked",
        lambda people, shop: access.revoke_grant(
            grant=shop.grants.get(user=people.erin, role="senior_developer"),
            intent=Intent(SETTING_UP),
        ),
    ),
    "a member is removed": (
        "member.removed",
        lambda people, shop: access.remove_member(
            project=shop, user=people.erin, intent=Intent(SETTING_UP)
        ),
    ),
    "the author is removed": (
        "member.removed",
        lambda people, shop: access.remove_member(
            project=shop, user=people.dana, intent=Intent(SETTING_UP)
        ),
    ),
    "an account is closed": ("user.deactivated", lambda people, shop: _close(people.erin)),
    "a group is left": (
        "group.member_removed",
        lambda people, shop: access.remove_from_group(
            group=shop.groups.get(key="leads"), user=people.frank, intent=Intent(SETTING_UP)
        ),
    ),
    "the policy is raised": (
        "policy.set",
        lambda people, shop: set_policy(people.place, **TWO_ROLES | {"required_approvals": 3}),
    ),
    "approving is reserved": (
        "rule.changed",
        lambda people, shop: approvals.reserve(
            environment=people.place,
            permission="change_request.approve",
            names=["devops_lead"],
            intent=Intent(SETTING_UP),
        ),
    ),
}


@pytest.mark.parametrize("contest", CONTESTS)
def test_apply_against_what_takes_the_approval_away__is_first_or_refused(
    people: Cast, shop: Project, slow_look: None, contest: str
) -> None:
    _frank_leads_through_a_group(shop, people.frank)
    event, act = CONTESTS[contest]
    request = people.agree(people.ask(people.desk))
    applied, _done = at_once(lambda: apply(request, people.dana), lambda: act(people, shop))
    other, mine = sequence_of(event), sequence_of("change_request.applied")
    assert other is not None
    assert people.desk.configuration.enabled == isinstance(applied, ChangeRequest)
    if isinstance(applied, ChangeRequest):
        assert mine is not None
        assert mine < other
    else:
        assert type(applied).__name__ in ("NotApproved", "Barred", "Forbidden")


def _frank_leads_through_a_group(shop: Project, frank: User) -> None:
    group: Group = access.create_group(
        project=shop, key="leads", name="Leads", intent=Intent(SETTING_UP)
    )
    access.add_to_group(group=group, user=frank, intent=Intent(SETTING_UP))
    give_role(shop, group, "devops_lead")
    access.revoke_grant(grant=shop.grants.get(user=frank), intent=Intent(SETTING_UP))


def test_two_applies_at_once__one_is_told_that_it_is_applied(people: Cast) -> None:
    for number in range(ROUNDS):
        request = people.agree(people.ask(people.new_desk(number)))
        outcomes = at_once(
            partial(apply, request, people.dana),
            partial(apply, request, people.erin),
        )
        assert names(outcomes) == ["ChangeRequest", "Closed"]
    assert AuditEvent.objects.filter(event="change_request.applied").count() == ROUNDS


def test_withdraw_against_apply__one_is_told_of_the_other(people: Cast) -> None:
    for number in range(ROUNDS):
        desk = people.new_desk(number)
        request = people.agree(people.ask(desk))
        outcomes = at_once(
            partial(apply, request, people.erin),
            partial(
                services.withdraw_request,
                request=request,
                intent=Intent(acting(people.dana)),
            ),
        )
        request.refresh_from_db()
        assert "Closed" in names(outcomes)
        assert desk.configuration.enabled == (request.state == "applied")


def _breaking(desk: Desk, person: User, seen: int) -> Callable[[], object]:
    document = desk.configuration.document | {"enabled": True, "rules": [RULE]}
    return lambda: configurations.save_configuration(
        flag=desk.flag,
        environment=desk.environment,
        document=document,
        expected_version=seen,
        intent=Intent(acting(person), reason="Orders fail", options=WriteOptions(break_glass=True)),
    )


def test_two_who_break_glass_at_once__one_does_and_one_conflicts(people: Cast) -> None:
    with_glass(people.place)
    seen = people.desk.configuration.version
    outcomes = at_once(
        _breaking(people.desk, people.erin, seen), _breaking(people.desk, people.dana, seen)
    )
    assert names(outcomes) == ["Conflict", "FlagConfiguration"]
    assert Emergency.objects.count() == 1


def test_four_workers_take_back_at_once__it_happens_once(people: Cast) -> None:
    with_glass(people.place)
    before = people.desk.configuration.document
    _breaking(people.desk, people.erin, people.desk.configuration.version)()
    Emergency.objects.update(reverts_at=clock.database_now())
    at_once(*[lambda: services.revert_due()] * 4)
    assert people.desk.configuration.document == before
    assert AuditEvent.objects.filter(event="break_glass.reverted").count() == 1
    assert AuditEvent.objects.filter(event="flag.disabled").count() == 1


def test_a_direct_save_against_apply__one_wins_and_one_conflicts(people: Cast) -> None:
    with_glass(people.place)
    for number in range(ROUNDS):
        desk = people.new_desk(number)
        request = people.agree(people.ask(desk))
        outcomes = at_once(
            partial(apply, request, people.dana),
            _breaking(desk, people.erin, desk.configuration.version),
        )
        assert sum(isinstance(one, Conflict) for one in outcomes) == 1
        assert len([one for one in outcomes if not isinstance(one, Exception)]) == 1


def test_a_policy_set_against_a_direct_save__is_seen_by_it_or_came_after(
    people: Cast, guarded: Environment
) -> None:
    for number in range(ROUNDS):
        Policy.objects.all().delete()
        desk = people.new_desk(number)
        outcomes = at_once(
            lambda: set_policy(guarded, **TWO_ROLES),
            partial(desk.switch, people.dana, True),
        )
        policy, enabled = sequence_of("policy.set"), sequence_of("flag.enabled", desk.flag.key)
        if "Waiting" in names(outcomes):
            assert enabled is None
        else:
            assert enabled is not None
            assert policy is not None
            assert enabled < policy
