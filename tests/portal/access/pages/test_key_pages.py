"""Editing API keys through the front door."""

from datetime import datetime

import pytest
from django.test import Client

from portal.access import services
from portal.access.models import ApiKey, Environment
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP

FIELDS = {"allowed_origins": "https://Shop.example http://localhost:3000", "rate_limit": "50"}


@pytest.fixture
def page_key(production: Environment, now: datetime) -> ApiKey:
    return services.issue_key(
        environment=production, kind="client", name="Web shop", intent=Intent(SETTING_UP, at=now)
    ).key


def address(key: ApiKey) -> str:
    return f"/p/shop/keys/{key.selector}/edit"


def test_edit__origins_and_limits__stand_in_the_list_and_in_the_dialog(
    alice_client: Client, page_key: ApiKey
) -> None:
    saved = alice_client.post(address(page_key), FIELDS)
    assert (saved.status_code, saved.headers["HX-Retarget"]) == (200, "#keys")
    for text in ("https://shop.example", "50 requests/s", "Saved Web shop."):
        assert text in saved.content.decode()
    dialog = alice_client.get(address(page_key)).content.decode()
    assert 'value="https://shop.example http://localhost:3000"' in dialog
    assert 'value="50"' in dialog
    alice_client.post(address(page_key), {})
    page_key.refresh_from_db()
    assert (page_key.allowed_origins, page_key.rate_limit) == ([], None)


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "many", "1000001", "9" * 5000, "٣"])
def test_edit__a_limit_that_is_none__is_refused_beside_the_field(
    alice_client: Client, page_key: ApiKey, typed: str
) -> None:
    refused = alice_client.post(address(page_key), FIELDS | {"rate_limit": typed})
    assert refused.status_code == 422
    assert "whole number from 1 to 1,000,000" in refused.content.decode()
    page_key.refresh_from_db()
    assert page_key.rate_limit is None


def test_edit__a_revoked_key__is_refused_in_words(
    alice_client: Client, page_key: ApiKey, now: datetime
) -> None:
    services.revoke_key(key=page_key, intent=Intent(SETTING_UP, at=now))
    refused = alice_client.post(address(page_key), FIELDS)
    assert refused.status_code == 422
    assert "The key is revoked" in refused.content.decode()
