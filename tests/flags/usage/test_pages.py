"""Usage on the pages: the chart's table, the list, unknown names, archiving what is in use."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from flags.channel import OVER_BUDGET, EvaluationCount, Missed
from flags.core.definitions import archive_flag
from flags.models import Flag, UnknownFlag
from portal.access.models import Environment, Project
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.flags.usage.conftest import batch, take
from tests.support.people import SETTING_UP
from tests.support.script import FLAGS, PRODUCTION, Script, answer, issue, problem, serve_only_in

pytestmark = pytest.mark.django_db
USAGE = "/p/shop/flag/usage/new-checkout"
UNKNOWN = "/p/shop/flags/unknown/production"
ARCHIVE = "/p/shop/flag/archive/new-checkout"


@pytest.fixture
def in_use(production: Environment, on: EvaluationCount, now: datetime) -> None:
    """Asked for in production just now, once in vain, and once by a public key."""
    rows: list[EvaluationCount | Missed] = [
        on,
        EvaluationCount("new-checkout", "", "ERROR", 1),
        Missed("old", False, 3),
    ]
    rows += [Missed("new-checkout", True, 1)]
    take(batch(production, now, *rows), now=now)


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return response.content.decode()


@pytest.mark.parametrize(("period", "rows"), [("hour", 60), ("day", 24), ("month", 30)])
@pytest.mark.parametrize(("by", "name"), [("variant", "no value"), ("reason", "STATIC")])
def test_usage__bob__sees_every_step_of_the_time(
    bob_client: Client, in_use: None, period: str, rows: int, by: str, name: str
) -> None:
    page = text(bob_client, f"{USAGE}?environment=production&period={period}&by={by}")
    assert page.count('<th scope="row">') == rows
    assert "Evaluated <strong>3</strong> times." in page
    assert f'<th scope="col" class="text-end">{name}</th>' in page
    assert "Not evaluated" in text(bob_client, f"{USAGE}?environment=staging&by={by}")


def test_a_flag_that_took_too_much_work__says_so_on_each_of_its_pages(
    bob_client: Client, production: Environment, in_use: None, now: datetime
) -> None:
    words = "evaluating it took too much work 2 times in the last day"
    assert words not in text(bob_client, USAGE)
    row = EvaluationCount("new-checkout", "", OVER_BUDGET, 2)
    take(batch(production, now, row), now=now)
    for address in (USAGE, "/p/shop/flag/settings/new-checkout"):
        assert f"In Production {words}" in text(bob_client, address)


@pytest.mark.parametrize("address", [USAGE, UNKNOWN])
def test_a_live_page__is_drawn_anew_only_when_something_was_asked_for(
    bob_client: Client,
    production: Environment,
    on: EvaluationCount,
    in_use: None,
    now: datetime,
    address: str,
) -> None:
    (state,) = re.findall(r"seen=([\d-]+)", text(bob_client, address))
    text(bob_client, f"{address}?seen={state}", 204)
    take(batch(production, now, on, Missed("old", False, 1)), now=now)
    text(bob_client, f"{address}?seen={state}")


@pytest.mark.parametrize("query", ["period=year", "by=person", "environment=nowhere"])
def test_usage__of_nonsense__is_not_found(bob_client: Client, in_use: None, query: str) -> None:
    text(bob_client, f"{USAGE}?{query}", 404)


def test_the_list__says_when_it_was_last_asked_for_and_finds_what_is_stale(
    bob_client: Client, new_checkout: Flag, in_use: None, now: datetime
) -> None:
    page = text(bob_client, "/p/shop/flags/")
    assert "New checkout was evaluated 3 times in the last day" in page
    assert f"{now:%Y-%m-%d %H:%M} UTC" in page
    assert "New checkout" not in text(bob_client, "/p/shop/flags/?stage=potentially_stale")
    Flag.objects.update(created_at=now - timedelta(days=50))
    assert "potentially stale" in text(bob_client, "/p/shop/flags/")
    assert "New checkout" in text(bob_client, "/p/shop/flags/?stage=potentially_stale")
    assert "No flag matches" in text(bob_client, "/p/shop/flags/?stage=ready_to_archive")
    why = "It is 50 days old; a flag of this kind is expected to live 40 days."
    assert why in text(bob_client, USAGE)


def test_unknown_names__are_created_from_the_page_or_ignored(
    dana_client: Client, new_checkout: Flag, in_use: None
) -> None:
    page = text(dana_client, UNKNOWN)
    assert 'href="/p/shop/flags/new?key=old"' in page
    assert "This flag is not visible to public keys." in page
    assert 'value="old"' in text(dana_client, "/p/shop/flags/new?key=old")
    dana_client.post(f"{UNKNOWN}/ignore", {"name": "old"})
    assert 'flags/new?key=old"' not in text(dana_client, UNKNOWN)
    assert "Stop ignoring" in text(dana_client, f"{UNKNOWN}?ignored=1")
    dana_client.post(f"{UNKNOWN}/ignore", {"name": "old", "watch": "1"})
    assert not UnknownFlag.objects.exclude(ignored_at=None).exists()
    events = AuditEvent.objects.filter(subject_kind="unknown_flag").order_by("sequence")
    assert [event.event for event in events] == ["unknown_flag.ignored", "unknown_flag.watched"]


def test_unknown_names__of_an_archived_flag__lead_to_it(
    bob_client: Client, production: Environment, new_checkout: Flag, now: datetime
) -> None:
    archive_flag(flag=new_checkout, intent=Intent(SETTING_UP, at=now))
    asked = batch(production, now, Missed("new-checkout", False, 1))
    take(asked, now=now)
    assert "This flag is archived." in text(bob_client, UNKNOWN)


def test_archiving_what_is_asked_for__wants_its_key_typed(
    alice_client: Client, new_checkout: Flag, in_use: None
) -> None:
    dialog = text(alice_client, ARCHIVE)
    assert "3 times in the last hour in Production" in dialog
    for typed in ("", "production"):
        refused = alice_client.post(ARCHIVE, {"typed": typed})
        assert refused.status_code == 422
        assert "That is not new-checkout" in refused.content.decode()
        new_checkout.refresh_from_db()
        assert not new_checkout.is_archived
    alice_client.post(ARCHIVE, {"typed": "new-checkout"})
    new_checkout.refresh_from_db()
    assert new_checkout.is_archived


def test_archiving_what_nobody_asks_for__takes_one_click(
    alice_client: Client, new_checkout: Flag
) -> None:
    assert "to confirm" not in text(alice_client, ARCHIVE)
    alice_client.post(ARCHIVE)
    new_checkout.refresh_from_db()
    assert new_checkout.is_archived


@pytest.fixture
def script(production: Environment) -> Script:
    return Script(issue(production))


def test_api__delete_of_what_is_asked_for__wants_force(
    script: Script, in_use: None, production: Environment
) -> None:
    serve_only_in(production)
    address = f"{FLAGS}/new-checkout"
    said = problem(script.call("DELETE", address), 409)
    assert "3 times in production" in said["detail"]
    assert script.call("DELETE", f"{address}?force=true").status_code == 204
    assert script.call("DELETE", address).status_code == 204


def test_api__usage__is_what_was_counted(script: Script, in_use: None, now: datetime) -> None:
    found: dict[str, Any] = answer(script.get(f"{PRODUCTION}/usage/new-checkout?period=hour"))
    assert (found["total"], len(found["counts"])) == (3, 60)
    assert {"on": 2, "off": 0, "": 1} in [line["counts"] for line in found["counts"]]
    assert found["last_seen_at"] == now.isoformat()
    assert set(found["last_served_at"]) == {"on", ""}
    by_reason = answer(script.get(f"{PRODUCTION}/usage/new-checkout?by=reason&period=month"))
    assert by_reason["counts"][-1]["counts"] == {"ERROR": 1, "STATIC": 2}
    for query, field in (("by=x", "by"), ("period=x", "period")):
        refused = problem(script.get(f"{PRODUCTION}/usage/new-checkout?{query}"), 400)
        assert [error["path"] for error in refused["errors"]] == [field]


def test_api__unknown_flags__are_listed(script: Script, shop: Project, in_use: None) -> None:
    found = answer(script.get(f"{PRODUCTION}/unknown-flags"))
    assert {(one["name"], one["by"], one["count"]) for one in found["unknown_flags"]} == {
        ("old", "server", 3),
        ("new-checkout", "client", 1),
    }
    assert answer(script.get(f"{PRODUCTION}/unknown-flags?ignored=1"))["unknown_flags"] == []
