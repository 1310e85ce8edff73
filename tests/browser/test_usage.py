"""How often a flag is asked for: an application asks, a person looks at the chart and its table."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import new_name
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

# An evaluator tells every two seconds, the worker takes over every five, the page asks every ten.


def numbers(page: Page, name: str) -> Locator:
    """The cells of a column that are not zero."""
    headers = page.locator("#usage-table thead th").all_text_contents()
    place = headers.index(name) + 1
    return page.locator(f"#usage-table tbody td:nth-child({place}):not([data-value='0'])")


def test_what_an_application_asks_for__shows_in_the_chart_and_in_its_table(
    open_window: OpenWindow,
    admin: Visitor,
    applications: dict[str, Application],
) -> None:
    key = new_name("counted").replace(" ", "-")
    admin.create_flag(key)
    page = open_window(admin)
    page.goto(f"/p/{PROJECT}/flag/usage/{key}?environment=staging&period=hour")
    expect(page.get_by_text("Not evaluated in this time.")).to_be_visible()
    expect(page.get_by_text("Never evaluated")).to_be_visible()
    page.get_by_text("The numbers as a table").click()

    wait_until(lambda: applications["staging"].value_of(key) is False)
    expect(page.get_by_text(re.compile(r"Evaluated (once|\d+ times)\."))).to_be_visible()
    expect(page.locator("#usage canvas")).to_have_count(1)
    expect(numbers(page, "off")).not_to_have_count(0)  # the table stayed unfolded
    expect(numbers(page, "on")).to_have_count(0)

    page.get_by_role("link", name="By reason").click()
    expect(page).to_have_url(re.compile("environment=staging&period=hour&by=reason"))
    page.get_by_text("The numbers as a table").click()
    expect(numbers(page, "DISABLED")).not_to_have_count(0)

    page.goto(f"/p/{PROJECT}/flags/?search={key}")
    expect(page.get_by_role("link", name=re.compile("was evaluated"))).to_be_visible()
