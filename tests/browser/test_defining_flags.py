"""Creating flags, editing what they are, taking them out of use."""

import json
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.finding import (
    FLAGS,
    button,
    choose,
    dialog_of,
    flag_page,
    new_name,
    notices_of,
    switch_of,
    wait_in,
)
from tests.browser.troubles import Troubles
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support import inside
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

# What the form proposes as the first variant of each type.
FIRST_VALUES = {
    "boolean": True,
    "string": "first",
    "integer": 10,
    "number": 0.5,
    "object": {"title": "Hello"},
}


@pytest.fixture
def key(stack: Stack) -> str:
    key = new_name("defined").replace(" ", "-")
    stack.inside(inside.create_flag, project=PROJECT, key=key, on=[])
    return key


@pytest.fixture
def settings_page(page: Page, key: str) -> Page:
    page.goto(flag_page(key, "settings"))
    return page


def test_the_key_is_proposed_from_the_name_until_one_is_typed(page: Page) -> None:
    page.goto(FLAGS)
    page.get_by_role("link", name="New flag").click()
    page.get_by_label("Name", exact=True).press_sequentially("Déjà vu: 2nd Try!")
    expect(page.get_by_label("Key", exact=True)).to_have_value("deja-vu-2nd-try")
    page.get_by_label("Key", exact=True).fill("deja-vu")
    page.get_by_label("Name", exact=True).press("End")
    page.get_by_label("Name", exact=True).press_sequentially(" Again")
    expect(page.get_by_label("Key", exact=True)).to_have_value("deja-vu")
    button(page, "Create flag").click()
    expect(page.get_by_role("heading", name="Déjà vu: 2nd Try! Again")).to_be_visible()
    expect(notices_of(page)).to_contain_text("created, off in every environment.")
    expect(page.locator("#flag-key")).to_have_text("deja-vu")


@pytest.mark.parametrize("value_type", FIRST_VALUES)
def test_a_flag_of_each_type_can_be_created_and_asked_for(
    page: Page, value_type: str, applications: dict[str, Application]
) -> None:
    name = new_name(f"Of type {value_type}")
    page.goto(f"{FLAGS}new")
    page.get_by_label("Name", exact=True).fill(name)
    choose(page.get_by_label("Value type"), value_type)
    wanted: Any = FIRST_VALUES[value_type]
    proposed = wanted if value_type == "string" else json.dumps(wanted)
    expect(page.get_by_label("Value of variant 1")).to_have_value(proposed)
    button(page, "Create flag").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    key = page.locator("#flag-key").inner_text()
    page.goto(f"{FLAGS}?search={key}")
    switch_of(page, name).click()
    expect(switch_of(page, name)).to_have_attribute("aria-checked", "true")
    wait_until(lambda: applications["development"].value_of(key) == wanted)


