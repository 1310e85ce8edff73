"""Planning a freeze, and what it does to everybody else."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.acts import FREEZES, fill_freeze
from tests.browser.conftest import OpenWindow
from tests.browser.finding import FLAGS, button, dialog_of, new_name, switch_of
from tests.browser.visitors import Visitor
from tests.support.freezing import clock_text

pytestmark = pytest.mark.browser


def test_a_weekly_freeze__stops_dana_with_its_name_until_it_is_cancelled(
    open_window: OpenWindow,
    admin: Visitor,
    dana: Visitor,
) -> None:
    page = open_window(admin, color_scheme="light", reduced_motion="reduce")
    name, title = new_name("Weekend"), new_name("Winter sale")
    admin.create_flag(title.lower().replace(" ", "-"), title)
    today = datetime.now(UTC).replace(hour=12, minute=0)
    starts, ends = (clock_text(today + timedelta(days=days)) for days in (-2, 2))
    page.goto(FREEZES)
    fill_freeze(page, name, starts, ends)
    expect(dialog_of(page).get_by_role("listitem")).to_have_count(5)
    expect(dialog_of(page).get_by_text("The clocks there are changed on")).to_be_visible()
    button(page, "Create freeze").click()
    banner = page.get_by_text(f"Staging is frozen by “{name}” until")
    try:
        expect(banner).to_be_visible()
        assert axe.violations(page) == []
        page.emulate_media(color_scheme="dark")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        assert axe.violations(page, axe.OF_THE_THEME) == []
        _is_refused(open_window(dana), title, name)
    finally:
        page.goto(FREEZES)
        button(page, f"Cancel {name}").click()
        button(page, "Cancel freeze").click()
        expect(banner).to_be_hidden()
    danas = open_window(dana)
    danas.goto(f"{FLAGS}?search={title}")
    switch_of(danas, title, "Staging").click()
    expect(switch_of(danas, title, "Staging")).to_be_checked()


def _is_refused(window: Page, title: str, name: str) -> None:
    window.goto(f"{FLAGS}?search={title}")
    switch_of(window, title, "Staging").click()
    dialog = dialog_of(window)
    expect(dialog).to_contain_text(f"Staging is frozen by “{name}” until")
    refused = dialog.get_by_role("button", name="Turn on in Staging")
    expect(refused).to_be_disabled()
    expect(refused).to_have_accessible_description(re.compile("It cannot be done before"))
    expect(switch_of(window, title, "Staging")).not_to_be_checked()
