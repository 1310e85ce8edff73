"""Who asked, who approved and who carried it out: on the rows, the pages, the API, in exports."""

import pytest

from flags.schedules.models import Plan
from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.audit import history, selectors
from portal.audit.filters import Filters
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.portal.approvals.racing import with_glass
from tests.portal.approvals_web.conftest import at, buttons_of, text_of
from tests.portal.audit_web.conftest import exported, rows_of
from tests.support.agreeing import asking, vote, waiting
from tests.support.desk import Desk
from tests.support.people import acting, client_of, create_person, give_role
from tests.support.planning import a_schedule, carry_out

pytestmark = pytest.mark.postgresql


@pytest.fixture
def done(agreed: ChangeRequest, dana: User) -> AuditEvent:
    """What the flag's history has once Dana has applied what she asked for."""
    services.apply_request(request=agreed, intent=Intent(acting(dana)))
    return AuditEvent.objects.latest("sequence")


def who(row: AuditEvent) -> tuple[str, list[str], str]:
    return row.requested_by, row.approvers, row.actor


def test_a_change_that_others_agreed_to__its_rows__name_all_three(
    asked: ChangeRequest, erin: User, frank: User
) -> None:
    vote(asked, erin)
    vote(asked, frank)
    turned_on, applied = AuditEvent.objects.all()[:2]
    assert (turned_on.event, applied.event) == ("flag.enabled", "change_request.applied")
    for row in (turned_on, applied):
        assert who(row) == ("dana", ["erin", "frank"], "frank")
        assert row.change_request == asked.pk
    assert (applied.part_of_kind, applied.part_of) == ("flag", asked.subject)
    assert who(AuditEvent.objects.get(event="change_request.opened")) == ("", [], "dana")
    assert selectors.chain_fault() is None


def test_a_request_that_somebody_else_edited__its_rows__name_who_did(
    desk: Desk, shop: Project, asked: ChangeRequest, erin: User, frank: User
) -> None:
    eve, senior = create_person("eve"), create_person("senior")
    give_role(shop, eve, "developer")
    give_role(shop, senior, "senior_developer")
    with pytest.raises(Waiting):
        desk.save(eve, rules=[], enabled=True, revise=asked.pk)
    vote(asked, senior)
    vote(asked, frank)
    row = AuditEvent.objects.get(event="flag.enabled")
    assert who(row) == ("dana, eve", ["senior", "frank"], "frank")
    for name in ("dana", "eve"):
        found = history.page(Filters(project="shop", requested_by=name)).events
        assert row in found


