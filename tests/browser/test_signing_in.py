"""Getting in and out."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import FLAGS, KEYS, button
from tests.support.stack import Stack

pytestmark = pytest.mark.browser


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    button(page, "Sign in").click()


@pytest.fixture
def anyone(open_window: OpenWindow) -> Page:
    """A window in which nobody is signed in."""
    return open_window()


def test_a_wrong_password_says_so_and_keeps_the_name(anyone: Page) -> None:
    anyone.goto("/sign-in")
    sign_in(anyone, "admin", "no-idea")
    expect(anyone.get_by_role("alert")).to_contain_text("correct username and password")
    expect(anyone.get_by_label("User name")).to_have_value("admin")
    expect(anyone.get_by_label("Password")).to_have_value("")


def test_who_wanted_a_page_gets_it_after_signing_in(anyone: Page, stack: Stack) -> None:
    anyone.goto(f"{KEYS}?from=mail")
    expect(anyone.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(anyone, "admin", stack.admin_password)
    expect(anyone).to_have_url(f"{stack.portal_url}{KEYS}?from=mail")
    expect(anyone.get_by_role("heading", name="API keys")).to_be_visible()


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example/"],
)
def test_nobody_is_sent_to_another_site(anyone: Page, stack: Stack, elsewhere: str) -> None:
    anyone.goto("/sign-in?" + "next=" + elsewhere.replace("/", "%2F"))
    sign_in(anyone, "admin", stack.admin_password)
    expect(anyone.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    expect(anyone).to_have_url(re.compile(f"^{stack.portal_url}({FLAGS}|/projects)$"))


def test_who_signed_out_sees_nothing_any_more(anyone: Page, stack: Stack) -> None:
    anyone.goto("/")
    sign_in(anyone, "admin", stack.admin_password)
    expect(anyone.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    button(anyone, "Sign out").click()
    expect(anyone.get_by_role("heading", name="Sign in")).to_be_visible()
    anyone.go_back()
    expect(anyone.get_by_role("heading", name="Sign in")).to_be_visible()
