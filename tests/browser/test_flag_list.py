"""The list of flags: finding them, and turning them on and off."""

import os
import re
import signal
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.finding import (
    FLAGS,
    button,
    dialog_of,
    flag_page,
    hold,
    new_name,
    notices_of,
    settle,
    switch_of,
    wait_in,
)
from tests.browser.test_signing_in import sign_in
from tests.browser.troubles import Troubles
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support import inside
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

SEARCH = "Search flags"


@pytest.fixture
def key(stack: Stack) -> str:
    """A boolean flag of the test's own, off everywhere; its key is also its title."""
    key = new_name("list").replace(" ", "-")
    stack.inside(inside.create_flag, project=PROJECT, key=key, on=[])
    return key


@pytest.fixture
def flags(page: Page, key: str) -> Page:
    """The list, narrowed to that flag."""
    page.goto(f"{FLAGS}?search={key}")
    return page


def test_the_search_narrows_the_list_and_stands_in_the_address(page: Page, stack: Stack) -> None:
    page.goto(FLAGS)
    page.get_by_label(SEARCH).fill("sh")
    expect(page).to_have_url(re.compile(r"\?search=sh&"))
    page.get_by_label(SEARCH).fill("shipping")
    expect(page.get_by_role("link", name="Free shipping from")).to_be_visible()
    expect(page.get_by_role("link", name="Search ranking")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?search=shipping"))
    page.reload()
    expect(page.get_by_label(SEARCH)).to_have_value("shipping")
    expect(page.get_by_role("link", name="Search ranking")).to_have_count(0)
    page.get_by_label(SEARCH).press("Enter")
    expect(page).to_have_url(re.compile(r"\?search=shipping"))
    page.go_back()  # once, however often the list was drawn on the way
    expect(page.get_by_role("link", name="Search ranking")).to_be_visible()
    expect(page.get_by_label(SEARCH)).to_have_value("")


def test_filters_add_up_and_stand_in_the_address(page: Page) -> None:
    page.goto(FLAGS)
    page.get_by_label("Kind", exact=True).select_option("operational")
    expect(page.get_by_role("link", name="Free shipping from")).to_be_visible()
    expect(page.get_by_role("link", name="New checkout")).to_have_count(0)
    page.locator("summary", has_text="Tags").click()
    page.get_by_label("checkout", exact=True).check()
    expect(page.get_by_role("link", name="Recommendation weight")).to_have_count(0)
    expect(page.get_by_role("link", name="Free shipping from")).to_be_visible()
    expect(page).to_have_url(re.compile(r"kind=operational&tag=checkout"))


def test_ticked_flags__stay_ticked_while_the_list_changes_and_are_done_together(
    flags: Page, key: str, dana: Visitor, applications: dict[str, Application]
) -> None:
    bar = flags.get_by_label("What to do with the selected flags")
    expect(bar).to_be_hidden()
    flags.get_by_label(f"Select {key}").check()
    expect(bar).to_be_visible()
    dana.switch(key, "staging", on=True)
    expect(switch_of(flags, key, "Staging")).to_have_attribute("aria-checked", "true")
    expect(flags.get_by_label(f"Select {key}")).to_be_checked()
    bar.select_option("turn_on:production")
    button(flags, "Continue").click()
    expect(dialog_of(flags)).to_contain_text(f"{key} off now; everyone gets “on”")
    flags.get_by_label("Type production to confirm").fill("production")
    dialog_of(flags).get_by_role("button", name="Turn on", exact=True).click()
    expect(dialog_of(flags)).to_contain_text("Done: 1 flag")
    wait_until(lambda: applications["production"].value_of(key) is True)
    button(flags, "Close").last.click()
    expect(flags.get_by_label(f"Select {key}")).not_to_be_checked()
    expect(bar).to_be_hidden()
    expect(switch_of(flags, key, "Production")).to_have_attribute("aria-checked", "true")


def test_a_star__stays_and_narrows_the_list(flags: Page, key: str) -> None:
    star = flags.get_by_role("button", name=f"Favourite: {key}")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    flags.goto(f"{FLAGS}?favourite=1&search={key}")
    expect(star).to_be_visible()


def test_slash_leads_to_the_search(page: Page) -> None:
    page.goto(FLAGS)
    page.keyboard.press("/")
    expect(page.get_by_label(SEARCH)).to_be_focused()
    page.keyboard.type("a/b")
    expect(page.get_by_label(SEARCH)).to_have_value("a/b")


def test_development_takes_one_click_and_can_be_undone(
    flags: Page, key: str, applications: dict[str, Application]
) -> None:
    development = applications["development"]
    switch_of(flags, key).click()
    expect(notices_of(flags)).to_contain_text(f"{key} is on in Development.")
    wait_until(lambda: development.value_of(key) is True)
    button(flags, "Undo").click()
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "false")
    wait_until(lambda: development.value_of(key) is False)


