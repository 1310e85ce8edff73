"""A segment of 100,000 users and an exclusion group, by a browser; the application is served."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.finding import button, dialog_of, new_name, wait_in
from tests.browser.troubles import Troubles
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support import inside
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

MANY = 100_000


@pytest.fixture
def key(stack: Stack) -> str:
    key = new_name("cohort").replace(" ", "-")
    stack.inside(inside.create_flag, project=PROJECT, key=key, on=[])
    return key


@pytest.fixture
def many_users(tmp_path: Path) -> Path:
    """As a spreadsheet saves it: a byte order mark, a header, semicolons, CRLF; one line twice."""
    lines = ["user_id;plan", *(f"user-{n:06d};pro" for n in range(MANY)), '"user-000007";pro']
    file = tmp_path / "users.csv"
    file.write_text("\r\n".join(lines), encoding="utf-8-sig", newline="")
    return file


def test_a_hundred_thousand_users__uploaded__are_served_by_a_rule_that_names_them(
    page: Page,
    admin: Visitor,
    applications: dict[str, Application],
    key: str,
    many_users: Path,
) -> None:
    page.goto(f"/p/{PROJECT}/segments/new")
    page.get_by_label("Name", exact=True).fill(key)
    button(page, "Create segment").click()
    page.get_by_text("Add, remove or replace keys: Always in").click()
    form = page.locator("#included-form")
    form.get_by_label("or a CSV file").set_input_files(many_users)
    form.get_by_role("button", name="See what would change").click()
    report = dialog_of(page).locator("#key-report")
    expect(report).to_contain_text("100,000")
    expect(report).to_contain_text("user_id")
    button(page, "Save in every environment").click()
    expect(dialog_of(page)).to_be_hidden()  # the page has come anew
    expect(page.get_by_text("100,000 keys")).to_be_visible()

    rule = {"id": "r-1", "when": {"segment": key}, "serve": {"variant": "on"}}
    admin.save_targeting(key, "production", rules=[rule], fallthrough={"variant": "off"})
    ask = applications["production"].value_of
    wait_in(page, lambda: ask(key, targetingKey="user-099999") is True, "the segment is served")
    assert ask(key, targetingKey="stranger") is False

    page.reload()
    expect(page.get_by_role("link", name=key, exact=True)).to_be_visible()
    page.get_by_label("Targeting key").fill("user-000042")
    button(page, "Look").click()
    expect(page.get_by_text("user-000042 is in.")).to_be_visible()


def test_an_exclusion_group__gives_parts_and_refuses_what_is_taken(
    page: Page, key: str, troubles: Troubles
) -> None:
    troubles.expect("the server responded with a status of 422")
    page.goto(f"/p/{PROJECT}/exclusion-groups/new")
    page.get_by_label("Name", exact=True).fill(key)
    button(page, "Create exclusion group").click()
    page.get_by_label("Flag", exact=True).select_option(key)
    page.get_by_label("gets").fill("60")
    button(page, "See what would change").click()
    expect(dialog_of(page)).to_contain_text("gets 60 % of the traffic, from 0 % to 60 %")
    button(page, "Save in every environment").click()
    expect(page.locator(".legend")).to_contain_text("60 %, from 0 % to 60 %")
    page.get_by_label("Holdout").fill("50")
    button(page, "See what the holdout would change").click()
    expect(page.get_by_role("alert")).to_contain_text("holdout")
