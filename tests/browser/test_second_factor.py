"""The second factor and sessions, as a person meets them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import KEYS, button, dialog_of, new_name, notices_of
from tests.browser.test_signing_in import sign_in
from tests.browser.troubles import Troubles
from tests.browser.visitors import Visitor, visiting
from tests.support import inside, totp
from tests.support.stack import Stack

pytestmark = pytest.mark.browser


@pytest.fixture
def erin(stack: Stack, admin: Visitor) -> tuple[str, str]:
    """The name and password of somebody new, who may make keys."""
    name = new_name("erin").replace(" ", "")
    return name, admin.add_member(name, "project_admin")


@pytest.fixture
def window(open_window: OpenWindow, erin: tuple[str, str]) -> Page:
    """Where she has signed in."""
    page = open_window()
    page.goto("/sign-in")
    sign_in(page, *erin)
    expect(page.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    return page


@pytest.fixture
def elsewhere(stack: Stack, erin: tuple[str, str]) -> Iterator[Visitor]:
    """Another browser of hers."""
    with visiting(stack, *erin) as visitor:
        yield visitor


def enrol(page: Page) -> tuple[str, list[str]]:
    """Turn it on; the secret, and the recovery codes."""
    page.goto("/account/")
    page.get_by_role("link", name="Turn on").click()
    expect(page.get_by_role("img", name="QR code of the secret below")).to_be_visible()
    drawn = page.evaluate("document.querySelector('img.qr').naturalWidth")
    assert drawn > 50
    secret = page.get_by_label("Secret").input_value()
    page.get_by_label("Code", exact=True).fill(totp.code(secret))
    button(page, "Turn on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    codes = page.locator("#codes").inner_text().split()
    assert len(codes) == 10
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    return secret, codes


def sign_in_with(page: Page, erin: tuple[str, str], code: str) -> None:
    button(page, "Sign out").click()
    sign_in(page, *erin)
    expect(page.get_by_role("heading", name="Your code")).to_be_visible()
    page.get_by_label("Code").fill(code)
    button(page, "Sign in").click()


def test_enrolled__erin__signs_in_with_a_code_and_with_a_recovery_code(
    window: Page, erin: tuple[str, str]
) -> None:
    secret, codes = enrol(window)
    sign_in_with(window, erin, totp.next_code(secret))
    expect(window.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    sign_in_with(window, erin, codes[0])
    expect(window.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    sign_in_with(window, erin, codes[0])
    expect(window.get_by_role("alert")).to_contain_text("Incorrect code")
    button(window, "Start over").click()
    expect(window.get_by_role("heading", name="Sign in")).to_be_visible()


def test_sessions__erin__ends_the_one_of_her_other_browser(
    window: Page, elsewhere: Visitor
) -> None:
    window.goto("/account/")
    expect(window.get_by_text("python-httpx")).to_be_visible()
    window.get_by_role("button", name="End the session of").click()
    expect(notices_of(window)).to_contain_text("That session is ended.")
    expect(window.get_by_text("python-httpx")).to_be_hidden()
    assert elsewhere.client.get("/account/").status_code == 302


def test_two_factor__erin__turns_it_off_again(window: Page) -> None:
    enrol(window)
    window.on("dialog", lambda asked: asked.accept())
    button(window, "Turn off").click()
    expect(notices_of(window)).to_contain_text("Two-factor sign-in is off.")
    expect(window.get_by_role("link", name="Turn on")).to_be_visible()


def test_new_key__long_after_signing_in__asks_for_the_password_and_keeps_the_form(
    window: Page, stack: Stack, erin: tuple[str, str], troubles: Troubles
) -> None:
    troubles.expect("the server responded with a status of 403")
    stack.inside(inside.forget_proofs, name=erin[0])
    window.goto(KEYS)
    button(window, "New key").click()
    name = new_name("Till")
    window.get_by_label("Name").fill(name)
    button(window, "Create key").click()
    expect(dialog_of(window).get_by_role("heading")).to_have_text("Is it still you?")
    expect(window.get_by_label("Your password")).to_be_focused()
    window.get_by_label("Your password").fill("wrong")
    button(window, "Continue").click()
    expect(dialog_of(window)).to_contain_text("Wrong password or code")
    window.get_by_label("Your password").fill(erin[1])
    button(window, "Continue").click()
    expect(window.get_by_role("textbox", name="Token")).to_be_visible()
    expect(dialog_of(window)).to_contain_text(name)
