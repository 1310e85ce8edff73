"""Breaking glass: at once, for a while, and looked at afterwards."""

from datetime import timedelta

import pytest

from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Barred
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.policies import services as policy_services
from portal.audit.models import AuditEvent
from portal.lib import clock, journal
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP, acting, create_person, give_role

REASON = "checkout is down"


@pytest.fixture
def grace(shop: Project) -> User:
    """On call."""
    person = create_person("grace")
    give_role(shop, person, "on_call_engineer")
    return person


@pytest.fixture
def desk(desk: Desk, guarded: Environment) -> Desk:
    """On-call engineers may break glass in production, for half an hour."""
    guarded.policy.delete()
    set_policy(guarded, **TWO_ROLES, break_glass=["on_call_engineer"], break_glass_minutes=30)
    return desk


@pytest.fixture
def emergency(desk: Desk, grace: User) -> Emergency:
    desk.switch(grace, True, break_glass=True, reason=REASON)
    return Emergency.objects.get()


def make_due(emergency: Emergency) -> None:
    past = clock.database_now() - timedelta(seconds=1)
    Emergency.objects.filter(pk=emergency.pk).update(reverts_at=past)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("event", flat=True))


def test_breaking_glass__on_call__changes_it_at_once_and_says_why(
    desk: Desk, emergency: Emergency, grace: User
) -> None:
    assert desk.configuration.enabled
    assert emergency.reverts_at - emergency.at == timedelta(minutes=30)
    assert (emergency.actor_user, emergency.reason) == (grace, REASON)
    assert emergency.request.state == "applied"
    assert events()[-2:] == ["break_glass.used", "flag.enabled"]
    last = AuditEvent.objects.first()
    assert last
    assert last.reason == f"{REASON} (emergency change {emergency.request_id})"


@pytest.mark.parametrize("person", ["dana", "alice", "erin"])
def test_breaking_glass__who_is_not_named__is_forbidden(desk: Desk, person: str) -> None:
    with pytest.raises(Forbidden, match="break glass in production"):
        desk.switch(User.objects.get(username=person), True, break_glass=True, reason=REASON)
    assert not Emergency.objects.exists()
    assert not desk.configuration.enabled


def test_breaking_glass__without_a_reason__is_refused(desk: Desk, grace: User) -> None:
    with pytest.raises(Invalid, match="Say what the emergency is"):
        desk.switch(grace, True, break_glass=True, reason="  ")
    assert not ChangeRequest.objects.exists()


def test_breaking_glass__does_not_give_permissions_somebody_lacks(desk: Desk, grace: User) -> None:
    with pytest.raises(Forbidden, match="edit flags"):
        desk.save(grace, rules=[RULE], break_glass=True, reason=REASON)


def test_breaking_glass__by_the_product_itself__is_forbidden(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        desk.switch(journal.system("a command"), True, break_glass=True, reason=REASON)


def test_breaking_glass__for_a_policy__is_forbidden(
    guarded: Environment, desk: Desk, shop: Project
) -> None:
    from portal.lib.journal import WriteOptions

    hank = create_person("hank")
    for role in ("project_admin", "on_call_engineer"):
        give_role(shop, hank, role)
    with pytest.raises(Forbidden):
        policy_services.set_policy(
            environment=guarded,
            document=None,
            intent=Intent(
                acting(hank), reason=REASON, options=WriteOptions(break_glass=True), at=desk.now
            ),
        )


def test_its_time_runs_out__takes_itself_back_once(desk: Desk, emergency: Emergency) -> None:
    before = emergency.request.before
    assert services.revert_due() == 0
    make_due(emergency)
    assert services.revert_due() == 1
    assert services.revert_due() == 0
    emergency.refresh_from_db()
    assert emergency.reverted_at
    assert desk.configuration.document == before
    assert events()[-2:] == ["flag.disabled", "break_glass.reverted"]


def test_confirmed_by_somebody_else__stays(
    desk: Desk, emergency: Emergency, grace: User, erin: User
) -> None:
    with pytest.raises(Barred, match="You broke glass"):
        services.confirm_emergency(emergency=emergency, intent=Intent(acting(grace), at=desk.now))
    services.confirm_emergency(emergency=emergency, intent=Intent(acting(erin), at=desk.now))
    make_due(emergency)
    assert services.revert_due() == 0
    assert desk.configuration.enabled


def test_confirmed_by_who_may_not_approve__is_forbidden(
    desk: Desk, emergency: Emergency, bob: User
) -> None:
    with pytest.raises(Forbidden):
        services.confirm_emergency(emergency=emergency, intent=Intent(acting(bob), at=desk.now))


def test_changed_again_since__is_left_alone_and_says_so(
    desk: Desk, emergency: Emergency, dana: User
) -> None:
    desk.switch(dana, False)
    make_due(emergency)
    services.revert_due()
    emergency.refresh_from_db()
    assert emergency.superseded_at
    assert not emergency.reverted_at
    assert events()[-1] == "break_glass.not_reverted"


def test_taken_back_before_its_time__by_who_made_it(
    desk: Desk, emergency: Emergency, grace: User, bob: User
) -> None:
    with pytest.raises(Forbidden):
        services.revert_emergency(emergency=emergency, intent=Intent(acting(bob), at=desk.now))
    services.revert_emergency(emergency=emergency, intent=Intent(acting(grace), at=desk.now))
    assert not desk.configuration.enabled


def test_the_review__is_by_somebody_else_and_once(
    desk: Desk, emergency: Emergency, grace: User, erin: User, frank: User
) -> None:
    def review(person: User, text: str) -> Emergency:
        return services.review_emergency(
            emergency=emergency, text=text, intent=Intent(acting(person), at=desk.now)
        )

    with pytest.raises(Barred):
        review(grace, "all fine")
    with pytest.raises(Invalid):
        review(erin, " ")
    assert review(erin, "It was right.").is_reviewed
    with pytest.raises(Invalid, match="erin has reviewed"):
        review(frank, "I agree.")


def test_who_broke_the_glass_lost_the_role__it_reverts_all_the_same(
    desk: Desk, shop: Project, emergency: Emergency, grace: User
) -> None:
    access.remove_member(project=shop, user=grace, intent=Intent(SETTING_UP))
    make_due(emergency)
    services.revert_due()
    assert not desk.configuration.enabled
