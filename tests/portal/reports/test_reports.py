"""What the reports say, on the page and in the file."""

import csv
import io
from datetime import datetime, timedelta

import pytest
from django.test import Client

from flags.core import configurations
from flags.models import Flag
from portal.access import services
from portal.access.models import ApiKey, Environment, Grant, Project, User
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy
from tests.support.people import SETTING_UP, acting, create_person, give_role

REPORTS = "/p/shop/reports"


def rows(browser: Client, report: str, query: str = "") -> list[list[str]]:
    """The lines of a report's file, without its titles."""
    response = browser.get(f"{REPORTS}/{report}.csv{query}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="shop-{report}.csv"'
    return list(csv.reader(io.StringIO(response.getvalue().decode())))[1:]


def long_ago(days: int = 100) -> datetime:
    return clock.now() - timedelta(days=days)


def page(browser: Client, report: str, query: str = "") -> str:
    response = browser.get(f"{REPORTS}/{report}/{query}")
    assert response.status_code == 200
    return response.content.decode()


# Who can change production alone


def test_alone__without_a_policy__everybody_who_may_change_it(
    alice_client: Client, shop: Project, production: Environment, now: datetime
) -> None:
    root = create_person("root")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    services.issue_key(
        environment=production, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    )
    found = {(who, kind) for _place, who, kind, _may in rows(alice_client, "production-alone")}
    assert found == {
        ("alice", "member"),
        ("dana", "member"),
        ("root", "site administrator"),
        ("Pipeline", "admin key"),
    }


def test_alone__with_a_policy__who_breaks_glass_and_who_turns_off(
    alice_client: Client, shop: Project, production: Environment
) -> None:
    olga = create_person("olga")
    give_role(shop, olga, "on_call_engineer", production)
    set_policy(production, required_approvals=1, break_glass=["on_call_engineer"])
    found = {who: may for _place, who, _kind, may in rows(alice_client, "production-alone")}
    assert found["dana"] == "turn flags off"
    assert found["alice"].split("; ") == [
        "by adding people who approve, after 30 days",
        "by giving a role that may break glass",
        "turn flags off",
    ]
    assert found["olga"].startswith("by breaking glass: turn flags on and off, roll releases back")


def test_alone__where_even_turning_off_needs_approval__who_manages_members(
    alice_client: Client, shop: Project, production: Environment
) -> None:
    set_policy(
        production, required_approvals=1, turning_off_needs_approval=True, independence_days=0
    )
    found = rows(alice_client, "production-alone")
    assert [(who, may) for _place, who, _kind, may in found] == [
        ("alice", "by adding people who approve, at once")
    ]
    assert "by adding people who approve, at once" in page(alice_client, "production-alone")


def test_alone__with_evidence_wanted__the_keys_that_post_it_and_who_makes_them(
    alice_client: Client, shop: Project, production: Environment, now: datetime
) -> None:
    olga = create_person("olga")
    give_role(shop, olga, "devops")
    services.issue_key(
        environment=production,
        kind="admin",
        name="Scanner",
        evidence=["security_scan"],
        intent=Intent(SETTING_UP, at=now),
    )
    set_policy(
        production,
        required_approvals=1,
        evidence={"security_scan": "all"},
        turning_off_needs_approval=True,
    )
    found = {who: may for _place, who, _kind, may in rows(alice_client, "production-alone")}
    assert found["Scanner"] == "by posting the evidence security_scan"
    assert "by a key that posts the evidence security_scan" in found["olga"]


def test_alone__is_about_production(alice_client: Client, shop: Project) -> None:
    places = {place for place, *_rest in rows(alice_client, "production-alone")}
    assert places == {"Production"}
    assert rows(alice_client, "production-alone", "?environment=staging") == []


# Roles that nobody uses


@pytest.fixture
def old_grants(shop: Project, new_checkout: Flag) -> None:
    Grant.objects.update(given_at=long_ago())


def test_unused__everything_given_long_ago_and_never_used(
    alice_client: Client, old_grants: None
) -> None:
    found = [(who, role, used) for who, role, _p, _g, used in rows(alice_client, "unused-roles")]
    assert found == [
        ("alice", "project admin", ""),
        ("bob", "viewer", ""),
        ("dana", "developer", ""),
    ]


def test_unused__what_was_used_lately_in_that_environment_is_not(
    alice_client: Client,
    shop: Project,
    old_grants: None,
    new_checkout: Flag,
    staging: Environment,
    production: Environment,
    dana: User,
) -> None:
    for place in (staging, production):
        give_role(shop, dana, "qa", place)
    Grant.objects.update(given_at=long_ago())
    configurations.set_enabled(
        flag=new_checkout, environment=staging, enabled=True, intent=Intent(acting(dana))
    )
    found = {(who, role, place) for who, role, place, *_r in rows(alice_client, "unused-roles")}
    assert ("dana", "QA", "Production") in found
    assert ("dana", "QA", "Staging") not in found
    assert ("dana", "developer", "all environments") not in found


def test_unused__a_group_is_used_when_one_of_it_did_something(
    alice_client: Client, shop: Project, new_checkout: Flag, production: Environment, dana: User
) -> None:
    crew = services.create_group(project=shop, key="crew", name="Crew", intent=Intent(SETTING_UP))
    give_role(shop, crew, "developer")
    Grant.objects.update(given_at=long_ago())
    assert [row[0] for row in rows(alice_client, "unused-roles") if "C" in row[0]] == ["group Crew"]
    services.add_to_group(group=crew, user=dana, intent=Intent(SETTING_UP))
    configurations.set_enabled(
        flag=new_checkout, environment=production, enabled=True, intent=Intent(acting(dana))
    )
    assert "group Crew" not in [row[0] for row in rows(alice_client, "unused-roles")]


def test_unused__what_was_given_lately_is_not_among_them(
    alice_client: Client, shop: Project
) -> None:
    Grant.objects.update(given_at=long_ago(60))
    assert rows(alice_client, "unused-roles") == []
    assert len(rows(alice_client, "unused-roles", "?days=30")) == 3


# API keys by last use


def test_keys__the_longest_unused_come_first(
    alice_client: Client, production: Environment, now: datetime
) -> None:
    for name, used_at in (("Busy", now), ("Idle", long_ago()), ("Never", None)):
        issued = services.issue_key(
            environment=production, kind="server", name=name, intent=Intent(SETTING_UP, at=now)
        )
        ApiKey.objects.filter(pk=issued.key.pk).update(last_used_at=used_at)
    revoked = services.issue_key(
        environment=production, kind="server", name="Revoked", intent=Intent(SETTING_UP, at=now)
    )
    services.revoke_key(key=revoked.key, intent=Intent(SETTING_UP, at=now))
    found = rows(alice_client, "keys")
    assert [row[0] for row in found] == ["Never", "Idle", "Busy"]
    assert found[0][5] == ""
    assert found[2][5] == f"{now:%Y-%m-%dT%H:%M:%SZ}"
    assert rows(alice_client, "keys", "?environment=staging") == []
    assert "never" in page(alice_client, "keys")


# What all of them share


@pytest.mark.parametrize("report", ["production-alone", "unused-roles", "keys"])
def test_the_page__links_to_the_file_with_the_same_filters(
    alice_client: Client, shop: Project, report: str
) -> None:
    text = page(alice_client, report, "?environment=production&amp=1")
    assert f"/p/shop/reports/{report}.csv?environment=production" in text


def test_a_file__takes_the_permission_to_export(bob_client: Client, shop: Project) -> None:
    assert bob_client.get(f"{REPORTS}/keys.csv").status_code == 403
    text = page(bob_client, "keys")
    assert "export the history" in text
    assert ".csv" not in text


@pytest.mark.parametrize("address", ["nothing/", "nothing.csv", "keys/?days=7", "keys/?days=x"])
def test_what_there_is_not__is_not_found(alice_client: Client, shop: Project, address: str) -> None:
    assert alice_client.get(f"{REPORTS}/{address}").status_code == 404


def test_csv_formula_injection__through_the_name_of_a_key(
    alice_client: Client, production: Environment, now: datetime
) -> None:
    name = '=HYPERLINK("https://evil.example","x")'
    services.issue_key(
        environment=production, kind="server", name=name, intent=Intent(SETTING_UP, at=now)
    )
    assert rows(alice_client, "keys")[0][0] == f"'{name}"
