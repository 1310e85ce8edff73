"""Who gets a letter about what; the people are Dana who asks, Erin and Frank who can approve."""

from datetime import timedelta

import pytest

from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Emergency
from portal.lib import clock
from portal.lib.journal import Intent
from portal.notifications.models import Letter
from tests.portal.approvals.racing import with_glass
from tests.support.agreeing import vote
from tests.support.desk import RULE, Desk
from tests.support.people import acting, create_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def addresses(shop: Project, dana: User, erin: User, frank: User, bob: User) -> None:
    for person in (dana, erin, frank, bob):
        User.objects.filter(pk=person.pk).update(email=f"{person.username}@example.com")


def told() -> dict[str, set[str]]:
    """Who was told what since the last look; the letters are forgotten."""
    found: dict[str, set[str]] = {}
    for letter in Letter.objects.select_related("user"):
        found.setdefault(letter.subject, set()).add(letter.user.username)
    Letter.objects.all().delete()
    return found


TITLE = "Turn on New checkout in Production"


def test_a_request__is_told_to_who_can_approve_it(asked: ChangeRequest) -> None:
    letter = Letter.objects.filter(user__username="erin").get()
    assert f"http://127.0.0.1:8000/p/shop/changes/{asked.pk}" in letter.text
    assert "- Turned on: all users where country is one of DE" in letter.text
    assert told() == {f"[Shop] dana requests a change: {TITLE}": {"erin", "frank"}}


def test_an_edit__is_told_again_and_not_to_its_editor(
    desk: Desk, asked: ChangeRequest, erin: User
) -> None:
    told()
    with pytest.raises(Waiting):
        desk.save(erin, revise=asked.pk, enabled=True)
    assert told() == {f"[Shop] Edited: {TITLE}": {"frank"}}


def test_votes_and_applying__are_told_to_who_asked(
    asked: ChangeRequest, erin: User, frank: User
) -> None:
    told()
    vote(asked, erin)
    vote(asked, frank)
    assert told() == {
        f"[Shop] erin approved: {TITLE}": {"dana"},
        f"[Shop] frank approved: {TITLE}": {"dana"},
        f"[Shop] Applied: {TITLE}": {"dana"},
    }


def test_a_rejection__is_told_with_its_reason(asked: ChangeRequest, erin: User) -> None:
    told()
    vote(asked, erin, "reject", "too early\r\nBcc: eve@example.com")
    assert "too early" in Letter.objects.get().text
    assert told() == {f"[Shop] erin rejected: {TITLE}": {"dana"}}


def test_an_approved_request_that_conflicts__is_told_with_the_problem(
    desk: Desk, asked: ChangeRequest, erin: User, frank: User, dana: User
) -> None:
    vote(asked, erin)
    desk.edit(dana, description="Other words")
    told()
    vote(asked, frank)
    assert f"[Shop] Approved, and not applied: {TITLE}" in told()


def test_broken_glass__is_told_to_approvers_and_site_administrators(
    desk: Desk, guarded: Environment, erin: User
) -> None:
    root = create_person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True, email="root@example.com")
    with_glass(guarded)
    desk.switch(erin, True, break_glass=True, reason="Orders fail")
    text = Letter.objects.filter(user=root).get().text
    assert "The emergency: Orders fail" in text
    assert "unless somebody else confirms it" in text
    assert told() == {f"[Shop] erin broke the glass: {TITLE}": {"frank", "root"}}


def test_what_is_not_filed__is_told_to_nobody(desk: Desk, bob: User) -> None:
    from portal.lib.errors import Forbidden

    with pytest.raises(Forbidden):
        desk.save(bob, enabled=True, rules=[RULE])
    assert told() == {}


def later(**ago: float) -> None:
    """As if a request had been asked a while ago."""
    moment = clock.database_now() - timedelta(**ago)
    ChangeRequest.objects.update(revised_at=moment)
    Emergency.objects.update(at=moment)


def remind() -> dict[str, set[str]]:
    services.remind()
    return told()


def test_reminders__once_a_day_three_times_to_who_has_not_voted(
    asked: ChangeRequest, erin: User
) -> None:
    told()
    vote(asked, erin)
    told()
    later(hours=23)
    assert remind() == {}
    reminders = []
    for day in range(1, 7):
        later(hours=24 * day + 1)
        ChangeRequest.objects.exclude(reminded_at=None).update(
            reminded_at=clock.database_now() - timedelta(hours=25)
        )
        reminders.append(remind())
        assert remind() == {}
    expected = {f"[Shop] Still waiting for approval: {TITLE}": {"frank"}}
    assert reminders == [expected] * 3 + [{}] * 3


def test_reminders__of_decided_requests_there_are_none(asked: ChangeRequest, dana: User) -> None:
    services.withdraw_request(request=asked, intent=Intent(acting(dana)))
    told()
    later(hours=25)
    assert remind() == {}


def test_an_unreviewed_emergency__is_reminded_of_each_day_until_it_is_reviewed(
    desk: Desk, guarded: Environment, erin: User, frank: User
) -> None:
    with_glass(guarded)
    desk.switch(erin, True, break_glass=True, reason="Orders fail")
    told()
    expected = {f"[Shop] Not reviewed yet: {TITLE}": {"frank"}}
    for day in (1, 2, 9):
        later(hours=24 * day + 1)
        services.remind()
        services.remind()
        assert Letter.objects.count() == 1
        assert told() == expected
    services.review_emergency(
        emergency=Emergency.objects.get(),
        text="It was right.",
        intent=Intent(acting(frank), at=desk.now),
    )
    later(hours=24 * 20)
    assert remind() == {}