def test_turning_on_in_production_takes_its_name(
    flags: Page, key: str, troubles: Troubles, applications: dict[str, Application]
) -> None:
    troubles.expect("status of 422")
    switch = switch_of(flags, key, "Production")
    switch.click()
    expect(dialog_of(flags)).to_contain_text("everyone gets “on”")
    flags.get_by_label("Type production to confirm").fill("staging")
    flags.get_by_label("Reason").fill("The launch")
    button(flags, "Turn on in Production").click()
    expect(dialog_of(flags)).to_contain_text("That is not production. Nothing was changed.")
    expect(flags.get_by_label("Reason")).to_have_value("The launch")
    assert applications["production"].value_of(key) is False

    flags.get_by_label("Type production to confirm").fill("production")
    button(flags, "Turn on in Production").click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(dialog_of(flags)).to_have_count(0)
    wait_until(lambda: applications["production"].value_of(key) is True)

    flags.goto(flag_page(key, "history"))
    line = flags.get_by_role("article").first
    expect(line).to_contain_text("admin turned on")
    expect(line).to_contain_text("production")
    expect(line).to_contain_text("Reason: The launch")


def test_turning_off_in_production_takes_two_clicks(
    flags: Page, key: str, admin: Visitor, applications: dict[str, Application]
) -> None:
    admin.switch(key, "production", on=True)
    flags.reload()
    switch_of(flags, key, "Production").click()
    expect(flags.get_by_label("Reason")).to_be_focused()
    button(flags, "Turn off in Production").click()
    expect(switch_of(flags, key, "Production")).to_have_attribute("aria-checked", "false")
    wait_until(lambda: applications["production"].value_of(key) is False)


def test_someone_turned_it_off_while_alice_was_confirming(
    flags: Page, key: str, dana: Visitor, troubles: Troubles
) -> None:
    """Turning on serves whatever the targeting says: what it is now is shown first."""
    troubles.expect("status of 409")
    switch_of(flags, key, "Production").click()
    flags.get_by_label("Type production to confirm").fill("production")
    dana.switch(key, "production", on=True)
    dana.switch(key, "production", on=False)
    button(flags, "Turn on in Production").click()
    expect(dialog_of(flags).get_by_role("alert")).to_contain_text("dana changed this flag")
    expect(switch_of(flags, key, "Production")).to_have_attribute("aria-checked", "false")


def test_what_somebody_else_changes_shows_without_reload(
    flags: Page, key: str, dana: Visitor
) -> None:
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "false")
    dana.switch(key, "development", on=True)
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "true")


def test_the_list_stays_as_it_is_while_a_dialog_is_open(
    page: Page, key: str, dana: Visitor
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.goto(f"{FLAGS}?search={key}")
    switch_of(page, key, "Production").click()
    expect(dialog_of(page)).to_be_visible()
    dana.switch(key, "development", on=True)
    asked.clear()
    page.clock.run_for(7_000)
    assert not asked
    page.keyboard.press("Escape")
    page.clock.run_for(2_100)
    expect(switch_of(page, key)).to_have_attribute("aria-checked", "true")


def test_a_click_is_answered_although_the_list_changes_meanwhile(
    flags: Page, key: str, dana: Visitor
) -> None:
    """The refresh was asked for before the click, and its answer comes before the click's."""
    refreshes = hold(flags, "**/flags/?*seen=*")
    clicks = hold(flags, "**/flag/switch/production/**")
    dana.switch(key, "development", on=True)
    wait_in(flags, lambda: refreshes, "the refresh")
    switch_of(flags, key, "Production").click()
    wait_in(flags, lambda: clicks, "the click")
    with flags.expect_response("**/flags/?*seen=*"):
        refreshes.pop().continue_()
    clicks.pop().continue_()
    expect(dialog_of(flags)).to_contain_text(f"Turn on {key} in Production")

    flags.unroute_all()
    flags.keyboard.press("Escape")
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "true")


def test_toggling_back_and_forth_leaves_one_notice_for_each_switch(flags: Page, key: str) -> None:
    for state in ("true", "false", "true"):
        switch_of(flags, key).click()
        expect(switch_of(flags, key)).to_have_attribute("aria-checked", state)
    switch_of(flags, key, "Staging").click()
    expect(switch_of(flags, key, "Staging")).to_have_attribute("aria-checked", "true")
    expect(notices_of(flags)).to_contain_text(["is on in Development", "is on in Staging"])


