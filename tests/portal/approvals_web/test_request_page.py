"""The page of a request: what it says to whom, and what they can do from there."""

import re
from datetime import timedelta

import pytest
from django.http import HttpResponse

from portal.access import services as access
from portal.access.models import Environment, Group, Project, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Comment, Vote
from portal.lib import clock
from tests.flags.services.writes import RULE, Desk
from tests.portal.approvals_web.conftest import all_kept, at, text_of, vote_on
from tests.support.agreeing import set_policy, vote
from tests.support.people import SETTING_UP, acting, create_person, give_role


def buttons_of(response: HttpResponse) -> dict[str, str]:
    """The steps on a page: what stands on each, and why it cannot be taken; empty if it can."""
    page = text_of(response)
    found = {}
    for name in ("approve", "reject", "take_back", "apply", "edit", "withdraw", "renew"):
        if f'id="step-{name}"' in page:
            button = page[page.index(f'id="step-{name}"') :].split(">")[0]
            named = re.search(r'aria-describedby="([\w-]+)"', button)
            why = re.search(rf'id="{named[1]}">([^<]*)<', page) if named else None
            assert ("disabled" in button) == bool(why and why[1]), button
            found[name] = why[1] if why else ""
    return found


def test_the_page_says_it_all_in_words(asked: ChangeRequest, bob: User) -> None:
    page = text_of(at(bob).open(f"changes/{asked.pk}"))
    for words in (
        "Turn on New checkout in Production",
        "dana asks",
        "Turned on.",
        asked.digest,
        "0 of 2 approvals",
        "covering the roles senior developer and DevOps lead",
        "erin",
        "frank",
        "rules[r-1]",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (
            "dana",
            {
                "approve": "You asked for this change, so somebody else has to approve it: "
                "alice, erin or frank.",
                "apply": "Not approved yet",
                "withdraw": "",
            },
        ),
        (
            "bob",
            {
                "approve": "This takes the permission “approve changes”. Ask alice, erin or frank.",
                "reject": "This takes the permission “approve changes”",
                "apply": "This takes the permission “apply approved changes”. Ask",
                "edit": "This takes the permission “turn flags on and off”",
                "withdraw": "Only who asked can withdraw it, or who configures environments: dana",
            },
        ),
        (
            "erin",
            {
                "approve": "",
                "reject": "",
                "apply": "Not approved yet: Production: 2 more approvals are needed.",
                "withdraw": "Only who asked",
            },
        ),
        ("alice", {"approve": "", "withdraw": "", "apply": "Not approved yet"}),
    ],
)
def test_every_button_says_why_not(
    asked: ChangeRequest, person: str, expected: dict[str, str]
) -> None:
    found = buttons_of(at(User.objects.get(username=person)).open(f"changes/{asked.pk}"))
    for name, why in expected.items():
        assert found[name].startswith(why) if why else found[name] == "", (name, found[name])


@pytest.mark.parametrize("state", ["applied", "rejected", "withdrawn"])
def test_a_decided_request__offers_nothing_but_editing_a_rejected_one(
    asked: ChangeRequest, dana: User, alice: User, state: str
) -> None:
    ChangeRequest.objects.update(state=state, closed_at=clock.now(), closed_by="erin")
    found = buttons_of(at(alice).open(f"changes/{asked.pk}"))
    for name in ("approve", "reject", "apply", "withdraw"):
        assert found[name] == f"This request is {state} already."
    page = text_of(at(alice).open(f"changes/{asked.pk}"))
    assert (f"?request={asked.pk}" in page) == (state == "rejected")


def test_two_clicks_approve_it__and_the_last_one_applies_it(
    desk: Desk, asked: ChangeRequest, erin: User, frank: User
) -> None:
    dialog = text_of(at(erin).look(f"changes/{asked.pk}/dialog", step="approve"))
    assert asked.digest in dialog
    assert "Turned on." in dialog
    answer = vote_on(at(erin), asked, comment="Looks right")
    assert answer["HX-Retarget"] == "#request"
    assert "Your approval counts." in text_of(answer)
    assert "You approved this" in text_of(answer)
    assert "Looks right" in text_of(answer)
    assert "Approved, and applied: it is live." in text_of(vote_on(at(frank), asked))
    assert desk.configuration.enabled


def test_rejecting_without_a_comment__asks_for_it_in_the_dialog(
    asked: ChangeRequest, erin: User
) -> None:
    answer = vote_on(at(erin), asked, "reject", comment="  ")
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#dialog")
    assert "Say why, so that it can be mended." in text_of(answer)
    assert not Vote.objects.exists()
    assert "Rejected." in text_of(vote_on(at(erin), asked, "reject", comment="Too early"))


