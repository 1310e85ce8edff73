"""How a person reaches what is to be seen: places are opened, acts are done there."""

import json
from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias
from urllib.parse import quote

from playwright.sync_api import Page, expect

from portal.lib import clock
from tests.browser import bank
from tests.browser.finding import choose, settle
from tests.browser.visitors import PROJECT

FREEZES = f"/p/{PROJECT}/freezes/"
SUMMER = ("2090-06-02T16:00", "2090-06-05T08:00")
DIALOG: Final = "dialog"
Act: TypeAlias = Callable[[Page], None]


# Equal places are one object each: scenes of the same place are looked at in one visit.
@cache
def at(path: str) -> Act:
    """A page that is opened by its address."""

    def open_page(page: Page) -> None:
        page.goto(path)

    return open_page


@cache
def change(flag: str) -> Act:
    """The request to turn on a flag of the bank, with everything unfolded."""

    def open_page(page: Page) -> None:
        page.goto(f"{bank.CHANGES}?subject={flag.replace(' ', '-').lower()}")
        page.get_by_role("link", name=f"Turn on {flag} in Production").last.click()
        expect(page.get_by_role("heading", name="What happened", exact=True)).to_be_visible()
        for summary in page.locator("summary").all():
            summary.click()

    return open_page


def freezes(page: Page) -> None:
    """The calendar of a month with freezes in it."""
    page.goto(FREEZES)
    if not page.get_by_role("button", name="Edit Summer").count():
        fill_freeze(page, "Summer", *SUMMER)
        page.get_by_role("button", name="Create freeze").click()
        expect(page.get_by_role("button", name="Edit Summer")).to_be_visible()
    page.goto(f"{FREEZES}?month=2090-06")


def looked_up(page: Page) -> None:
    """By its address, as somebody passed it on."""
    asked = [
        ["flag", "new-checkout"],
        ["unit", "user-42"],
        ["at", f"{clock.now():%Y-%m-%dT%H:%M:%S}"],
    ]
    page.goto(f"/p/{PROJECT}/past/#ask={quote(json.dumps(asked))}")
    expect(page.get_by_role("heading", name="Changed by")).to_be_visible()


def press(button: str) -> Act:
    """A dialog that a button opens."""

    def act(page: Page) -> None:
        page.get_by_role("button", name=button, exact=True).first.click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return act


def switch(title: str) -> Act:
    """The dialog behind a switch of the list in production."""

    def act(page: Page) -> None:
        page.get_by_role("switch", name=f"{title}, Production", exact=True).click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return act


def keys_to_add(page: Page) -> None:
    """The dialog that says what the keys would change."""
    page.get_by_text("Add, remove or replace keys: Always in").click()
    page.get_by_label("Keys, one per line").first.fill("carol\nbob")
    page.get_by_role("button", name="See what would change").first.click()
    expect(page.get_by_role(DIALOG)).to_be_visible()


def wrong_name(page: Page) -> None:
    switch("Home page banner")(page)
    page.get_by_label("Type production to confirm").fill("staging")
    page.get_by_role("button", name="Turn on in Production").click()
    expect(page.get_by_text("That is not production")).to_be_visible()


def wrong_password(page: Page) -> None:
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def wrong_address(page: Page) -> None:
    page.get_by_label("E-mail address").fill("me@nowhere")
    page.locator("form[action='/account/email']").get_by_role("button").click()
    expect(page.get_by_text("This is not an e-mail address.")).to_be_visible()


def wrong_code(page: Page) -> None:
    page.get_by_label("Code", exact=True).fill("no")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Incorrect code")).to_be_visible()


def editor_with_errors(page: Page) -> None:
    page.get_by_label("Roll out to").first.fill("101")
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_label("Name of rule 3")).to_be_visible()
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role("alert")).to_be_visible()


def review(page: Page) -> None:
    page.get_by_label("Name of rule 1").fill("Everybody who works here")
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role(DIALOG)).to_be_visible()


def every_condition(page: Page) -> None:
    """The editor with a condition of each kind, and a flag that it depends on."""
    for part in ("Segment", "Other flag", "Group", "JsonLogic"):
        page.get_by_role("button", name=part, exact=True).first.click()
        settle(page)
    choose(page.get_by_label("Operator").first, "is before")
    page.get_by_role("button", name="Add flag").click()
    expect(page.get_by_label("flag", exact=True).first).to_be_focused()


def explained(page: Page) -> None:
    page.locator("#sample").get_by_label("country").fill("DE")
    expect(page.locator("#tried")).to_contain_text('(it is "DE")')


def conflict(page: Page) -> None:
    """Saving from a version that is no longer the newest."""
    choose(page.get_by_label("What they get").last, "off")
    page.locator("#targeting-version").evaluate("input => input.value = '0'")
    page.get_by_role("button", name="Review and save").click()
    page.get_by_role("button", name="Save in Development").click()
    expect(page.get_by_text("Two people edited this at once")).to_be_visible()