def test_a_notice_goes_by_itself_but_not_while_it_is_read(page: Page, key: str) -> None:
    page.clock.install()
    page.goto(f"{FLAGS}?search={key}")
    switch_of(page, key).click()
    notices_of(page).hover()
    page.clock.run_for(11_000)
    expect(notices_of(page)).to_be_visible()
    page.get_by_label(SEARCH).hover()
    page.clock.run_for(11_000)
    expect(notices_of(page)).to_have_count(0)


def test_no_answer_from_the_server_is_said_and_nothing_changes(
    flags: Page, key: str, troubles: Troubles
) -> None:
    troubles.expect("ERR_INTERNET_DISCONNECTED")
    troubles.expect("htmx:")
    flags.context.set_offline(True)
    switch_of(flags, key).click()
    expect(notices_of(flags)).to_contain_text("The server does not answer. Nothing was saved")
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "false")
    flags.context.set_offline(False)
    switch_of(flags, key).click()
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "true")


def test_a_session_that_ended_is_said_once_and_leads_to_signing_in(
    flags: Page, key: str, troubles: Troubles, stack: Stack
) -> None:
    troubles.expect("status of 401")
    flags.context.clear_cookies(name="aviary_session")
    switch_of(flags, key).click()
    expect(notices_of(flags)).to_contain_text("You are signed out. Nothing was saved.")
    with flags.expect_response(lambda answer: answer.status == 401):
        switch_of(flags, key).click()
    expect(notices_of(flags)).to_have_count(1)
    expect(switch_of(flags, key)).to_have_attribute("aria-checked", "false")
    flags.get_by_role("link", name="Sign in").click()
    sign_in(flags, "admin", stack.admin_password)
    expect(switch_of(flags, key)).to_be_visible()
    expect(flags).to_have_url(f"{stack.portal_url}{FLAGS}?search={key}")


def test_the_keyboard_alone_is_enough_and_keeps_its_place(flags: Page, key: str) -> None:
    flags.get_by_label(SEARCH).focus()
    for _press in range(20):
        flags.keyboard.press("Tab")
        if flags.evaluate("document.activeElement.role") == "switch":
            break
    expect(switch_of(flags, key)).to_be_focused()
    for state in ("true", "false"):
        flags.keyboard.press("Space")
        expect(switch_of(flags, key)).to_have_attribute("aria-checked", state)
        settle(flags)
        expect(switch_of(flags, key)).to_be_focused()


def test_escape_closes_the_dialog_and_the_focus_returns(flags: Page, key: str) -> None:
    switch_of(flags, key, "Production").focus()
    flags.keyboard.press("Enter")
    expect(flags.get_by_label("Type production to confirm")).to_be_focused()
    flags.keyboard.press("Escape")
    expect(dialog_of(flags)).to_have_count(0)
    expect(switch_of(flags, key, "Production")).to_be_focused()


def test_the_focus_returns_to_the_switch_that_a_dialog_confirmed(flags: Page, key: str) -> None:
    switch_of(flags, key, "Production").focus()
    flags.keyboard.press("Space")
    flags.get_by_label("Type production to confirm").fill("production")
    flags.keyboard.press("Enter")
    expect(switch_of(flags, key, "Production")).to_have_attribute("aria-checked", "true")
    expect(switch_of(flags, key, "Production")).to_be_focused()


def test_the_chosen_theme_stays(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(FLAGS)
    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(html).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Theme: dark").click()
    expect(html).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_toggle_that_is_not_live_says_so_until_it_is(
    flags: Page, key: str, stack: Stack, theme: Literal["light", "dark"]
) -> None:
    flags.emulate_media(color_scheme=theme, reduced_motion="reduce")
    evaluator = stack.pid_of("flags.evaluator")
    mark = flags.locator(".flag-table .arrival")
    os.kill(evaluator, signal.SIGSTOP)
    try:
        switch_of(flags, key, "Development").click()
        expect(notices_of(flags)).to_contain_text("Saved, not yet live: 1 of 1 evaluator behind")
        said = mark.inner_text()
        expect(mark).not_to_have_text(said)  # it counts, and the row stays where it is
        expect(switch_of(flags, key, "Development")).to_be_visible()
        for width in (1440, 390):
            flags.set_viewport_size({"width": width, "height": 900})
            assert axe.violations(flags) == []
            assert flags.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        os.kill(evaluator, signal.SIGCONT)
    expect(mark).to_have_count(0)
    expect(switch_of(flags, key, "Development")).to_have_attribute("aria-checked", "true")
