"""A release seen by the people who watch it: it moves, is taken back, and nobody reloads."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import button, choose, dialog_of, hold, new_name, settle, wait_in
from tests.browser.troubles import Troubles
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support import seeded_releases
from tests.support.stack import Stack

pytestmark = pytest.mark.browser
# An evaluator tells every two seconds, the worker takes over every five, as often as it looks.
MOST_S = 60


@pytest.fixture
def service(stack: Stack) -> str:
    """Routed by a flag in development, and taken back if more than 5 % of its requests fail."""
    name = new_name("till").replace(" ", "-")
    stack.inside(seeded_releases.routed_service, project=PROJECT, key=name, place="development")
    return name


def plan(page: Page, service: str, version: str) -> None:
    """Fill in the page of a new release, and start it."""
    page.goto(f"/p/{PROJECT}/releases/new?service={service}&environment=development")
    page.get_by_label("Version", exact=True).fill(version)
    page.get_by_label("Digest").fill(f"sha256:{version.replace('.', ''):0>64}")
    page.get_by_label("Reason").fill("Faster search")
    expect(page.get_by_text("It takes at least")).to_be_visible()
    button(page, "Start").click()
    expect(page.get_by_role("heading", name=f"{service} {version}")).to_be_visible()


def promote_fully(page: Page) -> None:
    button(page, "Promote to everybody").click()
    dialog_of(page).get_by_label("Reason").fill("It is only development")
    dialog_of(page).get_by_role("button", name="Promote to everybody").click()
    expect(page.locator("#share-new")).to_have_text("100 %")
    button(page, "Promote").click()
    dialog_of(page).get_by_role("button", name="Promote").click()
    expect(page.locator("#release-outcome")).to_contain_text("Succeeded, promoted early.")


def test_a_canary__is_promoted__and_the_next_is_taken_back_by_its_errors_while_people_look(
    open_window: OpenWindow,
    stack: Stack,
    admin: Visitor,
    bob: Visitor,
    tokens: dict[str, str],
    applications: dict[str, Application],
    service: str,
) -> None:
    page, onlooker = open_window(admin), open_window(bob)
    plan(page, service, "1.0")
    expect(page.locator("#share-new")).to_have_text("5 %")
    onlooker.goto(page.url)
    promote_fully(page)
    expect(onlooker.locator("#release-outcome")).to_contain_text("Succeeded")

    plan(page, service, "2.0")
    onlooker.goto(page.url)
    expect(onlooker.locator("#share-new")).to_have_text("5 %")
    expect(button(onlooker, "Roll back")).to_be_disabled()  # Bob reads why
    expect(
        onlooker.get_by_text("This needs the permission “roll releases back”").first
    ).to_be_visible()
    marked = "document.querySelector('#release-charts').dataset.here = 'yes'"
    onlooker.evaluate(marked)

    def report() -> None:
        failing = {"service": service, "version": "2.0", "count": 300, "errors": 60}
        good = {"service": service, "version": "1.0", "count": 300, "errors": 1}
        sent = httpx.post(
            f"{stack.evaluator_url}/api/v1/telemetry",
            json={"outcomes": [failing, good]},
            headers={"Authorization": f"Bearer {tokens['development']}"},
        )
        assert sent.status_code == 202, sent.text

    outcome = onlooker.locator("#release-outcome")
    for _second in range(MOST_S):  # what falls into the ten seconds of the start does not count
        report()
        onlooker.wait_for_timeout(1_000)
        if outcome.count():
            break
    expect(outcome).to_contain_text("Rolled back by the check “errors”")
    expect(outcome).to_contain_text("20 % errors")
    expect(onlooker.get_by_role("status").first).to_contain_text("rolled back: Rolled back by the")
    expect(onlooker.locator("#share-new")).to_have_text("0 %")
    expect(onlooker.locator("#release-charts canvas")).to_have_count(3)
    expect(onlooker.locator("#release-charts[data-here]")).to_have_count(1)  # nobody reloaded
    onlooker.get_by_text("The numbers as a table: Errors").click()
    expect(
        onlooker.locator("#release-charts tbody td", has_text=re.compile("^20$")).first
    ).to_be_visible()


def test_a_release__is_taken_back_on_a_phone_by_keyboard_alone(
    open_window: OpenWindow, admin: Visitor, service: str
) -> None:
    page = open_window(admin, viewport={"width": 390, "height": 844})
    plan(page, service, "3.0")
    page.locator("#command-pause").focus()
    page.keyboard.press("Enter")
    expect(dialog_of(page).get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#release-holds")).to_contain_text("It is paused.")
    expect(page.locator("#main")).to_be_focused()  # the button cannot be pressed any more
    before = page.locator("#command-rollback")
    before.focus()
    page.keyboard.press("Enter")
    expect(dialog_of(page).get_by_label("Reason")).to_be_focused()
    page.keyboard.type("Customers complain")
    page.keyboard.press("Enter")
    expect(page.locator("#release-outcome")).to_contain_text("Rolled back by admin")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#main")).to_be_focused()  # the button is gone with what it did


def test_a_form_of_rows__by_keyboard__keeps_the_focus_and_is_saved_by_enter(
    open_window: OpenWindow, admin: Visitor
) -> None:
    page, name = open_window(admin), new_name("Slow")
    page.goto(f"/p/{PROJECT}/releases/templates/new")
    shares = page.get_by_label("Share (%)", exact=True)
    page.get_by_label("Name", exact=True).fill(name)
    button(page, "Remove step 2").focus()
    page.keyboard.press("Enter")
    expect(shares).to_have_count(3)
    expect(button(page, "Add step")).to_be_focused()
    shares.first.press("Enter")
    expect(page.get_by_text(f"Saved the plan template {name}")).to_be_visible()
    expect(page.get_by_text("Canary: 5 %, 50 %, 100 %.").first).to_be_visible()


def test_the_form_of_a_release__loses_nothing_when_it_is_drawn_anew(
    open_window: OpenWindow, admin: Visitor, service: str
) -> None:
    page = open_window(admin)
    page.goto(f"/p/{PROJECT}/releases/new?service={service}&environment=development")
    held = hold(page, "**/releases/new")
    page.get_by_label("Version", exact=True).fill("2.0")
    # Whether the version is known is asked for.
    page.get_by_label("Digest").fill(f"sha256:{20:064}")
    page.get_by_label("What matters most?").select_option(label="No downtime is allowed")
    wait_in(page, lambda: len(held) == 2, "both requests")
    held[0].continue_()  # its answer knows nothing yet of what was chosen
    wait_in(page, lambda: len(held) == 3, "what was chosen is asked for again")
    for request in held[1:]:
        request.continue_()
    settle(page)
    page.unroute("**/releases/new")
    page.get_by_label("Reason").fill("Half a sentence")
    page.get_by_label("Share (%)").first.fill("2.5")
    choose(page.get_by_label("More exactly?"), "Traffic is medium")
    expect(page.locator("#advice")).to_contain_text("Advised: canary")
    button(page, "Add step").click()
    expect(page.get_by_label("Share (%)", exact=True)).to_have_count(5)
    expect(page.get_by_label("Share (%)").first).to_have_value("2.5")
    expect(page.get_by_label("Reason")).to_have_value("Half a sentence")


def test_a_check__is_tried_on_past_releases_before_it_is_saved__and_its_difference_is_drawn(
    open_window: OpenWindow, admin: Visitor, harbour: None
) -> None:
    page = open_window(admin)
    page.goto("/p/harbour/service/payment/setup/production")
    button(page, "Add check").click()
    page.get_by_label("What it measures").select_option(label="Error rate against the baseline")
    expect(page.get_by_label("Threshold", exact=True)).to_be_hidden()
    button(page, "Backtest check 1").click()
    said = page.locator("#backtest-0")
    expect(said).to_contain_text("It would have failed at 1 of 1 releases")
    expect(said).to_contain_text("worse than the baseline")
    expect(button(page, "Save")).to_be_enabled()
    said.get_by_role("link", name="payment 1.4.2").click()
    expect(page.locator("#release-charts canvas")).to_have_count(4)
    page.get_by_text("The numbers as a table: Difference to the baseline").click()
    table = page.get_by_role("region", name="Difference to the baseline").get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Time", "difference", "at least (one-sided bound)"]
    )
    expect(table.get_by_role("row")).to_have_count(61)


_PRESS_AS_SOON_AS_IT_IS_THERE = """() => {
  new MutationObserver((_, watching) => {
    if (!document.querySelector(".check-row")) return;
    watching.disconnect();
    document.querySelector("#release-policy [type=submit]").click();
  }).observe(document.body, { childList: true, subtree: true });
}"""


def test_what_has_just_been_drawn_works_at_once(
    open_window: OpenWindow, admin: Visitor, troubles: Troubles
) -> None:
    """A form without its scripts would be sent by the browser itself, and what is in it lost."""
    page = open_window(admin)
    page.goto(f"/p/{PROJECT}/releases/policies/new")
    page.evaluate(_PRESS_AS_SOON_AS_IT_IS_THERE)
    troubles.expect("the server responded with a status of 422")
    button(page, "Add check").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
