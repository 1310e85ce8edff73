"""The list of flags and its dialogs, as a browser gets them."""

import csv

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from flags.models import Flag, FlagConfiguration, NamingRule
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from tests.support.desk import RULE, Desk
from tests.support.people import client_of

FLAGS = "/p/shop/flags/"


@pytest.fixture
def browser(desk: Desk, dana: User) -> Client:
    return client_of(dana)


def text_of(browser: Client, address: str) -> str:
    response = browser.get(address)
    assert response.status_code == 200
    return response.getvalue().decode()


def test_the_list__reads_its_environments_and_what_evaluators_have_of_them_once(
    browser: Client, desk: Desk
) -> None:
    with CaptureQueriesContext(connection) as asked:
        text_of(browser, FLAGS)
    environments = [one["sql"] for one in asked if 'FROM "access_environment"' in one["sql"]]
    assert len([sql for sql in environments if '"epoch"' in sql]) <= 3, environments


def test_csv__holds_what_the_filters_let_through_and_no_formula(
    browser: Client, desk: Desk, dana: User
) -> None:
    desk.create(dana, "second", name="=cmd()", owner="crew")
    desk.switch(dana, True)
    text = text_of(browser, f"{FLAGS}export?owner=crew")
    (row,) = csv.DictReader(text.splitlines())
    assert (row["key"], row["name"]) == ("second", "'=cmd()")
    text = text_of(browser, f"{FLAGS}export?in.production=on")
    (row,) = csv.DictReader(text.splitlines())
    assert (row["key"], row["production.enabled"]) == (desk.flag.key, "yes")


def test_mine__is_what_dana_or_her_group_owns(browser: Client, desk: Desk, dana: User) -> None:
    crew = desk.flag.project.groups.create(key="crew", name="Crew")
    crew.members.add(dana)
    desk.create(dana, "of-dana", owner="dana")
    desk.create(dana, "of-crew", owner="crew")
    rows = csv.DictReader(text_of(browser, f"{FLAGS}export?owner=@me").splitlines())
    assert [row["key"] for row in rows] == ["of-crew", "of-dana"]


# Many flags


def many(browser: Client, **fields: object) -> tuple[int, str]:
    response = browser.post(f"{FLAGS}many", fields)
    return response.status_code, response.content.decode()


def test_turning_many_on_in_production__takes_its_name(
    browser: Client, desk: Desk, dana: User
) -> None:
    other = desk.create(dana, "second")
    asked = {"action": "turn_on:production", "flag": [desk.flag.key, other.key]}
    status, dialog = many(browser, **asked)
    assert status == 200
    assert "Type <code>production</code>" in dialog
    status, dialog = many(browser, **asked, confirmed="1", typed="staging")
    assert status == 422
    assert not FlagConfiguration.objects.filter(enabled=True).exists()
    status, done = many(browser, **asked, confirmed="1", typed="production", reason="Launch")
    assert "Done: 2 flags" in done
    enabled = FlagConfiguration.objects.filter(enabled=True)
    assert set(enabled.values_list("environment__key", flat=True)) == {"production"}


def test_all_that_match__are_more_than_the_page_shows(
    browser: Client, desk: Desk, dana: User
) -> None:
    desk.create(dana, "second", tags=["old"])
    fields = {"matching": "1", "query": "tag=old", "confirmed": "1", "owner": "crew"}
    _status, done = many(browser, action="set_owner", **fields)
    assert "Done: 1 flag" in done
    assert Flag.objects.get(key="second").owner == "crew"
    assert Flag.objects.get(pk=desk.flag.pk).owner == ""


def test_many__where_others_have_to_agree__each_links_to_its_request(
    browser: Client, desk: Desk, guarded: Environment
) -> None:
    fields = {"action": "turn_on:production", "flag": desk.flag.key}
    _status, dialog = many(browser, **fields)
    assert "Send for approval, flag by flag" in dialog
    _status, done = many(browser, **fields, confirmed="1")
    assert f'href="/p/shop/changes/{ChangeRequest.objects.get().pk}"' in done


