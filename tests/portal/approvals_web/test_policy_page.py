"""The page of a policy: raising it at once, lowering it by request."""

import json

import pytest
from django.http import HttpResponse

from portal.access import services as access
from portal.access.models import Environment, Group, Project, User
from portal.approvals.models import ChangeRequest, Policy
from portal.approvals.policies.services import set_policy
from portal.lib.journal import Intent
from tests.portal.approvals_web.conftest import Window, all_kept, at, text_of
from tests.support.agreeing import TWO_ROLES
from tests.support.people import acting

FORM = {
    "approvals": "2",
    "minutes": "60",
    "days": "30",
    "roles": ["senior_developer", "devops_lead"],
}
FULL = {
    "required_roles": ["senior_developer", "devops_lead"],
    "evidence": {},
    "turning_off_needs_approval": False,
    "break_glass": [],
    "break_glass_minutes": 60,
    "independence_days": 30,
}


def review(window: Window, **changes: object) -> HttpResponse:
    """Send the form as it stands for the present policy, with changes."""
    policy = Policy.objects.filter(environment__key="production").first()
    version = {"version": policy.version if policy else 0}
    return window.send("policy/production/review", **(FORM | version | changes))


def save(
    window: Window, document: object, version: int | str = 1, **fields: object
) -> HttpResponse:
    given = {"document": json.dumps(document), "version": version} | fields
    return window.send("policy/production/save", **given)


def test_the_page_says_what_holds(guarded: Environment, bob: User) -> None:
    page = text_of(at(bob).open("policy/production"))
    assert "2 people have to approve, other than the requester and editors." in page
    assert "Together they must hold: senior developer and DevOps lead." in page
    assert "Turning something off needs no approval." in page
    assert "Nobody may break glass." in page
    assert "that needs the permission “configure environments” in Production" in page


def test_the_page_of_environments__says_it_too(guarded: Environment, bob: User) -> None:
    page = text_of(at(bob).open("environments/"))
    assert "2 approvals, together covering senior developer and DevOps lead" in page
    assert "nobody needs to approve" in page
    assert "/p/shop/policy/production" in page


def test_roles_that_could_never_satisfy_it__are_not_offered(
    guarded: Environment, alice: User
) -> None:
    page = text_of(at(alice).open("policy/production"))
    assert 'name="roles" value="senior_developer" checked' in page
    assert 'name="roles" value="viewer"' not in page
    assert "cannot approve changes here: viewer, auditor" in page


def test_raising__says_so_and_takes_effect_at_once(guarded: Environment, alice: User) -> None:
    window = at(alice)
    dialog = text_of(review(window, approvals="3"))
    assert "Approvals: 3 instead of 2." in dialog
    assert "It takes effect at once." in dialog
    answer = save(window, FULL | {"required_approvals": 3}, reason="Careful")
    assert answer["HX-Redirect"] == "/p/shop/policy/production"
    policy = Policy.objects.get()
    assert (policy.required_approvals, policy.version) == (3, 2)
    assert not ChangeRequest.objects.exists()


def test_lowering__says_so_and_leads_to_the_request(guarded: Environment, alice: User) -> None:
    window = at(alice)
    dialog = text_of(review(window, approvals="1"))
    assert "it needs approval under the current policy first" in dialog
    assert "It requires 2 approvals, together covering" in dialog
    answer = save(window, FULL | {"required_approvals": 1})
    request = ChangeRequest.objects.get()
    assert answer["HX-Redirect"] == f"/p/shop/changes/{request.pk}"
    assert Policy.objects.get().required_approvals == 2
    assert f"#{request.pk}" in text_of(window.open("policy/production"))
    assert "Approvals: 1 instead of 2." in text_of(window.open(f"changes/{request.pk}"))


def test_removing_it__is_lowering(guarded: Environment, alice: User) -> None:
    dialog = text_of(review(at(alice), without="1"))
    assert "Changes no longer need approval." in dialog
    assert "it needs approval under the current policy first" in dialog
    save(at(alice), None)
    assert ChangeRequest.objects.get().after == {}
    assert Policy.objects.exists()


def test_the_first_policy__takes_effect_at_once(production: Environment, alice: User) -> None:
    dialog = text_of(review(at(alice)))
    assert "It takes effect at once." in dialog
    save(at(alice), FULL | {"required_approvals": 1}, version=0)
    assert Policy.objects.get().required_approvals == 1


