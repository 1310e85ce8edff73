"""What the pages say of people who count as one, and what others can do about it there."""

import pytest

from portal.access import services as access
from portal.access.models import ApiKey, Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Intent
from tests.portal.approvals_web.conftest import at, text_of
from tests.portal.approvals_web.test_policy_page import review
from tests.support.agreeing import vote, waiting
from tests.support.desk import Desk
from tests.support.people import SETTING_UP, acting


@pytest.fixture
def late(shop: Project, guarded: Environment, alice: User) -> User:
    """Leads DevOps since Alice made the account, after production had its policy."""
    added = access.add_member(
        project=shop, username="late", role="devops_lead", intent=Intent(acting(alice))
    )
    return added.user


def test_a_vote_that_does_not_count__says_why_until_when_and_whom_to_ask(
    desk: Desk, alice: User, erin: User, frank: User, late: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.switch(alice, True)
    request = waiting(error)
    page = text_of(at(frank).open(f"changes/{request.pk}"))
    assert "late would not count: alice created the account of late on" in page
    vote(request, late)
    vote(request, erin)
    page = text_of(at(frank).open(f"changes/{request.pk}"))
    assert "1 of 2 approvals" in page
    assert "Not counted: alice created the account of late on" in page
    assert "Counts from" in page
    assert "or once another approver confirms late." in page
    page = text_of(at(frank).open("members/"))
    assert "alice gave late the role DevOps lead on" in page
    assert "Confirm this approver" in page
    assert "Confirm this approver" not in text_of(at(alice).open("members/"))
    answered = at(frank).send(f"members/{late.pk}/confirm")
    assert "Confirmed by frank" in text_of(answered)
    page = text_of(at(frank).open(f"changes/{request.pk}"))
    assert "2 of 2 approvals" in page


def test_the_review_of_a_policy__says_when_too_few_can_count_and_from_when_they_do(
    guarded: Environment, alice: User, late: User, frank: User
) -> None:
    """Erin, Frank and Late could be three; Late is one with Alice, who may approve as well."""
    dialog = text_of(review(at(frank), approvals="3"))
    assert "can count here today" not in dialog
    dialog = text_of(review(at(frank), approvals="4"))
    assert "Only 3 of the 4 people needed can count here today. From" in dialog
    assert "enough of them can, or once another approver confirms them." in dialog
    dialog = text_of(review(at(frank), approvals="9"))
    assert "Give more people a role that may approve changes here." in dialog
    dialog = text_of(review(at(frank), approvals="4", days="0"))
    assert "can count here today" not in dialog


def test_a_request_that_nobody_answers_for__is_adopted_on_its_page(
    desk: Desk, dana: User, erin: User, bob: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.switch(SETTING_UP, True)
    request = waiting(error)
    page = text_of(at(dana).open(f"changes/{request.pk}"))
    assert "nobody is responsible: somebody has to adopt it first." in page
    assert at(bob).send(f"changes/{request.pk}/adopt").status_code == 403
    assert at(dana).send(f"changes/{request.pk}/adopt").status_code < 400
    assert ChangeRequest.objects.get().author_user == dana
    page = text_of(at(erin).open(f"changes/{request.pk}"))
    assert "dana is responsible" in page
    assert "somebody has to adopt" not in page


def test_a_key__is_given_evidence_by_one_and_confirmed_by_another(
    desk: Desk, shop: Project, alice: User, frank: User
) -> None:
    key = access.issue_key(
        environment=desk.environment,
        kind="admin",
        name="Scan",
        intent=Intent(acting(alice), at=desk.now),
    ).key
    address = f"keys/{key.selector}"
    assert "counts for changes in Production" in text_of(at(alice).open(f"{address}/evidence"))
    answered = at(alice).send(f"{address}/evidence", evidence="Not a name")
    assert "List up to 20 names" in text_of(answered)
    answered = at(alice).send(f"{address}/evidence", evidence="security_scan load_test")
    assert "may post the evidence load_test, security_scan" in text_of(answered)
    assert "Confirm this key" not in text_of(at(alice).open("keys/"))
    assert "Confirm this key" in text_of(at(frank).open("keys/"))
    assert "confirmed by frank" in text_of(at(frank).send(f"{address}/confirm"))
    assert ApiKey.objects.get(pk=key.pk).evidence_confirmed_by == frank
