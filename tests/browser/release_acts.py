"""How a person reaches what is to be seen of releases."""

from functools import cache

from playwright.sync_api import Page, expect

from tests.browser.acts import Act
from tests.browser.finding import choose
from tests.support.seeded_releases import PROJECT as HARBOUR

RELEASES = f"/p/{HARBOUR}/releases/"


@cache
def release(state: str, tail: str = "") -> Act:
    """The page of the release in that state, with everything unfolded."""

    def open_page(page: Page) -> None:
        page.goto(f"{RELEASES}all?state={state}")
        page.goto(f"{page.locator('.flag-name').first.get_attribute('href')}{tail}")
        if not tail:
            expect(page.locator("#release-charts canvas")).to_have_count(4)
        for summary in page.locator("summary").all():
            summary.click()

    return open_page


def release_group(page: Page) -> None:
    page.goto(RELEASES)
    page.get_by_role("link", name="in the group New orders").first.click()
    expect(page.get_by_role("heading", name="New orders")).to_be_visible()


def group_with_errors(page: Page) -> None:
    page.get_by_text("Or its members as a document").click()
    page.get_by_label("JSON: a list of releases").fill("[{}, {}]")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()


def new_release(page: Page) -> None:
    """Filled in as far as to be previewed, with advice that is not followed."""
    page.get_by_label("Version", exact=True).fill("2.0")
    page.get_by_label("Digest").fill("sha256:" + "9f86" * 16)
    choose(page.get_by_label("What matters most?"), "The point is to test something")
    choose(page.get_by_label("More exactly?"), "One feature")
    page.get_by_role("button", name="Add check").click()
    expect(page.get_by_text("It takes at least")).to_be_visible()
    for summary in page.locator("#release-plan summary").all():
        summary.click()


def release_with_errors(page: Page) -> None:
    page.get_by_label("Share (%)").first.fill("none")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()


def setup_with_errors(page: Page) -> None:
    page.get_by_role("button", name="Add check").click()
    page.get_by_label("Threshold").fill("many")
    page.get_by_label("A rollback_config block").fill("triggers: [")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()


def haproxy_with_errors(page: Page) -> None:
    page.get_by_label("Kind", exact=True).first.select_option("haproxy")
    page.get_by_label("Shares", exact=True).select_option("weights")
    expect(page.get_by_label("Entry", exact=True)).to_be_hidden()
    page.get_by_label("One place", exact=True).fill("blue")
    page.get_by_label("haproxys", exact=True).fill("nowhere")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
    expect(page.get_by_label("Backend", exact=True)).to_be_visible()


def policy_with_errors(page: Page) -> None:
    page.get_by_role("button", name="Add check").click()
    page.get_by_label("Threshold").fill("many")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()


def template_with_errors(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Slow")
    page.get_by_label("Share (%)").first.fill("none")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet.")).to_be_visible()
