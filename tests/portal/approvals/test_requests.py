"""From asking to applying: what it takes, and what stands in the way."""

from typing import Any

import pytest

from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Barred, Closed, Edited, NotApproved, Waiting
from portal.approvals.models import ChangeRequest, Vote
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, vote, waiting
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, create_person, give_role
from tests.support.rows import everything_kept


def apply(request: ChangeRequest, person: User) -> ChangeRequest:
    return services.apply_request(request=request, intent=Intent(acting(person)))


def revise(desk: Desk, request: ChangeRequest, person: User, **changes: Any) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        desk.save(person, revise=request.pk, **changes)
    return waiting(error)


def test_a_change_of_production__dana__waits_and_changes_nothing(desk: Desk, dana: User) -> None:
    before = desk.configuration.document
    with pytest.raises(Waiting, match=r"waits as change request \d+: http") as error:
        desk.save(dana, rules=[RULE], enabled=True)
    request = waiting(error)
    assert desk.configuration.document == before
    assert request.before == before
    assert request.after == before | {"rules": request.after["rules"], "enabled": True}
    assert request.words[0] == (
        "Turned on: all users where country is one of DE get “on”; everyone else gets “on”."
    )
    assert (request.author, request.author_user) == ("dana", dana)
    assert audit.events_of(
        desk.flag.project, subject_kind="change_request", subject=str(request.pk)
    )


def test_the_same_asked_twice__is_one_request(desk: Desk, dana: User) -> None:
    for _ in range(2):
        with pytest.raises(Waiting):
            desk.switch(dana, True)
    assert ChangeRequest.objects.count() == 1


@pytest.mark.postgresql
def test_two_people_with_the_two_roles__approve__it_goes_live(
    desk: Desk, asked: ChangeRequest, erin: User, frank: User
) -> None:
    assert vote(asked, erin).request.is_open
    assert not desk.configuration.enabled
    voted = vote(asked, frank)
    assert (voted.request.state, voted.problem) == ("applied", "")
    assert desk.configuration.document == asked.after
    enabled, applied = AuditEvent.objects.all()[:2]
    assert (enabled.event, enabled.reason) == ("flag.enabled", f"(change request {asked.pk})")
    assert (applied.event, applied.subject) == ("change_request.applied", str(asked.pk))
    approved = applied.after_document
    assert approved
    assert [one["person"] for one in approved["approved_by"]] == ["erin", "frank"]  # type: ignore[attr-defined]
    assert audit.chain_fault() is None


def test_not_to_be_applied_by_itself__waits_for_somebody_who_may(
    desk: Desk, dana: User, bob: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True, apply_when_approved=False)
    request = waiting(error)
    vote(request, erin)
    assert vote(request, frank).request.is_open
    with pytest.raises(Forbidden, match="apply approved changes"):
        apply(request, bob)
    assert apply(request, dana).state == "applied"
    assert desk.configuration.enabled


def test_enough_people_without_the_roles__do_not_suffice(
    desk: Desk, shop: Project, asked: ChangeRequest, erin: User
) -> None:
    grace = create_person("grace")
    give_role(shop, grace, "qa")
    vote(asked, erin)
    vote(asked, grace)
    with pytest.raises(NotApproved, match="nobody with the role DevOps lead has approved"):
        apply(asked, erin)
    assert not desk.configuration.enabled


def test_both_roles_in_one_person__are_one_approval(
    shop: Project, asked: ChangeRequest, erin: User
) -> None:
    give_role(shop, erin, "devops_lead")
    vote(asked, erin)
    with pytest.raises(NotApproved, match="1 more approval is needed"):
        apply(asked, erin)


def test_self_approval__is_barred_even_with_every_role(
    shop: Project, asked: ChangeRequest, dana: User
) -> None:
    give_role(shop, dana, "project_admin")
    with pytest.raises(Barred, match="You asked for this change"):
        vote(asked, dana)
    assert not Vote.objects.exists()


def test_self_approval_through_a_key_of_ones_own__is_barred(
    desk: Desk, guarded: Environment, alice: User
) -> None:
    from portal.access import authority
    from portal.lib.journal import Trace

    issued = access.issue_key(
        environment=guarded, kind="admin", name="Mine", intent=Intent(acting(alice), at=desk.now)
    )
    with pytest.raises(Waiting) as error:
        desk.switch(authority.key_actor(issued.key, Trace()), True)
    with pytest.raises(Barred):
        vote(waiting(error), alice)


def test_every_editor__is_barred(
    desk: Desk, shop: Project, asked: ChangeRequest, alice: User, erin: User
) -> None:
    revise(desk, asked, erin, enabled=True)
    revise(desk, asked, alice, enabled=True, rules=[RULE])
    for editor in (erin, alice):
        with pytest.raises(Barred, match="You edited"):
            vote(asked, editor)