def test_many__without_flags_or_with_something_odd__is_refused_readably(browser: Client) -> None:
    assert many(browser, action="archive")[0] == 400
    assert many(browser, action="explode", flag="x")[0] == 400
    assert many(browser, action="turn_on:nowhere", flag="x")[0] == 404


# Copying, comparing, cloning


def test_copy__shows_the_difference_and_takes_the_name(
    browser: Client, desk: Desk, dana: User, staging: Environment
) -> None:
    there = Desk(desk.flag, staging, desk.now)
    there.save(dana, rules=[RULE])
    address = f"/p/shop/flag/copy/production/{desk.flag.key}"
    dialog = text_of(browser, f"{address}?source=staging")
    assert "New rule: all users where country is one of DE get “on”." in dialog
    fields = {
        "source": "staging",
        "source_version": there.configuration.version,
        "version": desk.configuration.version,
    }
    assert browser.post(address, fields).status_code == 422
    assert browser.post(address, fields | {"typed": "production"}).status_code == 302
    assert desk.configuration.document["rules"] == there.configuration.document["rules"]


def test_compare__shows_what_differs_but_not_salts(browser: Client, desk: Desk, dana: User) -> None:
    desk.create(dana, "alike")
    desk.save(dana, rules=[RULE])
    page = text_of(browser, f"{FLAGS}compare?left=staging&right=production")
    assert "New rule: all users where country" in page
    assert "1 of 2 flags are shown" in page
    assert "dealt out anew" not in page
    assert "Alike." in text_of(browser, f"{FLAGS}compare?every=1&search=alike")


def test_clone__says_what_came_of_it(browser: Client, desk: Desk) -> None:
    address = f"/p/shop/flag/clone/{desk.flag.key}"
    response = browser.post(address, {"key": desk.flag.key, "name": "Twin"})
    assert response.status_code == 422
    response = browser.post(address, {"key": "twin", "name": "Twin", "environment": "staging"})
    assert response.headers["Location"] == "/p/shop/flag/open/twin"


# What a flag may be called and hold


def test_the_naming_rule__stands_in_the_form_of_a_new_flag(
    browser: Client, alice_client: Client
) -> None:
    rule = {"pattern": "[a-z]+/[a-z]+", "example": "team/flag", "hint": "Team first."}
    assert browser.post(f"{FLAGS}naming", rule).status_code == 403
    wrong = alice_client.post(f"{FLAGS}naming", rule | {"example": "Nope!"})
    assert wrong.status_code == 422
    assert "fits the pattern as a whole" in wrong.content.decode()
    alice_client.post(f"{FLAGS}naming", rule)
    assert NamingRule.objects.get().example == "team/flag"
    assert "look like “team/flag”. Team first." in text_of(browser, f"{FLAGS}new")


def test_a_value_against_its_schema__is_said_at_the_variant(browser: Client) -> None:
    fields = {
        "key": "theme",
        "kind": "release",
        "value_type": "object",
        "variants[0].key": "a",
        "variants[0].value": '{"size": "big"}',
        "json_schema": '{"properties": {"size": {"type": "integer"}}}',
    }
    refused = browser.post(f"{FLAGS}new", fields)
    assert refused.status_code == 422
    assert 'id="variant-1-error">Against the schema at size' in refused.content.decode()
    assert browser.post(f"{FLAGS}new", fields | {"json_schema": "{"}).status_code == 422
    assert browser.post(f"{FLAGS}new", fields | {"variants[0].value": "{}"}).status_code == 302
    stored = Flag.objects.get(key="theme")
    assert stored.json_schema == {"properties": {"size": {"type": "integer"}}}
    page = text_of(browser, "/p/shop/flag/settings/theme")
    assert "&quot;type&quot;: &quot;integer&quot;" in page
