"""Asking and agreeing, in two windows at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.bank import CHANGES, POLICY, ask_again
from tests.browser.conftest import OpenWindow
from tests.browser.finding import button, dialog_of, new_name, notices_of, settle
from tests.browser.troubles import Troubles
from tests.browser.visitors import Visitor
from tests.support.stack import Stack

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Asked:
    """What Dora has asked for: flags to be turned on, one of them against others."""

    keys: Iterator[str]
    against_others: str


@pytest.fixture(scope="module")
def asked(stack: Stack, bank: dict[str, Visitor]) -> Asked:
    """All at once, for all tests."""
    keys = [new_name("safe").replace(" ", "-") for _test in range(4)]
    against_others = new_name("vault").replace(" ", "-")
    stack.inside(ask_again, keys=keys, against_others=against_others)
    return Asked(iter(keys), against_others)


def title_of(key: str) -> str:
    return f"Turn on {key.replace('-', ' ').capitalize()} in Production"


@pytest.fixture
def title(asked: Asked) -> str:
    """A request of the test's own."""
    return title_of(next(asked.keys))


def open_change(page: Page, title: str) -> Page:
    page.goto(f"{CHANGES}?state=open")
    page.get_by_role("link", name=title, exact=True).last.click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    return page


@pytest.fixture
def windows(open_window: OpenWindow, bank: dict[str, Visitor], title: str) -> tuple[Page, Page]:
    """Emil's and Dora's, both at the request."""
    return (
        open_change(open_window(bank["emil"]), title),
        open_change(open_window(bank["dora"]), title),
    )


def test_a_vote_shows_in_the_other_window_and_keeps_its_half_written_comment(
    windows: tuple[Page, Page],
) -> None:
    emil, dora = windows
    expect(button(dora, "Approve")).to_be_disabled()
    expect(button(dora, "Approve")).to_have_accessible_description(
        "You asked for this change, so somebody else has to approve it: "
        "anton, emil, fritz or lotta."
    )
    dora.get_by_label("Comment").fill("I was about to say")
    dora.get_by_label("Comment").focus()
    dora.get_by_text("The same in JSON").click()

    button(emil, "Approve").click()
    dialog_of(emil).get_by_label("Comment").fill("Fine with me")
    dialog_of(emil).get_by_role("button", name="Approve").click()
    expect(notices_of(emil)).to_contain_text("Your approval counts.")
    expect(emil.get_by_role("heading", name="1 of 2 approvals")).to_be_visible()

    expect(dora.get_by_role("heading", name="1 of 2 approvals")).to_be_visible()
    expect(dora.get_by_role("article").last).to_contain_text("emil approved")
    expect(dora.get_by_label("Comment")).to_have_value("I was about to say")
    expect(dora.get_by_role("columnheader", name="Place")).to_be_visible()

    button(dora, "Comment").click()
    expect(dora.get_by_label("Comment")).to_have_value("")
    expect(emil.get_by_role("article").last).to_contain_text("I was about to say")


def test_the_number_in_the_navigation_follows(
    open_window: OpenWindow, bank: dict[str, Visitor], windows: tuple[Page, Page]
) -> None:
    emil, _dora = windows
    fritz = open_window(bank["fritz"])
    fritz.goto(CHANGES)
    number = fritz.locator("#changes-waiting")
    expect(number).to_contain_text("waiting for you")
    before = int(number.inner_text().split()[0])
    reject(emil)
    expect(number).to_contain_text(str(before - 1))


def reject(page: Page) -> None:
    button(page, "Reject").click()
    page.get_by_label("What has to be fixed").fill("Not before Christmas")
    dialog_of(page).get_by_role("button", name="Reject").click()
    expect(page.get_by_text("rejected", exact=True).first).to_be_visible()


def test_what_was_decided_while_a_dialog_was_open_is_said_and_shown(
    open_window: OpenWindow,
    bank: dict[str, Visitor],
    windows: tuple[Page, Page],
    title: str,
    troubles: Troubles,
) -> None:
    troubles.expect("status of 409")
    emil, _dora = windows
    fritz = open_change(open_window(bank["fritz"]), title)
    button(fritz, "Approve").click()
    reject(emil)
    dialog_of(fritz).get_by_role("button", name="Approve").click()
    expect(notices_of(fritz)).to_contain_text("is rejected already")
    expect(dialog_of(fritz)).to_have_count(0)
    expect(button(fritz, "Approve")).to_be_disabled()


def test_filters_of_all_changes_stand_in_the_address(
    open_window: OpenWindow, bank: dict[str, Visitor], title: str
) -> None:
    vera = open_window(bank["vera"])
    vera.goto(CHANGES)
    vera.get_by_label("Search changes").fill(title)
    expect(vera.get_by_role("link", name="Turn on Vault door")).to_have_count(0)
    settle(vera)
    vera.reload()
    expect(vera.get_by_label("Search changes")).to_have_value(title)
    expect(vera.get_by_role("link", name=title)).to_be_visible()
    with vera.expect_download() as started:
        vera.get_by_role("link", name="CSV").click()
    lines = started.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert title in lines[1]


def test_lowering_a_policy_says_so_first_and_leads_to_the_request(
    page: Page, bank: dict[str, Visitor]
) -> None:
    page.goto(POLICY)
    page.get_by_label("How many people").fill("1")
    button(page, "Review").click()
    expect(dialog_of(page)).to_contain_text("it needs approval under the current policy first")
    button(page, "Ask for approval").click()
    expect(page.get_by_role("heading", name="Lower the approval policy")).to_be_visible()
    expect(page.get_by_text("Approvals: 1 instead of 2.").first).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("How many people")).to_have_value("1")


def test_a_request_against_others__is_brought_up_to_date_and_edited_and_still_turns_on(
    asked: Asked, bank: dict[str, Visitor], open_window: OpenWindow
) -> None:
    title = title_of(asked.against_others)
    page = open_change(open_window(bank["dora"]), title)
    button(page, "Bring up to date").click()
    dialog = dialog_of(page)
    expect(dialog).to_contain_text("What everyone else gets")
    dialog.get_by_role("radio", name="The current version").check()
    dialog.get_by_role("button", name="Bring up to date").click()
    expect(notices_of(page)).to_contain_text("The request is up to date.")
    words = page.locator(".change-words")
    expect(words).to_have_text("Turned on: everyone gets “on” to 1 %, “off” to 99 % of users.")

    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_label("Once this is approved, the flag in Production is")).to_have_value(
        "on"
    )
    page.locator("select[name=off_variant]").select_option("off")
    page.get_by_role("button", name="Review and save").click()
    dialog_of(page).get_by_role("button", name="Send for approval").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(words).to_contain_text("Turned on: everyone gets “on” to 1 %, “off” to 99 % of users.")
    expect(words).to_contain_text("While off, everyone gets “off” instead of “on”.")
