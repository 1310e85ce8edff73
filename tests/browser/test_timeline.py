"""Letting a share rise by itself, seen by the people and by the program that asks."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import button, dialog_of, flag_page, new_name
from tests.browser.visitors import Application, Visitor

pytestmark = pytest.mark.browser
RULE = {
    "id": "r-1",
    "name": "Everybody",
    "when": {"all": []},
    "audience": {"percent": 0.5},
    "serve": {"variant": "on"},
}
PEOPLE = [f"person-{number}" for number in range(40)]


def _lucky(application: Application, key: str) -> set[str]:
    return {who for who in PEOPLE if application.value_of(key, targetingKey=who) is True}


def test_a_ramp__rises_while_people_look_and_only_ever_adds_users(
    open_window: OpenWindow,
    admin: Visitor,
    dana: Visitor,
    applications: dict[str, Application],
) -> None:
    title = new_name("New search")
    key = title.lower().replace(" ", "-")
    admin.create_flag(key, title)
    admin.save_targeting(key, "development", rules=[RULE], fallthrough={"variant": "off"})
    page = open_window(dana)
    page.goto(flag_page(key, "timeline/development"))
    expect(page.get_by_text("Nothing is planned")).to_be_visible()
    before = _lucky(applications["development"], key)
    button(page, "Ramp up").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Step 1: share in percent").fill("60")
    page.get_by_label("Step 2: share in percent").fill("80")
    page.get_by_label("Step 3: share in percent").fill("90")
    expect(dialog_of(page).get_by_text("60 % after 0 minutes")).to_be_visible()
    button(page, "Plan it").click()
    bar = page.get_by_role("progressbar", name="Share now")
    expect(bar).to_have_attribute("aria-valuenow", "60.000")
    expect(page.get_by_text("Step 2 of 4: 80 %. It ends at 100 %.")).to_be_visible()
    after = _lucky(applications["development"], key)
    assert before < after < set(PEOPLE)
    button(page, "Pause").click()
    dialog_of(page).get_by_label("Reason").fill("Let us look at it first")
    dialog_of(page).get_by_role("button", name="Pause").click()
    expect(button(page, "Resume")).to_be_enabled()
    expect(page.get_by_text("paused a ramp of")).to_be_visible()
