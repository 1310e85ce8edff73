"""The pages of the history: who may see them, what they say, and what they withstand."""

import pytest
from django.test import Client

from flags.core import configurations
from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.portal.audit_web.conftest import LIST, exported, newest, record, sequences
from tests.support.people import acting

pytestmark = pytest.mark.usefixtures("past")


def test_paging__rows_arrive_meanwhile__shows_each_row_once(
    bob_client: Client, dana: User, alice: User
) -> None:
    record(dana, 120)
    seen = sequences(bob_client, "actor=dana")
    response = bob_client.get(f"{LIST}?actor=dana")
    while query := response.context["next_page"]:
        record(dana)
        assert "actor=dana" in query
        response = bob_client.get(f"{LIST}{query}")
        seen += [line.event.sequence for line in response.context["lines"]]
    up_to = seen[0]
    rows = AuditEvent.objects.filter(project="shop", actor="dana", sequence__lte=up_to)
    assert seen == list(rows.values_list("sequence", flat=True))


def test_paging__earlier_and_later_again__is_the_same_page(bob_client: Client, dana: User) -> None:
    record(dana, 170)
    first = sequences(bob_client)
    second = bob_client.get(f"{LIST}?before={first[-1]}")
    third = bob_client.get(f"{LIST}{second.context['next_page']}")
    back = bob_client.get(f"{LIST}{third.context['previous_page']}")
    assert [line.event.sequence for line in back.context["lines"]] == [
        line.event.sequence for line in second.context["lines"]
    ]
    assert sequences(bob_client, back.context["previous_page"].removeprefix("?")) == first


def test_count__more_than_the_cap__says_so(dana: User) -> None:
    record(dana, 30)
    assert history.count(Filters(actor="dana"), cap=20) == history.Count(20, False)


def test_event__a_switched_flag__says_who_where_and_what_differs(
    dana_client: Client, bob_client: Client, new_checkout: Flag, dana: User, staging: Environment
) -> None:
    configurations.set_enabled(
        flag=new_checkout, environment=staging, enabled=True, intent=Intent(acting(dana))
    )
    event = newest()
    page = bob_client.get(f"{LIST}{event.sequence}").content.decode()
    for text in (event.hash, event.previous_hash, "192.0.2.7", "a browser", "a-request", "enabled"):
        assert text in page
    assert "dana turned on new-checkout" in " ".join(page.split())
    assert f"{LIST}?subject=new-checkout&amp;kind=flag" in page


def test_event__of_another_project__is_not_found(bob_client: Client, charlie: User) -> None:
    foreign = AuditEvent.objects.filter(project="garden").latest("sequence")
    assert bob_client.get(f"{LIST}{foreign.sequence}").status_code == 404
    assert bob_client.get(f"{LIST}{10**30}").status_code == 404


def test_list__another_projects_people__are_not_offered(bob_client: Client) -> None:
    choices = bob_client.get(LIST).context["choices"]
    assert "charlie" not in choices["actor"]
    assert {"alice", "dana"} <= set(choices["actor"])
    assert "freeze_window.created" in choices["event"]


def test_list__an_event_nobody_put_into_words__reads_all_the_same(bob_client: Client) -> None:
    page = bob_client.get(f"{LIST}?event=freeze_window.created").content.decode()
    assert "freeze window created" in page


