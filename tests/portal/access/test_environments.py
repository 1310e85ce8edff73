"""Adding environments on their page."""

import pytest
from django.test import Client

from flags.models import Flag
from portal.access.models import Project

HTMX = {"HX-Request": "true"}


def add(client: Client, key: str, kind: str) -> tuple[int, str]:
    answer = client.post("/p/shop/environments/new", {"key": key, "kind": kind}, headers=HTMX)
    return answer.status_code, answer.content.decode()


def test_add_environment__by_an_admin__is_listed_and_has_every_flag_off(
    alice_client: Client, shop: Project, new_checkout: Flag
) -> None:
    status, page = add(alice_client, "load-test", "staging")
    assert (status, "Load test created" in page) == (200, True)
    row = new_checkout.configurations.get(environment__key="load-test")
    assert not row.enabled
    listed = alice_client.get("/p/shop/environments/").content.decode()
    assert "load-test" in listed


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        ("production", "production", "already exists"),
        ("Big Key", "staging", "lower-case letters"),
        ("qa", "space", "is not a valid choice"),
        ("", "staging", "cannot be blank"),
    ],
)
def test_add_environment__bad_input__says_why_and_adds_none(
    alice_client: Client, shop: Project, key: str, kind: str, words: str
) -> None:
    status, page = add(alice_client, key, kind)
    assert (status, words in page) == (422, True)
    assert shop.environments.count() == 3


def test_add_environment__editor__is_refused(dana_client: Client, shop: Project) -> None:
    assert add(dana_client, "qa", "staging")[0] == 403
    assert shop.environments.count() == 3