def test_a_value_that_is_none_is_named_and_nothing_typed_is_lost(
    page: Page, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    page.goto(f"{FLAGS}new")
    page.get_by_label("Name", exact=True).fill("Half written")
    page.get_by_label("Description", exact=True).fill("Not finished")
    page.get_by_label("Value of variant 2").fill("perhaps")
    button(page, "Create flag").click()
    expect(page.get_by_role("alert")).to_contain_text("Write it as JSON")
    expect(page.get_by_label("Key", exact=True)).to_have_value("half-written")
    expect(page.get_by_label("Description", exact=True)).to_have_value("Not finished")
    expect(page.get_by_label("Value of variant 2")).to_have_value("perhaps")


def test_a_key_that_is_taken_is_refused(page: Page, key: str, troubles: Troubles) -> None:
    troubles.expect("status of 422")
    page.goto(f"{FLAGS}new")
    page.get_by_label("Key", exact=True).fill(key)
    button(page, "Create flag").click()
    expect(page.get_by_role("alert")).to_contain_text("There is a flag with this key already")


def test_variants_are_added_and_removed(page: Page) -> None:
    page.goto(f"{FLAGS}new")
    page.get_by_label("Value type").select_option("string")
    expect(page.get_by_label("Key of variant 1")).to_have_value("a")
    button(page, "Variant").click()
    page.get_by_label("Key of variant 3").fill("c")
    button(page, "Remove variant 2").click()
    expect(page.get_by_label("Key of variant 2")).to_have_value("c")
    expect(page.get_by_label("Key of variant 3")).to_have_count(0)
    button(page, "Remove variant 2").click()
    expect(button(page, "Remove variant 1")).to_be_disabled()


def test_an_edit_is_saved_in_every_environment(
    settings_page: Page, key: str, applications: dict[str, Application]
) -> None:
    settings_page.get_by_label("Name", exact=True).fill("Better name")
    settings_page.get_by_label("Value of variant 2").fill("true")
    settings_page.get_by_label("Tags").fill("cart, q4")
    button(settings_page, "Save in every environment").click()
    expect(notices_of(settings_page)).to_contain_text("Saved in every environment.")
    expect(settings_page.get_by_role("heading", name="Better name")).to_be_visible()
    expect(settings_page.get_by_label("Tags")).to_have_value("cart, q4")
    for application in applications.values():
        wait_until(lambda application=application: application.value_of(key) is True)  # type: ignore[misc]


def test_a_variant_in_use_is_not_lost_and_its_environment_is_named(
    settings_page: Page, key: str, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    button(settings_page, "Remove variant 2").click()
    expect(settings_page.get_by_label("Key of variant 2")).to_have_count(0)
    button(settings_page, "Save in every environment").click()
    alert = settings_page.get_by_role("alert")
    expect(alert).to_contain_text("Not saved yet")
    expect(alert).to_contain_text("development")


def test_two_people_edit_the_settings_at_once(
    settings_page: Page, key: str, dana: Visitor, troubles: Troubles
) -> None:
    troubles.expect("status of 409")
    dana.edit_flag(key, version="1", name="Name by Dana")
    settings_page.get_by_label("Name", exact=True).fill("Name by Alice")
    button(settings_page, "Save in every environment").click()
    alert = settings_page.get_by_role("alert")
    expect(alert).to_contain_text("Name: Name by Alice instead of Name by Dana.")
    expect(settings_page.get_by_label("Name", exact=True)).to_have_value("Name by Alice")
    settings_page.reload()
    expect(settings_page.get_by_label("Name", exact=True)).to_have_value("Name by Dana")


def test_an_archived_flag_is_not_found_until_it_is_restored(
    page: Page, key: str, admin: Visitor, applications: dict[str, Application]
) -> None:
    development = applications["development"]
    admin.switch(key, "development", on=True)
    page.goto(flag_page(key))
    button(page, "Archive").click()
    expect(dialog_of(page)).to_contain_text("Development: still on")
    page.get_by_label("Reason").fill("Nobody needs it")
    dialog_of(page).get_by_role("button", name="Archive").click()
    expect(notices_of(page)).to_contain_text(f"{key} is archived.")
    expect(page.get_by_role("link", name=key, exact=True)).to_have_count(0)
    wait_until(lambda: development.ask(key).status_code == 404)

    page.get_by_label("Archived or not").select_option("1")
    page.get_by_role("link", name=key, exact=True).click()
    expect(page.get_by_role("switch")).to_have_attribute("aria-disabled", "true")
    button(page, "Restore").click()
    expect(notices_of(page)).to_contain_text(f"{key} is restored.")
    wait_until(lambda: development.value_of(key) is True)


def test_leaving_a_half_written_form_asks_first(page: Page) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(f"{FLAGS}new")
    page.get_by_label("Name", exact=True).press_sequentially("Half")
    page.close(run_before_unload=True)
    wait_in(page, lambda: asked, "the question")
    assert asked == ["beforeunload"]
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half")