def test_nothing_different__says_so(guarded: Environment, alice: User) -> None:
    assert "Nothing is different from what holds now." in text_of(review(at(alice)))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"approvals": "0"}, "A policy requires between 1 and 20 approvals"),
        ({"approvals": "many"}, "A policy requires between 1 and 20 approvals"),
        ({"approvals": "9" * 9}, "A policy requires between 1 and 20 approvals"),
        ({"roles": ["viewer"]}, "This can never be satisfied: the role viewer"),
        ({"roles": ["<script>"]}, "There is no role or group called &lt;script&gt;."),
        ({"glass": ["nobody"]}, "There is no role or group called nobody."),
        ({"minutes": "2"}, "Choose between 5 and 1440 minutes."),
        (
            {"evidence[9].kind": "Not A Name", "evidence[9].scope": "all"},
            "Not A Name is no kind of evidence; use a name like security_scan.",
        ),
        (
            {"evidence[0].kind": "security_scan", "evidence[0].scope": "some"},
            "Say all or artefacts for security_scan.",
        ),
    ],
)
def test_a_problem__stands_beside_its_field_and_nothing_is_lost(
    guarded: Environment, alice: User, fields: dict[str, object], sentence: str
) -> None:
    before = all_kept()
    answer = review(at(alice), **fields)
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#policy-form")
    assert text_of(answer).count(sentence) == 2
    assert all_kept() == before


def test_evidence_and_groups__are_read_from_the_form(
    shop: Project, guarded: Environment, alice: User
) -> None:
    Group.objects.create(project=shop, key="night-shift", name="Night shift")
    dialog = text_of(
        review(
            at(alice),
            **{
                "evidence[0].kind": "security_scan",
                "evidence[0].scope": "artefacts",
                "evidence[999].kind": "load_test",
                "evidence[999].scope": "all",
                "turning_off": "1",
                "glass": ["night-shift"],
            },
        )
    )
    assert "load_test (all), security_scan (artefacts)" in dialog
    assert "Turning off needs approval: yes instead of no." in dialog
    assert "Who may break glass: night-shift instead of nobody." in dialog


def test_a_stale_form__is_told_with_both_sides(guarded: Environment, alice: User) -> None:
    set_policy(
        environment=guarded,
        document=TWO_ROLES | {"required_approvals": 4},
        intent=Intent(acting(alice)),
    )
    for answer in (
        review(at(alice), version="1", approvals="3"),
        save(at(alice), FULL | {"required_approvals": 3}),
    ):
        assert answer.status_code == 409
        assert "alice changed this policy meanwhile." in text_of(answer)
        assert "Approvals: 3 instead of 4." in text_of(answer)
    assert Policy.objects.get().required_approvals == 4


@pytest.mark.parametrize("version", ["", "x", "9" * 30, "1.0", "\u0661"])
def test_a_form_of_no_version__is_a_conflict__and_saves_nothing(
    guarded: Environment, alice: User, version: str
) -> None:
    answer = save(at(alice), FULL | {"required_approvals": 3}, version=version)
    assert answer.status_code == 409
    assert Policy.objects.get().required_approvals == 2


def test_editing_what_a_request_asks_for(guarded: Environment, alice: User) -> None:
    save(at(alice), FULL | {"required_approvals": 1})
    request = ChangeRequest.objects.get()
    page = text_of(at(alice).open("policy/production", request=str(request.pk)))
    assert f"You are editing what request {request.pk} asks for." in page
    assert 'value="1" required' in page
    wanted = FULL | {"required_approvals": 2, "required_roles": ["devops_lead"]}
    dialog = review(at(alice), roles=["devops_lead"], request=str(request.pk))
    assert "Save in the request" in text_of(dialog)
    save(at(alice), wanted, request=str(request.pk))
    request.refresh_from_db()
    assert (request.revision, request.after["required_roles"]) == (2, ["devops_lead"])


@pytest.mark.parametrize("number", ["99999", "x", "9" * 30])
def test_editing_a_request_that_is_not_this_policys__is_not_there(
    guarded: Environment, asked: ChangeRequest, alice: User, number: str
) -> None:
    for one in (number, str(asked.pk)):
        assert at(alice).open("policy/production", request=one).status_code == 404
        assert save(at(alice), None, request=one).status_code == 404


@pytest.mark.parametrize(
    "document", ["", "[]", "1", "{", '{"required_approvals": 1, "x": 2}', '{"required_roles": 5}']
)
def test_a_document_that_is_none__is_refused_in_a_sentence(
    guarded: Environment, alice: User, document: str
) -> None:
    before = all_kept()
    answer = at(alice).send("policy/production/save", document=document, version="1")
    assert answer.status_code == 400
    assert all_kept() == before


@pytest.mark.parametrize("person", ["dana", "bob", "erin"])
def test_who_may_not_configure__is_refused(guarded: Environment, person: str) -> None:
    window, before = at(User.objects.get(username=person)), all_kept()
    assert review(window, approvals="3").status_code == 403
    assert save(window, FULL | {"required_approvals": 3}).status_code == 403
    assert all_kept() == before


def test_another_projects_environment__is_not_there(
    shop: Project, garden: Project, charlie: User, alice: User
) -> None:
    canary = access.create_environment(
        project=shop, key="canary", kind="staging", intent=Intent(acting(alice))
    )
    client = at(charlie).client
    assert client.get(f"/p/garden/policy/{canary.key}").status_code == 404
    for step in ("review", "save"):
        assert client.post(f"/p/garden/policy/{canary.key}/{step}").status_code == 404
