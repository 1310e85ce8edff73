"""Editing a request and bringing it up to date on its pages, and who gets what by it."""

import json
import re
from html import unescape

import pytest

from portal.access import services as access
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Intent
from portal.notifications.models import Letter
from tests.portal.approvals_web.conftest import Window, at, text_of
from tests.support.agreeing import waiting
from tests.support.desk import RULE, Desk
from tests.support.glass import serve, without_policy
from tests.support.people import acting

FORM = "flag/targeting/production/new-checkout"


@pytest.fixture
def turning_on(desk: Desk, dana: User) -> ChangeRequest:
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True)
    return waiting(error)


def fields_of(page: str) -> dict[str, str]:
    """What the form of the editor would send, as far as these tests need it."""
    form = page[page.index('<form id="targeting"') :]
    hidden = re.findall(r'<input type="hidden"[^>]*name="([^"]+)" value="([^"]*)"', form)
    chosen = re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(?:(?!</select>).)*?<option value="([^"]*)" selected',
        form,
        re.DOTALL,
    )
    return {name: unescape(value) for name, value in [*hidden, *chosen]}


def save(window: Window, fields: dict[str, str]) -> object:
    """Review and save, as the buttons do; returns the document that was reviewed."""
    dialog = text_of(window.send("flag/review/production/new-checkout", **fields))
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', dialog)
    sent = {name: unescape(value) for name, value in hidden}
    answer = window.send("flag/save/production/new-checkout", **sent)
    assert answer.status_code in (200, 204), text_of(answer)
    return json.loads(sent["document"])


def test_an_edited_turn_on__still_turns_on(
    desk: Desk, turning_on: ChangeRequest, dana: User
) -> None:
    page = at(dana).open(FORM, request=str(turning_on.pk)).content.decode()
    fields = fields_of(page)
    assert fields["enabled"] == "on"
    save(at(dana), fields | {"off_variant": "on"})
    turning_on.refresh_from_db()
    assert turning_on.revision == 2
    assert (turning_on.after["enabled"], turning_on.after["off_variant"]) == (True, "on")


def test_a_form_that_edits_no_request__has_no_switch(desk: Desk, dana: User) -> None:
    assert 'name="enabled"' not in at(dana).open(FORM).content.decode()


def test_an_edited_request__keeps_what_others_got_approved_meanwhile(
    desk: Desk, guarded: Environment, turning_on: ChangeRequest, dana: User, alice: User
) -> None:
    with without_policy(guarded):
        desk.save(alice, fallthrough=serve("off"))
    page = at(dana).open(FORM, request=str(turning_on.pk)).content.decode()
    assert "This was changed since the request was made." in page
    save(at(dana), fields_of(page))
    turning_on.refresh_from_db()
    assert turning_on.after == turning_on.before | {"enabled": True}
    assert turning_on.after["fallthrough"] == serve("off")


def test_a_definition_opened_for_editing__holds_both(
    desk: Desk, guarded: Environment, dana: User, alice: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.edit(dana, client_visible=True)
    with without_policy(guarded):
        desk.edit(alice, description="Changed meanwhile", permanent=True)
    asked = waiting(error)
    page = at(dana).open("flag/settings/new-checkout", request=str(asked.pk)).content.decode()
    assert "Changed meanwhile" in page
    for name in ("client_visible", "permanent"):
        assert re.search(rf'name="{name}" checked', page)


def test_both_changed_the_same__the_dialog_asks_which_stands(
    desk: Desk, guarded: Environment, dana: User, alice: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.save(dana, fallthrough=serve("off"), rules=[RULE])
    asked = waiting(error)
    share = {"split": [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]}
    with without_policy(guarded):
        desk.save(alice, fallthrough=share)
    window, path = at(dana), f"changes/{asked.pk}"
    assert "What everyone else gets" in text_of(window.open(path))
    dialog = text_of(window.look(f"{path}/dialog", step="renew"))
    assert "Which of the two do you keep?" in dialog
    refused = window.send(f"{path}/renew", digest=asked.digest)
    assert refused.status_code == 422
    assert "choose which of the two to keep" in text_of(refused)
    assert window.send(f"{path}/renew", digest=asked.digest, prefer="mine").status_code == 200
    asked.refresh_from_db()
    assert (asked.after["fallthrough"], asked.before["fallthrough"]) == (serve("off"), share)


def test_who_gets_what__is_on_the_page_in_the_mail_and_in_the_api(
    desk: Desk, guarded: Environment, dana: User, erin: User, alice: User
) -> None:
    User.objects.update(email="somebody@shop.example")
    share = {"split": [{"variant": "on", "weight": 10_000}, {"variant": "off", "weight": 90_000}]}
    with without_policy(guarded):
        desk.save(alice, rules=[RULE], fallthrough=share)
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True)
    asked = waiting(error)
    rule = "ll users where country is one of DE get “on”"
    rest = "veryone else gets “on” to 10 %, “off” to 90 % of users"
    words = f"Turned on: a{rule}; e{rest}."
    assert asked.words == [words]
    before, after = "It is off: everyone gets “off”.", [f"A{rule}.", f"E{rest}."]
    page = text_of(at(erin).open(f"changes/{asked.pk}"))
    assert all(sentence in page for sentence in (words, before, *after))
    assert words in text_of(at(erin).look(f"changes/{asked.pk}/dialog", step="approve"))
    letter = Letter.objects.get(user=erin).text
    assert f"Production, before:\n- {before}" in letter
    assert f"Production, after:\n- {after[0]}\n- {after[1]}" in letter
    key = access.issue_key(
        environment=guarded, kind="admin", name="CI", intent=Intent(acting(alice), at=desk.now)
    )
    answer = at(alice).client.get(
        f"/api/v1/projects/shop/change-requests/{asked.pk}",
        headers={"Authorization": f"Bearer {key.token}"},
    )
    assert answer.json()["outcomes"] == [
        {"title": "Production", "before": [before], "after": after}
    ]


def test_a_definition__says_the_values_and_who_gets_them(desk: Desk, dana: User, bob: User) -> None:
    with pytest.raises(Waiting) as error:
        desk.edit(dana, variants=[{"key": "on", "value": False}, {"key": "off", "value": True}])
    page = text_of(at(bob).open(f"changes/{waiting(error).pk}"))
    for sentence in ("“on” is true.", "“on” is false.", "It is off: everyone gets “off”."):
        assert sentence in page


def test_an_emergency__says_what_it_goes_back_to_and_what_stays(
    desk: Desk, guarded: Environment, emergency: ChangeRequest, alice: User, erin: User
) -> None:
    page = text_of(at(erin).open(f"changes/{emergency.pk}"))
    assert "When it ends:" in page
    assert '<li class="text-break">Turned off.</li>' in page
    at(alice).send(f"changes/{emergency.pk}/revert")
    assert not desk.configuration.enabled
