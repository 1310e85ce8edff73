"""The pages that answer what somebody gets, and what somebody got."""

from typing import Any

import pytest
from django.test import Client

from flags.explain.web import ExplainQuestion
from flags.models import Flag
from portal.access.models import Environment, User
from portal.lib import clock
from portal.lib.errors import Invalid
from tests.support.desk import RULE, Desk

pytestmark = pytest.mark.django_db
EXPLAIN, PAST = "/p/shop/flag/explain/new-checkout", "/p/shop/past/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, alice: User) -> Desk:
    """The flag is on in production, for Germany."""
    desk = Desk(new_checkout, production, clock.now())
    desk.save(alice, enabled=True, rules=[RULE], reason="launch in Germany")
    return desk


def text(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def ask(client: Client, path: str, **fields: Any) -> Any:
    return client.post(path, fields, headers=HTMX)


def test_explain__several_environments__stand_side_by_side(desk: Desk, bob_client: Client) -> None:
    places = ["staging", "production"]
    fields = {"unit": "u-1", "attributes": "country = FR", "environment": places}
    found = text(ask(bob_client, EXPLAIN, **fields))
    assert found.count("<section") == 2
    assert "DISABLED" in found
    assert "it is “FR”" in found or "it is &quot;FR&quot;" in found
    assert "<html" not in found


def test_explain__without_scripts__is_a_page(desk: Desk, bob_client: Client) -> None:
    fields = {"attributes": '{"country": "DE"}', "environment": "production"}
    found = text(bob_client.post(EXPLAIN, fields))
    assert "<html" in found
    assert "TARGETING_MATCH" in found


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"attributes": "{", "environment": "production"}, "This is not JSON"),
        ({"attributes": "country", "environment": "production"}, "Write each attribute as a line"),
        ({}, "Choose an environment."),
    ],
)
def test_explain__what_cannot_be_read__is_said(
    desk: Desk, bob_client: Client, fields: dict[str, str], sentence: str
) -> None:
    assert sentence in text(ask(bob_client, EXPLAIN, **fields), 422)


def test_past__says_what_they_got_who_made_it_so_and_why(desk: Desk, bob_client: Client) -> None:
    moment = clock.now()
    desk.switch(User.objects.get(username="alice"), False)
    fields = {"flag": "new-checkout", "environment": "production", "attributes": "country: DE"}
    found = text(ask(bob_client, PAST, **fields, at=moment.isoformat()))
    assert "TARGETING_MATCH" in found
    assert "launch in Germany" in found
    assert "No approval required." in found
    assert "turned off" not in found


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"flag": "new-checkout"}, "Choose a time in the past."),
        ({"flag": "new-checkout", "at": "2999-01-01T00:00"}, "Choose a time in the past."),
        ({"flag": "new-checkout", "at": "soon"}, "Write a date like"),
        ({"at": "2026-01-01T00:00"}, "Name the flag"),
    ],
)
def test_past__what_cannot_be_read__is_said(
    desk: Desk, bob_client: Client, fields: dict[str, str], sentence: str
) -> None:
    assert sentence in text(ask(bob_client, PAST, environment="production", **fields), 422)


def test_past__flag_that_is_archived__can_be_asked_about(desk: Desk, bob_client: Client) -> None:
    moment = clock.now()
    desk.archive(User.objects.get(username="alice"))
    fields = {"flag": "new-checkout", "environment": "production", "at": moment.isoformat()}
    assert "DEFAULT" in text(ask(bob_client, PAST, **fields))
    later = fields | {"at": clock.now().isoformat()}
    assert "FLAG_NOT_FOUND" in text(ask(bob_client, PAST, **later))


def test_attributes__lines_or_json__make_the_context() -> None:
    lines = 'country = DE\n\nage: 30\nbeta=true\nzip = "01067"\nnote: a = b'
    assert ExplainQuestion("u-1", lines).context == {
        "country": "DE",
        "age": 30,
        "beta": True,
        "zip": "01067",
        "note": "a = b",
        "targetingKey": "u-1",
    }
    assert ExplainQuestion("", '{"company": {"plan": "gold"}}').context == {
        "company": {"plan": "gold"}
    }
    with pytest.raises(Invalid):
        _ = ExplainQuestion("", "targetingKey = 7").context


# None of these would end if what reading costs grew with the square of a text's length.
@pytest.mark.parametrize(
    "text", ["a" * 2_000_000, "a = x" + " " * 2_000_000 + "y", " " * 2_000_000]
)
def test_attributes__a_line_of_megabytes__is_read_or_refused(text: str) -> None:
    try:
        found = ExplainQuestion("u", text).context
    except Invalid:
        return
    assert found in ({"a": text[3:].strip(), "targetingKey": "u"}, {"targetingKey": "u"})
