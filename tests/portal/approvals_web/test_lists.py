"""The lists: what waits for whom, the filters, the pages, and the CSV."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from portal.access.models import Environment, Project, User
from portal.approvals import services
from portal.approvals.models import ChangeRequest, Emergency
from portal.approvals.web import listing
from portal.lib import clock
from portal.lib.journal import Intent
from portal.lib.paging import page_of
from tests.portal.approvals_web.conftest import Window, at, text_of
from tests.support.agreeing import vote
from tests.support.desk import Desk
from tests.support.people import acting


def copies(asked: ChangeRequest, count: int, **changes: object) -> list[ChangeRequest]:
    """More requests like that one."""
    places = list(asked.environments.all())
    made = []
    for _number in range(count):
        fields = {
            field.attname: getattr(asked, field.attname)
            for field in asked._meta.concrete_fields
            if not field.primary_key
        }
        one = ChangeRequest.objects.create(**(fields | changes))
        one.environments.set(places)
        made.append(one)
    return made


def exported(window: Window, **query: str) -> list[dict[str, str]]:
    response = window.open("changes/export.csv", **query)
    assert response["Content-Type"].startswith("text/csv")
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(body.decode())))


@pytest.mark.parametrize(
    ("person", "count"), [("dana", 0), ("bob", 0), ("erin", 1), ("frank", 1), ("alice", 1)]
)
def test_what_waits_for_whom(asked: ChangeRequest, person: str, count: int) -> None:
    window = at(User.objects.get(username=person))
    badge = text_of(window.look("changes/waiting"))
    assert (f">{count}<span" in badge) == bool(count)
    assert window.look("changes/waiting", seen=str(count)).status_code == 204
    page = text_of(window.open("changes/"))
    assert ("Nothing waits for you." in page) == (not count)
    if count:
        assert "Production: 2 more approvals are needed." in page


def test_who_has_voted__is_not_waited_for(asked: ChangeRequest, erin: User) -> None:
    vote(asked, erin)
    assert "Nothing waits for you." in text_of(at(erin).open("changes/"))


@pytest.mark.parametrize("path", ["changes/waiting", "changes/"])
def test_however_many_wait__it_costs_as_many_queries(
    asked: ChangeRequest, erin: User, path: str
) -> None:
    window = at(erin)
    window.look(path)
    with CaptureQueriesContext(connection) as one:
        window.look(path)
    copies(asked, 20)
    with CaptureQueriesContext(connection) as many:
        assert "21" in text_of(window.look(path)) or path == "changes/"
    assert len(many) == len(one) <= 45


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"state": "open"}, True),
        ({"state": "applied"}, False),
        ({"state": "nonsense"}, False),
        ({"environment": "production"}, True),
        ({"environment": "staging"}, False),
        ({"author": "DAN"}, True),
        ({"author": "erin"}, False),
        ({"subject": "new-check"}, True),
        ({"subject": "other"}, False),
        ({"search": "turn on"}, True),
        ({"search": "nothing like it"}, False),
        ({"search": "9" * 40}, False),
        ({"before": "x"}, True),
        ({"before": "1"}, False),
    ],
)
def test_the_filters_are_those_of_the_page_and_of_the_csv(
    asked: ChangeRequest, bob: User, query: dict[str, str], found: bool
) -> None:
    window = at(bob)
    assert (f">#{asked.pk} ·" in text_of(window.open("changes/", **query))) == found
    if "before" not in query:
        assert len(exported(window, **query)) == found


def test_a_request_is_found_by_its_number(asked: ChangeRequest, bob: User) -> None:
    copies(asked, 1, title="Something else")
    rows = exported(at(bob), search=f"#{asked.pk}")
    assert [row["number"] for row in rows] == [str(asked.pk)]


def test_pages_keep_their_place_while_requests_come(asked: ChangeRequest, bob: User) -> None:
    copies(asked, 4)
    found = listing.find_requests(asked.project, listing.RequestFilter())
    first = page_of(found, size=2)
    copies(asked, 3)
    second = page_of(found.all(), after=first.next, size=2)
    numbers = [one.pk for one in (*first.rows, *second.rows)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    assert page_of(found.all(), before=second.previous, size=2).rows == first.rows
    page = text_of(at(bob).open("changes/", state="open", before=first.next))
    assert "state=open&amp;after=" in page


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\uff1d1"])
def test_no_spreadsheet_takes_a_title_for_a_formula(
    asked: ChangeRequest, bob: User, title: str
) -> None:
    ChangeRequest.objects.update(title=title, reason=title, author=title)
    (row,) = exported(at(bob))
    assert row["title"] == row["reason"] == row["author"] == f"'{title}"


def test_the_csv_says_who_approved_with_what(asked: ChangeRequest, erin: User, bob: User) -> None:
    vote(asked, erin)
    (row,) = exported(at(bob))
    assert row["approved_by"] == "erin (senior_developer)"
    assert row["asked_at"].endswith("+00:00")


def test_another_projects_requests__are_not_in_the_lists(
    asked: ChangeRequest, garden: Project, charlie: User
) -> None:
    client = at(charlie).client
    page = client.get("/p/garden/changes/").content.decode()
    assert asked.title not in page
    assert client.get("/p/shop/changes/").status_code == 404
    assert client.get("/p/shop/changes/export.csv").status_code == 404


def steps(response: HttpResponse) -> dict[str, bool]:
    page = text_of(response)
    return {name: f'id="why-{name}"' not in page for name in ("confirm", "revert", "review")}


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("alice", {"confirm": False, "revert": True, "review": False}),
        ("erin", {"confirm": True, "revert": True, "review": True}),
        ("bob", {"confirm": False, "revert": False, "review": False}),
    ],
)
def test_an_emergency__says_who_may_do_what(
    emergency: ChangeRequest, person: str, expected: dict[str, bool]
) -> None:
    response = at(User.objects.get(username=person)).open(f"changes/{emergency.pk}")
    page = text_of(response)
    assert "Emergency change" in page
    assert "data-countdown" in page
    assert "The shop is down" in page
    assert steps(response) == expected
    if person == "alice":
        assert "You broke glass, so somebody else has to review it: erin or frank." in page


def test_an_emergency__is_confirmed_and_reviewed_by_another(
    emergency: ChangeRequest, alice: User, erin: User, desk: Desk
) -> None:
    path = f"changes/{emergency.pk}"
    assert at(alice).send(f"{path}/confirm").status_code == 403
    assert "Confirmed: the change stays." in text_of(at(erin).send(f"{path}/confirm"))
    refused = at(erin).send(f"{path}/review", text=" ")
    assert (refused.status_code, refused["HX-Retarget"]) == (422, "#dialog")
    assert "Review saved." in text_of(at(erin).send(f"{path}/review", text="It was right."))
    assert "It was right." in text_of(at(alice).open(path))
    assert "It is no longer running." in text_of(at(erin).open(path))
    assert at(erin).send(f"{path}/revert").status_code == 400
    assert desk.configuration.enabled


def test_an_emergency__is_taken_back_by_who_made_it(
    emergency: ChangeRequest, alice: User, desk: Desk
) -> None:
    answer = at(alice).send(f"changes/{emergency.pk}/revert")
    assert "Reverted. What others changed meanwhile stays." in text_of(answer)
    assert not desk.configuration.enabled


def test_an_overdue_review__stands_out_on_both_lists(
    emergency: ChangeRequest, alice: User, erin: User
) -> None:
    window = at(alice)
    assert "awaiting review" in text_of(window.open("changes/"))
    Emergency.objects.update(at=clock.now() - timedelta(hours=25))
    for path in ("changes/", "emergencies/"):
        assert "overdue</span>" in text_of(window.open(path))
    services.review_emergency(
        emergency=emergency.emergency, text="Fine", intent=Intent(acting(erin))
    )
    assert "overdue" not in text_of(window.open("changes/"))
    assert "by erin" in text_of(window.open("emergencies/"))


def test_the_list_of_emergencies__when_there_was_none(guarded: Environment, bob: User) -> None:
    page = text_of(at(bob).open("emergencies/"))
    assert "No emergency changes yet" in page
    assert at(bob).open("emergencies/", before="9" * 40).status_code == 200
