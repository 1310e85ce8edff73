"""A request over time: its base changes, people talk and edit, and the page follows."""

import re

import pytest

from portal.access.models import Environment, Group, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Comment
from tests.portal.approvals_web.conftest import all_kept, at, buttons_of, text_of, vote_on
from tests.support.agreeing import set_policy, vote
from tests.support.desk import RULE, Desk
from tests.support.people import create_person, give_role


def test_a_changed_base__shows_both_sides_and_is_brought_up_to_date(
    desk: Desk, asked: ChangeRequest, dana: User, alice: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    desk.environment.policy.delete()
    desk.switch(alice, True)
    set_policy(desk.environment, required_approvals=1)
    page = text_of(at(dana).open(f"changes/{asked.pk}"))
    assert "It was changed since this was requested" in page
    assert "What changed meanwhile" in page
    refused = text_of(at(dana).send(f"changes/{asked.pk}/apply"))
    assert "Someone" in refused or "changed meanwhile" in refused
    answer = at(dana).send(f"changes/{asked.pk}/renew", digest=asked.digest)
    assert answer.status_code == 200, text_of(answer)
    asked.refresh_from_db()
    assert (asked.revision, asked.words) == (2, asked.words)
    assert not any("Turned on" in sentence for sentence in asked.words)
    assert not asked.votes.exists()
    page = text_of(at(dana).open(f"changes/{asked.pk}"))
    assert "It was changed since" not in page
    assert "void: edited since" in page
    vote_on(at(frank), asked)
    assert desk.configuration.document == asked.after


def test_bringing_up_to_date__by_who_may_not_change_flags__is_refused(
    desk: Desk, asked: ChangeRequest, alice: User, frank: User, bob: User
) -> None:
    desk.edit(alice, name="Another name")
    before = all_kept()
    for person in (bob, frank):
        answer = at(person).send(f"changes/{asked.pk}/renew", digest=asked.digest)
        assert answer.status_code in (403, 400), text_of(answer)
    assert all_kept() == before


def test_what_is_up_to_date_or_edited_meanwhile__is_not_renewed(
    desk: Desk, asked: ChangeRequest, dana: User
) -> None:
    before = all_kept()
    answer = at(dana).send(f"changes/{asked.pk}/renew", digest=asked.digest)
    assert "up to date already" in text_of(answer)
    assert at(dana).send(f"changes/{asked.pk}/renew", digest="sha256:x").status_code == 409
    assert all_kept() == before


def test_bringing_up_to_date_where_no_policy_is_left__changes_nothing(
    desk: Desk, asked: ChangeRequest, alice: User, dana: User
) -> None:
    desk.environment.policy.delete()
    desk.switch(alice, True)
    before = all_kept()
    answer = at(dana).send(f"changes/{asked.pk}/renew", digest=asked.digest)
    assert "This no longer needs approval." in text_of(answer)
    assert all_kept() == before


def test_comments__are_shown_and_kept_when_refused(asked: ChangeRequest, bob: User) -> None:
    window = at(bob)
    answer = text_of(window.send(f"changes/{asked.pk}/comment", text="Why on a Friday?"))
    assert "Why on a Friday?" in answer
    assert 'hx-swap-oob="true"' in answer
    for text in ("", " " * 9, "x" * 1_000_000):
        refused = window.send(f"changes/{asked.pk}/comment", text=text)
        assert refused.status_code == 422
        assert "is-invalid" in refused.content.decode()
    assert Comment.objects.count() == 1


@pytest.mark.parametrize("field", ["comment", "text"])
def test_a_comment_of_a_megabyte_or_with_nul__is_refused_and_keeps_nothing(
    asked: ChangeRequest, emergency: ChangeRequest, erin: User, field: str
) -> None:
    before = all_kept()
    path = f"changes/{emergency.pk}/review" if field == "text" else f"changes/{asked.pk}/vote"
    for text in ("x" * 1_000_000, "a\0b"):
        fields = {field: text, "verdict": "approve", "digest": asked.digest}
        answer = at(erin).send(path, **fields)
        assert 400 <= answer.status_code < 500
    assert all_kept() == before


def test_whatever_people_write__is_text(
    shop: Project, desk: Desk, guarded: Environment, dana: User, erin: User, frank: User
) -> None:
    evil = "<script>alert(1)</script>"
    desk.edit(dana, name=evil)
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True, reason=evil)
    asked = error.value.request
    group = Group.objects.create(project=shop, key="reviewers", name=evil)
    group.members.add(erin)
    vote(asked, erin, comment=evil)
    at(erin).send(f"changes/{asked.pk}/comment", text=evil)
    for path in (f"changes/{asked.pk}", "changes/", f"changes/{asked.pk}/dialog?step=reject"):
        page = at(frank).client.get(f"/p/shop/{path}").content.decode()
        assert evil not in page
        assert "&lt;script&gt;" in page


def test_the_live_part__is_drawn_only_when_something_changed(
    asked: ChangeRequest, bob: User, erin: User
) -> None:
    window, path = at(bob), f"changes/{asked.pk}"
    first = window.look(path).content.decode()
    seen = re.search(r"seen=([\w.]+)", first)
    assert seen
    assert "<!doctype" not in first
    assert "comment-form" not in first
    assert window.look(path, seen=seen[1]).status_code == 204
    vote(asked, erin)
    assert "1 of 2 approvals" in window.look(path, seen=seen[1]).content.decode()


def test_what_was_recorded_elsewhere__does_not_draw_it_anew(
    asked: ChangeRequest, bob: User, garden: Project
) -> None:
    window, path = at(bob), f"changes/{asked.pk}"
    seen = re.search(r"seen=([\w.]+)", window.look(path).content.decode())
    assert seen
    create_person("zoe")
    assert window.look(path, seen=seen[1]).status_code == 204


def test_an_editor__is_told_so(desk: Desk, asked: ChangeRequest, erin: User, shop: Project) -> None:
    with pytest.raises(Waiting):
        desk.save(erin, revise=asked.pk, enabled=True, rules=[RULE, RULE | {"id": "r-2"}])
    found = buttons_of(at(erin).open(f"changes/{asked.pk}"))
    assert found["approve"].startswith("You edited this request, so somebody else has to approve")


def test_withdrawing__its_author(asked: ChangeRequest, dana: User) -> None:
    answer = text_of(at(dana).send(f"changes/{asked.pk}/withdraw"))
    assert "The request is withdrawn." in answer
    asked.refresh_from_db()
    assert asked.state == "withdrawn"


@pytest.mark.parametrize("step", ["nonsense", "", "confirm"])
def test_a_dialog_that_there_is_not(asked: ChangeRequest, alice: User, step: str) -> None:
    assert at(alice).look(f"changes/{asked.pk}/dialog", step=step).status_code == 404


def test_a_person_with_a_role_in_production_alone__can_vote_there(
    shop: Project, guarded: Environment, asked: ChangeRequest
) -> None:
    grace = create_person("grace")
    give_role(shop, grace, "senior_developer", guarded)
    assert buttons_of(at(grace).open(f"changes/{asked.pk}"))["approve"] == ""
    assert vote_on(at(grace), asked).status_code == 200
