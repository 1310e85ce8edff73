"""The pages and the API of freezes, through the front door."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client

from portal.access.models import Environment, Project
from portal.approvals.freezes.models import FreezeWindow
from portal.audit.models import AuditEvent
from tests.support.freezing import a_freeze, freeze_now
from tests.support.script import Script, issue

PAGE = "/p/shop/freezes/"
API = "/api/v1/projects/shop/freezes"
FORM = {
    "name": "Weekend",
    "environments": ["production", "staging"],
    "starts": "2098-11-28T16:00",
    "ends": "2098-12-01T08:00",
    "zone": "Europe/Berlin",
    "repeat": "weekly",
    "weekdays": ["FR", "SA"],
    "until": "2099-06-01",
}


def text_of(client: Client, address: str, **cookies: str) -> str:
    for name, value in cookies.items():
        client.cookies[name] = value
    return client.get(address).content.decode()


def test_the_form__alice__makes_the_rule_she_chose(alice_client: Client, shop: Project) -> None:
    response = alice_client.post(PAGE + "new", FORM, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Retarget"] == "#freezes"
    freeze = FreezeWindow.objects.get()
    assert freeze.rrule == "FREQ=WEEKLY;BYDAY=FR,SA;UNTIL=20990601"
    page = text_of(alice_client, f"{PAGE}{freeze.pk}")
    assert '<option value="weekly" selected>' in page
    assert 'value="2099-06-01"' in page
    assert page.count(" checked") == 4


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"repeat": "once"}, ""),
        ({"repeat": "daily", "until": ""}, "FREQ=DAILY"),
        ({"repeat": "weekly", "weekdays": [], "until": ""}, "FREQ=WEEKLY"),
        ({"repeat": "monthly", "until": ""}, "FREQ=MONTHLY"),
        ({"repeat": "yearly", "until": "2110-01-01"}, "FREQ=YEARLY;UNTIL=21100101"),
        ({"repeat": "rule", "rrule": "FREQ=MONTHLY;BYDAY=-1FR"}, "FREQ=MONTHLY;BYDAY=-1FR"),
        ({"repeat": "nonsense"}, ""),
    ],
)
def test_every_choice__is_its_rule_and_comes_back_as_the_choice(
    alice_client: Client, shop: Project, fields: dict[str, Any], rule: str
) -> None:
    alice_client.post(PAGE + "new", FORM | fields)
    freeze = FreezeWindow.objects.get()
    assert freeze.rrule == rule
    chosen = fields["repeat"] if fields["repeat"] != "nonsense" else "once"
    assert f'<option value="{chosen}" selected>' in text_of(alice_client, f"{PAGE}{freeze.pk}")


def test_a_form_with_faults__alice__names_them_and_loses_nothing(
    alice_client: Client, shop: Project
) -> None:
    bad = FORM | {"ends": "2098-01-01T00:00", "zone": "Nowhere", "until": "2099-13-01"}
    response = alice_client.post(PAGE + "new", bad)
    page = response.content.decode()
    assert response.status_code == 422
    for sentence in ("end after it starts", "IANA name", "UNTIL is a date"):
        assert sentence in page
    assert 'value="Weekend"' in page
    assert not FreezeWindow.objects.exists()


def test_a_rule_that_was_not_written__alice__is_asked_for_it(
    alice_client: Client, shop: Project
) -> None:
    response = alice_client.post(PAGE + "new", FORM | {"repeat": "rule", "rrule": " "})
    assert response.status_code == 422
    assert "Write a rule like" in response.content.decode()


def test_a_stale_form__alice__sees_what_saving_would_change(
    alice_client: Client, shop: Project
) -> None:
    freeze = a_freeze(shop)
    fields = FORM | {"version": "1", "repeat": "once"}
    assert alice_client.post(f"{PAGE}{freeze.pk}", fields).status_code == 200
    response = alice_client.post(f"{PAGE}{freeze.pk}", fields | {"name": "Mine"})
    assert response.status_code == 409
    assert "Name: Mine instead of Weekend." in response.content.decode()
    assert 'name="version" value="2"' in response.content.decode()


def test_the_preview__says_the_next_five_and_the_one_across_the_clock_change(
    alice_client: Client, shop: Project
) -> None:
    page = alice_client.post(
        PAGE + "preview", FORM | {"starts": "2026-11-27T16:00", "ends": "2026-11-30T08:00"}
    ).content.decode()
    assert page.count("<li>") == 5
    assert "every week on Friday and Saturday, until 1 Jun 2099" in page
    assert "The clocks there are changed on" in page
    assert not AuditEvent.objects.filter(event__startswith="freeze").exists()


def test_the_calendar__bob_in_new_york__is_in_his_zone(bob_client: Client, shop: Project) -> None:
    a_freeze(shop, starts="2098-12-24T02:00", ends="2098-12-24T05:00")
    page = text_of(bob_client, f"{PAGE}?month=2098-12", aviary_zone="America/New_York")
    assert "in your zone, America/New_York" in page
    assert "20:00 to 23:00" in page
    assert "Wed 24 Dec 2098, 02:00 to Wed 24 Dec 2098, 05:00" in page


@pytest.mark.parametrize("month", ["", "2098-13", "0001-01", "9999-12", "x", "2098-12\0"])
@pytest.mark.parametrize("zone", ["../../etc/passwd", "Mars", ""])
def test_the_calendar__of_a_month_or_zone_that_is_none__is_the_present_one_in_utc(
    bob_client: Client, shop: Project, month: str, zone: str
) -> None:
    bob_client.cookies["aviary_zone"] = zone
    response = bob_client.get(PAGE, {"month": month})
    assert response.status_code == (400 if "\0" in month else 200)
    assert "\0" in month or "in your zone, UTC" in response.content.decode()


def test_a_hostile_name__is_only_a_name(alice_client: Client, production: Environment) -> None:
    freeze_now(production, name="<script>alert(1)</script>", reason='"><b>')
    page = text_of(alice_client, PAGE)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert '"><b>' not in page


def test_the_ical_file__escapes_folds_and_is_in_utc(
    bob_client: Client, production: Environment
) -> None:
    reason = "a, b; c\\d\nBEGIN:VEVENT " + "ä" * 60
    freeze_now(production, name="Sale, part 1", reason=reason)
    response = bob_client.get(PAGE + "calendar.ics")
    body = response.content
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    text = body.decode().replace("\r\n ", "")
    assert "SUMMARY:Sale\\, part 1: Production\r\n" in text
    assert "DESCRIPTION:a\\, b\\; c\\\\d\\nBEGIN:VEVENT ää" in text
    assert text.count("\r\nBEGIN:VEVENT\r\n") == 1
    assert text.endswith("END:VCALENDAR\r\n")


def test_the_note__names_the_freeze_where_it_is(production: Environment, shop: Project) -> None:
    class Scope:
        project = shop

    freeze_now(production)
    template = Template("{% load freezes %}{% freeze_note places %}|{% freeze_note p pill=1 %}")
    context = {"scope": Scope, "places": shop.environments.all(), "p": production}
    note, pill = template.render(Context(context)).split("|")
    assert "Production is frozen by “Weekend” until" in note
    assert PAGE in note
    assert ">frozen</span>" in pill
    development = shop.environments.get(key="development")
    assert template.render(Context(context | {"places": [], "p": development})).strip() == "|"


@pytest.fixture
def script(production: Environment) -> Script:
    return Script(issue(production))


def asked(script: Script, query: str = "") -> Any:
    response = script.client.get(API + query, headers={"Authorization": f"Bearer {script.token}"})
    return response.status_code, json.loads(response.content)


def test_the_api__ci__learns_whether_production_is_frozen(
    script: Script, production: Environment, staging: Environment
) -> None:
    assert asked(script)[1]["frozen"] is False
    freeze_now(staging, name="Elsewhere")
    freeze_now(production, rrule="FREQ=WEEKLY")
    status, answer = asked(script, "?environment=production")
    assert (status, answer["frozen"], answer["environment"]) == (200, True, "production")
    (freeze,) = answer["freezes"]
    assert (freeze["name"], freeze["rrule"]) == ("Weekend", "FREQ=WEEKLY")
    assert freeze["in_force"]["ends"] < freeze["next"]["starts"]
    later = datetime.now(UTC) + timedelta(days=3)
    assert asked(script, f"?at={later:%Y-%m-%dT%H:%M:%SZ}")[1]["frozen"] is False


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?environment=staging", 403),
        ("?environment=moon", 404),
        ("?environment=%00", 404),
        ("?at=soon", 400),
        ("?at=2026-12-24T16:00:00", 400),
        ("?at=0001-01-01T00:00:00Z", 400),
        ("?at=2026-02-30T00:00:00Z", 400),
    ],
)
def test_the_api__what_it_does_not_answer__is_said(script: Script, query: str, status: int) -> None:
    found, answer = asked(script, query)
    assert (found, answer["status"]) == (status, status)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_api__keys_without_further_rights_only_read(script: Script, method: str) -> None:
    headers = {"Authorization": f"Bearer {script.token}"}
    wanted = 403 if method == "POST" else 405
    assert script.client.generic(method, API, headers=headers).status_code == wanted
