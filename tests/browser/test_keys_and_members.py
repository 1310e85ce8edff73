"""Letting applications and people in, and out again."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import (
    FLAGS,
    KEYS,
    MEMBERS,
    button,
    dialog_of,
    flag_page,
    new_name,
    notices_of,
    switch_of,
)
from tests.browser.test_signing_in import sign_in
from tests.browser.visitors import Visitor, running_application
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser


def test_a_token_is_shown_once_works_at_once_and_no_more_once_revoked(
    page: Page, stack: Stack
) -> None:
    name = new_name("Shop front")
    page.goto(KEYS)
    button(page, "New key").click()
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Environment", exact=True).select_option("staging")
    button(page, "Create key").click()
    token = page.get_by_role("textbox", name="Token").input_value()
    expect(dialog_of(page)).to_contain_text("This is the only time its token is shown")
    button(page, "I have copied it").click()
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("active")
    assert token not in page.content()
    page.reload()
    assert token not in page.content()

    with running_application(stack, token) as application:
        wait_until(lambda: application.ask("new-checkout").status_code == 200)
        row.get_by_role("button", name="Revoke").click()
        expect(dialog_of(page)).to_contain_text("is refused from the next request on")
        button(page, "Revoke key").click()
        expect(row).to_contain_text("revoked")
        wait_until(lambda: application.ask("new-checkout").status_code == 401)


def test_someone_new_gets_a_password_once_and_may_only_look(
    page: Page, open_window: OpenWindow
) -> None:
    name = new_name("erin").replace(" ", "-")
    page.goto(MEMBERS)
    button(page, "Add member").click()
    page.get_by_label("User name").fill(name)
    page.get_by_label("Role", exact=True).select_option("viewer")
    dialog_of(page).get_by_role("button", name="Add member").click()
    password = page.get_by_role("textbox", name="Password").input_value()
    button(page, "Done").click()
    expect(page.get_by_label(f"Roles of {name}")).to_contain_text("viewer · all environments")
    assert password not in page.content()

    hers = open_window()
    hers.goto("/")
    sign_in(hers, name, password)
    expect(hers.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    expect(button(hers, "New flag")).to_be_disabled()


def test_a_viewer_sees_disabled_controls_with_reasons(
    open_window: OpenWindow, bob: Visitor
) -> None:
    page = open_window(bob)
    page.goto(f"{FLAGS}?search=Card payments")
    expect(button(page, "New flag")).to_be_disabled()
    expect(button(page, "New flag")).to_have_accessible_description(
        re.compile("permission “edit flags”")
    )
    switch = page.get_by_role("switch", name=re.compile("^Card payments, Staging. Turning flags"))
    expect(switch).to_have_attribute("aria-disabled", "true")
    before = switch.get_attribute("aria-checked")
    switch.click(force=True)
    page.goto(flag_page("payments-kill-switch", "targeting/staging"))
    form = page.get_by_role("group", name="Targeting")
    expect(form).to_have_attribute("disabled", "")
    expect(
        page.get_by_text("You can look but not change: that needs the permission “edit flags”.")
    ).to_be_visible()
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", str(before))
    expect(button(page, "Review and save")).to_have_count(0)
    for path, name in ((KEYS, "New key"), (MEMBERS, "Add member")):
        page.goto(path)
        expect(button(page, name)).to_be_disabled()
        expect(button(page, name)).to_have_accessible_description(re.compile("Ask an admin"))


def test_a_viewers_forged_post_is_refused(bob: Visitor, page: Page) -> None:
    path = flag_page("payments-kill-switch", "switch/staging")
    page.goto(f"{FLAGS}?search=Card payments")
    before = switch_of(page, "Card payments", "Staging").get_attribute("aria-checked")
    refused = bob.post(path, {"enabled": "0" if before == "true" else "1"})
    assert refused.status_code == 403
    assert "turn flags on and off" in refused.text
    page.reload()
    expect(switch_of(page, "Card payments", "Staging")).to_have_attribute(
        "aria-checked", str(before)
    )


def test_a_role_is_given_and_taken_away_and_a_member_removed(page: Page, admin: Visitor) -> None:
    name = new_name("frank").replace(" ", "-")
    admin.add_member(name, "viewer")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(MEMBERS)
    roles = page.get_by_label(f"Roles of {name}")
    button(page, f"Give role to {name}").click()
    page.get_by_label("Role", exact=True).select_option("on_call_engineer")
    page.get_by_label("In", exact=True).select_option("production")
    dialog_of(page).get_by_role("button", name="Give role").click()
    expect(notices_of(page)).to_contain_text(f"{name} now has the role on-call engineer.")
    expect(roles).to_contain_text("on-call engineer · Production")
    button(page, f"Take viewer · all environments away from {name}").click()
    expect(notices_of(page).last).to_contain_text(f"{name} no longer has the role viewer.")
    expect(roles).not_to_contain_text("viewer")
    button(page, f"Remove {name}").click()
    expect(notices_of(page).last).to_contain_text(f"{name} is no longer a member.")
    expect(roles).to_have_count(0)


def test_someone_joins_by_a_link_that_is_shown_once(page: Page, open_window: OpenWindow) -> None:
    name = new_name("hana").replace(" ", "-")
    page.goto(f"{MEMBERS}../invitations/")
    button(page, "Invite someone").click()
    page.get_by_label("Role", exact=True).select_option("developer")
    page.get_by_label("For whom").fill(name)
    button(page, "Make the link").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    button(page, "I have copied it").click()
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("open")
    assert link not in page.content()

    hers = open_window()
    hers.goto(link)
    hers.get_by_label("User name").fill(name)
    hers.get_by_label("Password", exact=True).fill("a-swallow-in-june")
    hers.get_by_label("Password again").fill("a-swallow-in-june")
    button(hers, "Create account and join").click()
    expect(hers.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    page.reload()
    expect(row).to_contain_text("accepted")


def test_an_environment_reserves_a_permission_and_opens_it_again(page: Page) -> None:
    page.goto(f"{MEMBERS}../access/")
    change = button(page, "Change who may deploy releases in Staging")
    change.click()
    page.get_by_label("Reserved").check()
    page.get_by_label("DevOps", exact=True).check()
    button(page, "Save").click()
    cell = page.get_by_role("cell").filter(has=change)
    expect(cell).to_contain_text("reserved")
    expect(change).to_be_focused()
    change.click()
    page.get_by_label("Open").check()
    button(page, "Save").click()
    expect(cell).to_contain_text("by role")


def test_a_password_can_be_changed(open_window: OpenWindow, admin: Visitor) -> None:
    name = new_name("grace").replace(" ", "-")
    password = admin.add_member(name, "viewer")
    page = open_window()
    page.goto("/account/password")
    sign_in(page, name, password)
    page.get_by_label("Old password").fill(password)
    page.get_by_label("New password", exact=True).fill("a-swallow-in-june")
    page.get_by_label("New password confirmation").fill("a-swallow-in-june")
    button(page, "Change password").click()
    expect(notices_of(page)).to_contain_text("Your password is changed")

    again = open_window()
    again.goto("/")
    sign_in(again, name, password)
    expect(again.get_by_role("alert")).to_be_visible()
    sign_in(again, name, "a-swallow-in-june")
    expect(again.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