def test_an_approval_that_no_longer_counts__is_named_on_no_row_of_the_change(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    gone = create_person("gone")
    role = give_role(desk.flag.project, gone, "senior_developer")
    with pytest.raises(Waiting) as error:
        a_schedule(desk, dana)
    request = waiting(error)
    vote(request, gone)
    role.delete()
    vote(request, erin)
    vote(request, frank)
    carry_out(Plan.objects.get())
    for event in ("change_request.applied", "flag.enabled"):
        assert AuditEvent.objects.get(event=event).approvers == ["erin", "frank"], event
    applied = AuditEvent.objects.get(event="change_request.applied").after_document or {}
    assert [one["person"] for one in applied["approved_by"]] == ["erin", "frank"]  # type: ignore[attr-defined]


def test_a_plan_that_others_agreed_to__its_step__names_its_author_and_them(
    desk: Desk, dana: User, erin: User, frank: User
) -> None:
    request = asking("dana's schedule", lambda: a_schedule(desk, dana))
    vote(request, erin)
    vote(request, frank)
    plan = carry_out(Plan.objects.get())
    row = AuditEvent.objects.get(event="flag.enabled")
    assert who(row) == ("dana", ["erin", "frank"], f"schedule {plan.pk} of dana")
    assert row.change_request == request.pk
    Policy.objects.all().delete()
    desk.switch(dana, False)
    a_schedule(desk, dana)
    carry_out(Plan.objects.latest("pk"))
    assert who(AuditEvent.objects.filter(event="flag.enabled")[0])[:2] == ("dana", [])


def test_the_history_of_a_flag__tells_of_its_requests(
    desk: Desk, done: AuditEvent, bob: User
) -> None:
    page = text_of(at(bob).open(f"flag/history/{desk.flag.key}"))
    number = done.change_request
    assert f'href="/p/shop/changes/{number}">{number}</a> about' in page
    assert "Requested by</span> dana" in page
    for name in ("erin", "frank"):
        assert f'href="/p/shop/changes/{number}#votes-title">{name}</a>' in page
    assert "Carried out by</span> dana" in page
    record = text_of(at(bob).open(f"history/{done.sequence}"))
    assert "<dt>Requested by</dt><dd>dana</dd>" in record
    assert '#votes-title">erin</a>, <a' in record


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ({"approved_by": "erin"}, {"flag.enabled", "change_request.applied"}),
        ({"approved_by": "frank", "text": "dana"}, {"flag.enabled", "change_request.applied"}),
        ({"approved_by": "eri"}, set()),
        ({"approved_by": "erin, frank"}, {"flag.enabled", "change_request.applied"}),
        ({"requested_by": "dana", "event": "flag.enabled"}, {"flag.enabled"}),
        ({"requested_by": "dan"}, set()),
        ({"text": "erin", "kind": "flag", "event": "flag.enabled"}, {"flag.enabled"}),
        (
            {"text": "new checkout", "kind": "change_request"},
            {"change_request.opened", "change_request.approved", "change_request.applied"},
        ),
        (
            {"subject": "new-checkout", "kind": "flag", "environment": "production"},
            {
                "change_request.opened",
                "change_request.approved",
                "change_request.applied",
                "flag.enabled",
            },
        ),
        ({"subject": "new-checkout", "text": "erin", "actor": "erin"}, {"change_request.approved"}),
    ],
)
def test_filters__by_who_and_what__find_those(
    done: AuditEvent, bob: User, query: dict[str, str], events: set[str]
) -> None:
    found = history.page(Filters(project="shop", **query)).events  # type: ignore[arg-type]
    assert {row.event for row in found} == events
    assert history.count(Filters(project="shop", **query)).number == len(found)  # type: ignore[arg-type]


def test_the_number_of_a_request__finds_it_alone(done: AuditEvent) -> None:
    found = history.page(Filters(project="shop", subject=str(done.change_request))).events
    assert {row.subject_kind for row in found} == {"change_request"}


def test_the_export_of_what_somebody_approved__has_the_three(done: AuditEvent, alice: User) -> None:
    rows = rows_of(exported(client_of(alice), "approved_by=erin&event=flag.enabled"))
    assert [(row["requested_by"], row["approved_by"], row["actor"]) for row in rows] == [
        ("dana", "erin, frank", "dana")
    ]
    assert rows[0]["change_request"] == done.change_request


def test_glass_that_is_broken__names_the_emergency_and_nobody_who_agreed(
    desk: Desk, guarded: Environment, erin: User
) -> None:
    with_glass(guarded)
    desk.switch(erin, True, break_glass=True, reason="It burns")
    row = AuditEvent.objects.get(event="flag.enabled")
    assert who(row) == ("", [], "erin")
    assert row.change_request == ChangeRequest.objects.get().pk


def test_a_flag_archived_meanwhile__its_request__says_so_and_takes_no_approval(
    desk: Desk, asked: ChangeRequest, dana: User, erin: User, frank: User
) -> None:
    vote(asked, erin)
    policy = desk.environment.policy
    policy.delete()
    desk.archive(dana)
    policy.save()
    why = "“new-checkout” is archived, so this request cannot be applied."
    page = at(frank).open(f"changes/{asked.pk}")
    assert why in text_of(page)
    assert why in buttons_of(page)["approve"]
    assert buttons_of(page)["reject"] == ""
    said = at(frank).send(f"changes/{asked.pk}/vote", verdict="approve", digest=asked.digest)
    assert (said.status_code, asked.votes.count()) == (409, 1)
    assert why in text_of(said)
    assert "1" not in text_of(at(frank).look("changes/waiting"))
    policy.delete()
    desk.restore(dana)
    policy.save()
    assert vote(asked, frank).request.votes.count() == 2