def flag_with_errors(page: Page) -> None:
    page.get_by_label("Value of variant 1").fill("maybe")
    page.get_by_role("button", name="Create flag").click()
    expect(page.get_by_role("alert")).to_be_visible()


def notice(page: Page) -> None:
    page.get_by_role("switch", name="Search ranking, Development", exact=True).click()
    expect(page.get_by_text("Search ranking is")).to_be_visible()


def usage(page: Page) -> None:
    """The chart with its table unfolded."""
    expect(page.locator("#usage canvas")).to_be_visible()
    page.get_by_text("The numbers as a table").click()


def explained_everywhere(page: Page) -> None:
    page.get_by_label("Targeting key").fill("user-42")
    page.get_by_label("Attributes").fill("country = DE")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#answers section").first).to_be_visible()


def unknown(page: Page) -> None:
    page.get_by_role("link", name="Unknown flags").click()
    expect(page.get_by_role("heading", name="Unknown flags")).to_be_visible()


def more_filters(page: Page) -> None:
    page.locator("summary", has_text="More").click()


def many(page: Page) -> None:
    page.get_by_label("Select Search ranking").check()
    page.get_by_label("Select Home page banner").check()
    page.get_by_label("What to do with the selected flags").select_option("turn_on:production")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role(DIALOG)).to_be_visible()


def open_record(page: Page) -> None:
    page.locator("article time").first.click()
    page.get_by_text("Both documents").click()


def restoring(page: Page) -> None:
    page.get_by_role("link", name="Restore this version… (record").last.click()
    expect(page.get_by_role("heading", name="Restore new-checkout")).to_be_visible()


def new_key(page: Page) -> None:
    press("New key")(page)
    page.get_by_label("Name").fill("Web shop")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("textbox", name="Token")).to_be_visible()


def edit_change(page: Page) -> None:
    """The form that edits a request."""
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_text("You are editing change request")).to_be_visible()


def fill_freeze(page: Page, name: str, starts: str, ends: str) -> None:
    """The dialog of a weekly freeze of staging, with its preview."""
    press("New freeze")(page)
    page.get_by_label("Name").fill(name)
    page.get_by_role("checkbox", name="Staging").check()
    page.get_by_label("Starts").fill(starts)
    page.get_by_label("Ends").fill(ends)
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Repeats").select_option(label="Every week")
    expect(page.get_by_text("When it will be in force, Europe/Berlin")).to_be_visible()


def preview(page: Page) -> None:
    fill_freeze(page, "Weekend", *SUMMER)


def freeze_with_errors(page: Page) -> None:
    fill_freeze(page, "Never", *SUMMER)
    page.get_by_label("Ends").fill("2090-06-01T08:00")
    page.get_by_role("button", name="Create freeze").click()
    expect(page.get_by_role("alert")).to_be_visible()


def ask_for_approval(page: Page) -> None:
    """The dialog that sends a change for approval; for who may, with breaking glass beside it."""
    page.get_by_role("switch", name="Teller window, Production", exact=True).click()
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()


def introduce(page: Page) -> None:
    """The dialog that introduces a flag: the switch of a row that says that it is not there yet."""
    expect(page.get_by_text("Not in Production yet")).to_be_visible()
    page.get_by_role("switch", name="Coin counter, Production. Introduce it").click()
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()


def rejection_without_a_word(page: Page) -> None:
    press("Reject")(page)
    page.get_by_role(DIALOG).get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Give a reason, so the author can fix it.")).to_be_visible()


def empty_comment(page: Page) -> None:
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("Write something first.")).to_be_visible()


def policy_review(approvals: str) -> Act:
    """The dialog, or the form with its errors, for another number of approvals."""

    def act(page: Page) -> None:
        page.get_by_label("How many people").fill(approvals)
        page.get_by_role("button", name="Review").click()
        outcome = page.get_by_role(DIALOG).or_(page.locator("#policy-form [role=alert]"))
        expect(outcome).to_be_visible()

    return act


def plan_preview(page: Page) -> None:
    """The dialog of a recurring schedule, with its next five times."""
    press("Schedule a change")(page)
    page.get_by_label("When").fill("2090-03-24T02:30")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Repeats").select_option(label="Every week")
    expect(page.get_by_role(DIALOG).get_by_role("listitem")).to_have_count(5)


def timeline(page: Page) -> None:
    """What is planned, and what happened."""
    plan_preview(page)
    page.get_by_label("Type production to confirm").fill("production")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_role("button", name="Cancel plan").first).to_be_visible()


def ramp_dialog(page: Page) -> None:
    press("Ramp up")(page)
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
