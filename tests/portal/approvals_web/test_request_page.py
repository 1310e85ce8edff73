"""The page of a request: what it says to whom, and what they can do from there."""

from datetime import timedelta

import pytest

from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Vote
from portal.lib import clock
from portal.lib.journal import Intent
from tests.portal.approvals_web.conftest import all_kept, at, buttons_of, text_of, vote_on
from tests.support.agreeing import vote
from tests.support.desk import Desk
from tests.support.people import SETTING_UP
from tests.support.script import PROJECT, Script, answer, issue


def test_the_page_says_it_all_in_words(asked: ChangeRequest, bob: User) -> None:
    page = text_of(at(bob).open(f"changes/{asked.pk}"))
    for words in (
        "Turn on New checkout in Production",
        "requested by dana",
        "Turned on: all users where country is one of DE get “on”; everyone else gets “on”.",
        "It is off: everyone gets “off”.",
        "Everyone else gets “on”.",
        asked.digest,
        "0 of 2 approvals",
        "together covering senior developer and DevOps lead",
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
                "approve": "This needs the permission “approve changes”. Ask alice, erin or frank.",
                "reject": "This needs the permission “approve changes”",
                "apply": "This needs the permission “apply approved changes”. Ask",
                "edit": "This needs the permission “turn flags on and off”",
                "withdraw": "Only the requester, or people who configure environments",
            },
        ),
        (
            "erin",
            {
                "approve": "",
                "reject": "",
                "apply": "Not approved yet: Production: 2 more approvals are needed.",
                "withdraw": "Only the requester",
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
    assert "Turned on: all users where country is one of DE" in dialog
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
    assert "Give a reason, so the author can fix it." in text_of(answer)
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
    access.set_role(project=shop, user=erin, role="viewer", intent=Intent(SETTING_UP))
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
    scanner = Script(issue(guarded, evidence=["security_scan"]))
    scan = {"digest": asked.digest, "kind": "security_scan", "result": "passed"}
    until = (clock.now() + timedelta(days=1)).isoformat()
    body = scan | {"expires_at": until, "detail": "no findings"}
    answer(scanner.post(f"{PROJECT}/evidence", body), 201)
    page = text_of(at(alice).open(f"changes/{asked.pk}"))
    assert "passed</span>" in page
    assert "posted by Pipeline" in page
    assert "no findings" in page
