"""The dialogs of flags where others have to agree: said before the click, sent by the click."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from flags.models import Flag, FlagConfiguration
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest, Emergency
from tests.portal.access_web.table import NEW_FLAG
from tests.support.agreeing import TWO_ROLES, set_policy, vote

WANTS = "Production requires 2 approvals, together covering senior developer and DevOps lead"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def configuration(new_checkout: Flag, guarded: Environment) -> FlagConfiguration:
    return FlagConfiguration.objects.get(flag=new_checkout, environment=guarded)


def address(name: str, environment: str | None = "production", **query: object) -> str:
    where = {"project": "shop", "key": "new-checkout"}
    if environment:
        where["environment"] = environment
    return reverse(name, kwargs=where, query=query or None)


def form(configuration: FlagConfiguration) -> dict[str, str]:
    """The targeting form with everybody served “on”."""
    return {
        "off_variant": "off",
        "salt": configuration.targeting["salt"],
        "fallthrough.variant": "off",
        "version": str(configuration.version),
    }


def reviewed(client: Client, fields: dict[str, str]) -> dict[str, str]:
    """What the review dialog would send."""
    response = client.post(address("flag-review"), fields, headers=HTMX)
    assert response.status_code == 200, response.content
    hidden = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.content.decode()
    )
    return {name: value.replace("&quot;", '"') for name, value in hidden}


def test_switching_on__says_who_has_to_agree_before_the_click(
    dana_client: Client, configuration: FlagConfiguration
) -> None:
    response = dana_client.post(address("flag-switch"), {"enabled": "1"})
    text = response.content.decode()
    assert WANTS in text
    assert "Send for approval" in text
    assert "Break glass" not in text
    assert "Type <code>" not in text
    assert not ChangeRequest.objects.exists()


def test_switching_on__confirmed__sends_the_request_and_changes_nothing(
    dana_client: Client, configuration: FlagConfiguration
) -> None:
    fields = {"enabled": "1", "confirmed": "1", "reason": "sale", "version": "1"}
    fields["version"] = str(configuration.version)
    response = dana_client.post(address("flag-switch"), fields)
    request = ChangeRequest.objects.get()
    assert f'href="/p/shop/changes/{request.pk}"' in response.content.decode()
    assert (request.author, request.reason) == ("dana", "sale")
    assert request.apply_when_approved
    configuration.refresh_from_db()
    assert not configuration.enabled


def test_switching_off__is_free_and_says_nothing(
    dana_client: Client, configuration: FlagConfiguration
) -> None:
    FlagConfiguration.objects.filter(pk=configuration.pk).update(enabled=True)
    dialog = dana_client.post(address("flag-switch"), {"enabled": "0"}).content.decode()
    assert "approval" not in dialog
    dana_client.post(address("flag-switch"), {"enabled": "0", "confirmed": "1"})
    configuration.refresh_from_db()
    assert not configuration.enabled


def test_a_guarded_development__asks_as_production_does(
    dana_client: Client, new_checkout: Flag, development: Environment
) -> None:
    set_policy(development, required_approvals=1)
    dialog = dana_client.post(address("flag-switch", "development"), {"enabled": "1"})
    assert "Development requires 1 approval." in dialog.content.decode()


def test_targeting__review_says_it_and_save_leads_to_the_request(
    dana_client: Client, configuration: FlagConfiguration
) -> None:
    fields = form(configuration)
    dialog = dana_client.post(address("flag-review"), fields, headers=HTMX).content.decode()
    assert WANTS in dialog
    response = dana_client.post(
        address("flag-save"), reviewed(dana_client, fields) | {"apply_later": "1"}, headers=HTMX
    )
    request = ChangeRequest.objects.get()
    assert response["HX-Redirect"] == f"/p/shop/changes/{request.pk}"
    assert not request.apply_when_approved
    configuration.refresh_from_db()
    assert configuration.targeting["fallthrough"] == {"variant": "on"}


def test_a_request__opened_for_editing__fills_the_form_and_is_edited(
    dana_client: Client, configuration: FlagConfiguration, erin: User
) -> None:
    dana_client.post(address("flag-save"), reviewed(dana_client, form(configuration)))
    request = ChangeRequest.objects.get()
    vote(request, erin)
    page = dana_client.get(address("flag-targeting", request=request.pk)).content.decode()
    assert f"You are editing change request {request.pk}" in page
    assert re.search(r'<option[^>]*value="off"[^>]* selected', page)
    fields = form(configuration) | {"off_variant": "on", "revise": f"{request.pk}.1"}
    again = dana_client.post(address("flag-editor"), fields | {"do": "add-rule"}).content.decode()
    assert f'name="revise" value="{request.pk}.1"' in again
    dana_client.post(address("flag-save"), reviewed(dana_client, fields))
    edited = ChangeRequest.objects.get()
    assert (edited.pk, edited.revision, edited.votes.count()) == (request.pk, 2, 0)
    assert edited.after["off_variant"] == "on"


def test_a_request__edited_by_two_from_one_revision__keeps_the_first(
    dana_client: Client, alice_client: Client, configuration: FlagConfiguration
) -> None:
    dana_client.post(address("flag-save"), reviewed(dana_client, form(configuration)))
    request = ChangeRequest.objects.get()
    seen = {"revise": f"{request.pk}.1"}
    hers = reviewed(alice_client, form(configuration) | {"off_variant": "on"} | seen)
    other = {"off_variant": "on", "fallthrough.variant": "on"}
    his = reviewed(dana_client, form(configuration) | other | seen)
    assert alice_client.post(address("flag-save"), hers, headers=HTMX).status_code == 204
    refused = dana_client.post(address("flag-save"), his, headers=HTMX)
    assert refused.status_code == 409
    assert "was edited since you opened it" in refused.content.decode()
    request.refresh_from_db()
    assert (request.revision, request.after["off_variant"]) == (2, "on")
    assert request.after["fallthrough"] == {"variant": "off"}


def test_a_request_of_another_flag__is_not_opened_for_editing(
    dana_client: Client, configuration: FlagConfiguration
) -> None:
    dana_client.post(address("flag-save"), reviewed(dana_client, form(configuration)))
    request = ChangeRequest.objects.get()
    ChangeRequest.objects.update(subject="another")
    for number in (request.pk, 0, -1, "x", "9" * 30, ""):
        page = dana_client.get(address("flag-targeting", request=number))
        assert page.status_code == 200
        assert "You are editing" not in page.content.decode()


def test_the_flags_page__shows_what_waits(
    dana_client: Client, bob_client: Client, configuration: FlagConfiguration
) -> None:
    dana_client.post(address("flag-save"), reviewed(dana_client, form(configuration)))
    page = bob_client.get(address("flag-targeting")).content.decode()
    assert "Waiting for approval:" in page
    other = bob_client.get(address("flag-targeting", "staging")).content.decode()
    assert "Waiting for approval:" not in other


def test_settings__values_are_sent_for_approval_and_words_are_saved(
    dana_client: Client, new_checkout: Flag, guarded: Environment
) -> None:
    page = dana_client.get(address("flag-settings", None)).content.decode()
    assert "need approval; the rest is saved at once" in page
    words = NEW_FLAG | {"version": "1", "name": "Renamed"}
    saved = dana_client.post(address("flag-settings", None), words, headers=HTMX)
    assert saved["HX-Redirect"] == address("flag-settings", None)
    values = NEW_FLAG | {"version": "2", "name": "Renamed", "client_visible": "on"}
    response = dana_client.post(address("flag-settings", None), values, headers=HTMX)
    request = ChangeRequest.objects.get()
    assert response["HX-Redirect"] == f"/p/shop/changes/{request.pk}"
    editing = dana_client.get(address("flag-settings", None, request=request.pk)).content.decode()
    assert re.search(r'name="client_visible" checked', editing)


def test_archiving__is_sent_for_approval(
    dana_client: Client, new_checkout: Flag, guarded: Environment
) -> None:
    assert WANTS in dana_client.get(address("flag-archive", None)).content.decode()
    response = dana_client.post(address("flag-archive", None), headers=HTMX)
    assert response["HX-Redirect"] == f"/p/shop/changes/{ChangeRequest.objects.get().pk}"
    new_checkout.refresh_from_db()
    assert not new_checkout.is_archived


@pytest.fixture
def hammer(guarded: Environment) -> None:
    """Developers may break glass."""
    guarded.policy.delete()
    set_policy(guarded, **TWO_ROLES, break_glass=["developer"])


@pytest.mark.usefixtures("hammer")
def test_breaking_glass__is_offered_to_who_may_and_takes_a_reason(
    dana_client: Client, alice_client: Client, configuration: FlagConfiguration
) -> None:
    fields = {"enabled": "1", "version": str(configuration.version)}
    assert "Break glass" not in alice_client.post(address("flag-switch"), fields).content.decode()
    assert "Break glass" in dana_client.post(address("flag-switch"), fields).content.decode()
    fields |= {"confirmed": "1", "break_glass": "1"}
    refused = dana_client.post(address("flag-switch"), fields)
    assert refused.status_code == 422
    assert "Say what the emergency is" in refused.content.decode()
    done = dana_client.post(address("flag-switch"), fields | {"reason": "fire"})
    assert done.status_code == 200
    configuration.refresh_from_db()
    assert configuration.enabled
    assert Emergency.objects.get().reason == "fire"