def test_a_vote_on_what_was_seen_before_an_edit__is_refused_and_shows_what_is_true(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User
) -> None:
    seen = asked.digest
    with pytest.raises(Waiting):
        desk.save(dana, revise=asked.pk, enabled=True)
    answer = at(erin).send(f"changes/{asked.pk}/vote", verdict="approve", digest=seen)
    assert answer.status_code == 409
    assert "This request was edited since you opened it." in text_of(answer)
    assert "revision 2" in text_of(answer)
    assert not Vote.objects.exists()


def test_a_second_vote__is_refused_in_words(asked: ChangeRequest, erin: User) -> None:
    vote_on(at(erin), asked)
    answer = vote_on(at(erin), asked)
    assert answer.status_code == 400
    assert "You have voted already" in text_of(answer)
    assert Vote.objects.count() == 1
    assert "Your vote is taken back." in text_of(at(erin).send(f"changes/{asked.pk}/take-back"))
    assert not Vote.objects.exists()


@pytest.mark.parametrize("person", ["dana", "bob"])
def test_who_may_not_approve__is_told_why_and_changes_nothing(
    asked: ChangeRequest, person: str
) -> None:
    window, before = at(User.objects.get(username=person)), all_kept()
    answer = vote_on(window, asked)
    assert answer.status_code == 403
    assert "somebody else has to approve it" in text_of(answer) or "approve changes" in text_of(
        answer
    )
    assert all_kept() == before


STEPS = (
    "vote",
    "take-back",
    "apply",
    "withdraw",
    "renew",
    "comment",
    "confirm",
    "revert",
    "review",
)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_done_by_looking(asked: ChangeRequest, erin: User, step: str) -> None:
    before = all_kept()
    answer = at(erin).open(f"changes/{asked.pk}/{step}", verdict="approve", digest=asked.digest)
    assert answer.status_code == 405
    assert all_kept() == before


@pytest.mark.parametrize("step", [*STEPS, "dialog", ""])
def test_a_request_of_another_project__is_not_there(
    asked: ChangeRequest, garden: Project, charlie: User, step: str
) -> None:
    before = all_kept()
    address = f"/p/garden/changes/{asked.pk}/{step}".removesuffix("/")
    client = at(charlie).client
    fields = {"verdict": "approve", "digest": asked.digest, "text": "x", "step": "approve"}
    method = client.get if step in ("dialog", "") else client.post
    assert method(address, fields).status_code == 404
    assert all_kept() == before


def test_a_number_too_big_for_any_request__is_not_there(shop: Project, alice: User) -> None:
    assert at(alice).open(f"changes/{10**30}").status_code == 404


def test_a_removed_role__is_shown_and_does_not_count(
    shop: Project, asked: ChangeRequest, erin: User, alice: User
) -> None:
    vote(asked, erin)
    access.set_role(project=shop, user=erin, role="viewer", actor=SETTING_UP, now=clock.now())
    page = text_of(at(alice).open(f"changes/{asked.pk}"))
    assert "approved, but may not approve changes here any more: it does not count" in page
    assert "<del>senior developer</del> (removed since)" in page
    assert "0 of 2 approvals" in page
    assert "nobody who could still approve holds the role senior developer at present" in page


def test_evidence__says_its_state_and_how_to_post_it(
    guarded: Environment, asked: ChangeRequest, alice: User
) -> None:
    guarded.policy.evidence = {"security_scan": "all"}
    guarded.policy.save()
    page = text_of(at(alice).open(f"changes/{asked.pk}"))
    assert "missing</span>" in page
    assert "/api/v1/projects/shop/evidence" in page
    assert f"&quot;digest&quot;: &quot;{asked.digest}&quot;" in page or (
        f'"digest": "{asked.digest}"' in page
    )
    services.post_evidence(
        project=asked.project,
        digest=asked.digest,
        kind="security_scan",
        result="passed",
        expires_at=clock.now() + timedelta(days=1),
        actor=acting(alice),
        now=clock.now(),
        detail="no findings",
    )
    page = text_of(at(alice).open(f"changes/{asked.pk}"))
    assert "passed</span>" in page
    assert "posted by alice" in page
    assert "no findings" in page


def test_a_changed_base__shows_both_sides_and_is_brought_up_to_date(
    desk: Desk, asked: ChangeRequest, dana: User, alice: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    desk.environment.policy.delete()
    desk.switch(alice, True)
    set_policy(desk.environment, required_approvals=1)
    page = text_of(at(dana).open(f"changes/{asked.pk}"))
    assert "It was changed since this was asked for" in page
    assert "What changed meanwhile" in page
    refused = text_of(at(dana).send(f"changes/{asked.pk}/apply"))
    assert "Someone" in refused or "changed meanwhile" in refused
    answer = at(dana).send(f"changes/{asked.pk}/renew", digest=asked.digest)
    assert answer.status_code == 200, text_of(answer)
    asked.refresh_from_db()
    assert (asked.revision, asked.words) == (2, asked.words)
    assert "Turned on." not in asked.words
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
    assert "Nobody has to approve this any more." in text_of(answer)
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