def test_an_edit__voids_the_votes(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    edited = revise(desk, asked, dana, enabled=True)
    assert (edited.pk, edited.revision) == (asked.pk, 2)
    assert edited.digest != asked.digest
    assert not Vote.objects.exists()
    vote(asked, frank)
    with pytest.raises(NotApproved, match="1 more approval"):
        apply(asked, frank)


def test_a_vote_on_what_was_there_before_the_edit__does_not_count(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User
) -> None:
    seen = asked.digest
    revise(desk, asked, dana, enabled=True)
    with pytest.raises(Edited):
        services.cast_vote(
            request=asked,
            verdict="approve",
            seen_digest=seen,
            intent=Intent(acting(erin), at=desk.now),
        )


@pytest.mark.parametrize("person", ["bob", "charlie"])
def test_who_may_not_approve__is_forbidden(
    asked: ChangeRequest, charlie: User, person: str
) -> None:
    with pytest.raises(Forbidden, match="approve changes"):
        vote(asked, User.objects.get(username=person))


def test_a_second_vote__is_refused(asked: ChangeRequest, erin: User) -> None:
    vote(asked, erin)
    with pytest.raises(Invalid, match="voted already"):
        vote(asked, erin)
    services.withdraw_vote(request=asked, intent=Intent(acting(erin)))
    vote(asked, erin, "reject")
    asked.refresh_from_db()
    assert asked.state == "rejected"


def test_a_rejected_request__takes_nothing_more_until_it_is_edited(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User, frank: User
) -> None:
    with pytest.raises(Invalid, match="Give a reason"):
        vote(asked, erin, "reject", comment=" ")
    vote(asked, erin, "reject")
    for attempt in (lambda: vote(asked, frank), lambda: apply(asked, frank)):
        with pytest.raises(Closed, match="rejected already"):
            attempt()
    assert revise(desk, asked, dana, enabled=True).is_open


def test_a_voter_who_lost_the_role__does_not_count_any_more(
    desk: Desk, shop: Project, asked: ChangeRequest, erin: User, frank: User
) -> None:
    vote(asked, erin)
    access.set_role(project=shop, user=erin, role="viewer", intent=Intent(SETTING_UP, at=desk.now))
    voted = vote(asked, frank)
    assert voted.request.is_open
    with pytest.raises(NotApproved, match=r"1 more approval.*role senior developer"):
        apply(asked, frank)
    assert not desk.configuration.enabled


def test_an_author_who_may_no_longer_want_it__stops_it(
    desk: Desk, shop: Project, asked: ChangeRequest, dana: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    access.remove_member(project=shop, user=dana, intent=Intent(SETTING_UP))
    assert "dana, who asked for this, may no longer" in vote(asked, frank).problem
    assert not desk.configuration.enabled


def test_a_changed_base__is_a_conflict_with_both_sides(
    desk: Desk, asked: ChangeRequest, alice: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    desk.edit(alice, name="Another name")
    with pytest.raises(Conflict) as error:
        services.apply_request(request=asked, intent=Intent(acting(erin), at=desk.now))
    assert error.value.current["enabled"] is False
    assert error.value.yours["enabled"] is True
    assert vote(asked, frank).problem
    assert not desk.configuration.enabled


def test_turning_off__needs_nobody(desk: Desk, guarded: Environment, dana: User) -> None:
    guarded.policy.delete()
    desk.switch(dana, True)
    set_policy(guarded, required_approvals=1)
    assert not desk.switch(dana, False).enabled


def test_turning_off__where_the_policy_says_so__waits(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    guarded.policy.delete()
    desk.switch(dana, True)
    set_policy(guarded, required_approvals=1, turning_off_needs_approval=True)
    with pytest.raises(Waiting):
        desk.switch(dana, False)


def test_turning_off_and_something_else__waits(
    desk: Desk, guarded: Environment, dana: User
) -> None:
    guarded.policy.delete()
    desk.switch(dana, True)
    set_policy(guarded, required_approvals=1)
    with pytest.raises(Waiting):
        desk.save(dana, enabled=False, rules=[RULE])


def test_other_environments__need_nobody(desk: Desk, development: Environment, dana: User) -> None:
    elsewhere = Desk(desk.flag, development, desk.now)
    assert elsewhere.switch(dana, True).enabled


def test_a_flags_values__are_every_environments_business(desk: Desk, dana: User) -> None:
    desk.edit(dana, description="Only words")
    with pytest.raises(Waiting) as error:
        desk.edit(dana, variants=[{"key": "on", "value": False}, {"key": "off", "value": True}])
    assert set(waiting(error).environments.values_list("key", flat=True)) == {
        "development",
        "staging",
        "production",
    }


def test_archiving__waits_and_is_carried_out(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.archive(dana)
    request = waiting(error)
    vote(request, erin)
    assert vote(request, frank).problem == ""
    desk.flag.refresh_from_db()
    assert desk.flag.is_archived


def test_a_forged_agreement__opens_nothing(desk: Desk, asked: ChangeRequest, dana: User) -> None:
    before = everything_kept()
    with pytest.raises((Conflict, NotApproved)):
        desk.save(dana, agreement=asked.pk, enabled=True)
    with pytest.raises(NotApproved):
        desk.save(dana, agreement=asked.pk, enabled=True, rules=[RULE])
    assert everything_kept() == before


def test_withdrawn__by_its_author_alone(asked: ChangeRequest, dana: User, bob: User) -> None:
    with pytest.raises(Forbidden):
        services.withdraw_request(request=asked, intent=Intent(acting(bob)))
    services.withdraw_request(request=asked, intent=Intent(acting(dana)))
    with pytest.raises(Closed):
        services.withdraw_request(request=asked, intent=Intent(acting(dana)))