def test_site__administrator__sees_events_without_a_project(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    client = Client()
    client.force_login(alice)
    assert set(sequences(client, "project=garden", "/history/")) == set(
        AuditEvent.objects.filter(project="garden").values_list("sequence", flat=True)
    )
    none = AuditEvent.objects.filter(project="")
    assert sequences(client, "project=-", "/history/") == list(
        none.values_list("sequence", flat=True)
    )
    assert client.get(f"/history/{none[0].sequence}").status_code == 200


def test_site__admin_of_a_project__is_refused(alice_client: Client) -> None:
    assert alice_client.get("/history/").status_code == 403


def test_export__viewer__is_refused_and_told_why(bob_client: Client) -> None:
    before = AuditEvent.objects.count()
    assert bob_client.post(f"{LIST}export", {"format": "csv"}).status_code == 403
    assert AuditEvent.objects.count() == before
    assert "Exporting needs the permission" in bob_client.get(LIST).content.decode()


def test_export__is_recorded_with_its_filters_and_count(alice_client: Client) -> None:
    exported(alice_client, "actor=dana&environment=production")
    event = newest()
    assert (event.event, event.actor, event.project) == ("audit.exported", "alice", "shop")
    assert event.after_document is not None
    assert event.after_document["rows"] == 1
    filters = {"project": "shop", "actor": "dana", "environment": "production"}
    assert event.after_document["filters"] == filters


def test_export__formulas__are_kept_from_computing(alice_client: Client, alice: User) -> None:
    record(alice, subject='=HYPERLINK("http://evil.example","x")', reason="+1\r\n@SUM(A1)")
    table = exported(alice_client, "", "csv").decode()
    assert "\"'=HYPERLINK" in table
    assert "\"'+1" in table
    assert '"=' not in table


def test_export__unknown_format__is_400_and_leaves_no_record(alice_client: Client) -> None:
    before = AuditEvent.objects.count()
    assert alice_client.post(f"{LIST}export", {"format": "pdf"}).status_code == 400
    assert alice_client.post(f"{LIST}export?from=never", {"format": "csv"}).status_code == 400
    assert AuditEvent.objects.count() == before


def test_list__markup_in_what_people_wrote__stays_text(bob_client: Client, alice: User) -> None:
    evil = "<script>alert(1)</script>"
    record(alice, subject=evil, reason=evil, before={evil: evil}, after={evil: [evil]})
    pages = [LIST, f"{LIST}?subject={evil}", f"{LIST}{newest().sequence}"]
    for page in pages:
        assert evil not in bob_client.get(page).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "from=never",
        "text=%00",
        "actor=" + "x" * 10_000,
        "text=%ED%A0%80",
        "before=99999999999999999999999999",
        "before=-1&after=x",
        "event=%27;DROP TABLE audit_auditevent",
        "text=%22 OR project:garden",
        "period=forever",
        "text=NEAR(a b) AND (",
        "environment=%2B%2B",
    ],
)
@pytest.mark.parametrize("place", [LIST, "/api/v1/projects/shop/history"])
def test_list__whatever_is_asked__is_answered(
    bob_client: Client, api_headers: dict[str, str], place: str, query: str
) -> None:
    assert bob_client.get(f"{place}?{query}", headers=api_headers).status_code in (200, 400)


def test_list__bad_date__is_said_beside_the_field_and_shows_nothing(bob_client: Client) -> None:
    response = bob_client.get(f"{LIST}?from=never&actor=dana")
    page = response.content.decode()
    assert response.status_code == 400
    assert 'aria-describedby="f-from-note"' in page
    assert 'value="never"' in page
    assert "lines" not in response.context


def test_api__cursor_of_nonsense__is_a_problem(
    client: Client, api_headers: dict[str, str], shop: Project
) -> None:
    answer = client.get("/api/v1/projects/shop/history?cursor=x", headers=api_headers)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    foreign = client.get("/api/v1/projects/garden/history", headers=api_headers)
    assert foreign.status_code == 404


def test_api__two_pages__continue_by_cursor(
    client: Client, api_headers: dict[str, str], dana: User
) -> None:
    record(dana, 70, environment="production")
    address = "/api/v1/projects/shop/history"
    first = client.get(address, headers=api_headers).json()
    second = client.get(f"{address}?cursor={first['next']}", headers=api_headers).json()
    assert first["events"][-1]["sequence"] > second["events"][0]["sequence"]
    assert len(first["events"]) == 50
    assert first["count"] == second["count"]
