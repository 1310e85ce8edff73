"""Governance from end to end, by its real parts.

A product manager asks for a change of production and cannot approve it; two people with the two
roles do; it goes live, and the stock OpenFeature client of an application sees it. Afterwards an
auditor finds it by date and person, exports it, and the export verifies offline.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.finding import button, dialog_of, notices_of
from tests.browser.offline import unpacked, verify
from tests.browser.visitors import BOOLEAN, Visitor, password_in, token_in, visiting
from tests.browser.witness import Witness, watching
from tests.support.stack import Stack

pytestmark = pytest.mark.browser
OFFICE, FLAG, TITLE = "/p/office", "paperless", "Paperless"
CHANGE = f"Turn on {TITLE} in Production"
PEOPLE = {
    "paula": "product_manager",
    "erin": "senior_developer",
    "frank": "devops_lead",
    "audrey": "auditor",
}


@pytest.fixture(scope="module")
def office(stack: Stack, admin: Visitor) -> Iterator[dict[str, Visitor]]:
    """A project of its own, a flag that is off, and four people; set up as anybody would."""
    done = admin.post("/projects/new", {"key": "office", "name": "Office"})
    assert done.status_code == 204, done.text
    made = admin.post(f"{OFFICE}/flags/new", BOOLEAN | {"key": FLAG, "name": TITLE})
    assert made.status_code == 302, made.text
    admin.hear_messages()
    with ExitStack() as doors:
        people = {}
        for name, role in PEOPLE.items():
            added = admin.post(f"{OFFICE}/members/new", {"username": name, "role": role})
            password = password_in(added.text)
            people[name] = doors.enter_context(visiting(stack, name, password))
        yield people


@pytest.fixture
def witness(stack: Stack, admin: Visitor) -> Iterator[Witness]:
    """An application in production, which asks all the time."""
    fields = {"name": "Front desk", "environment": "production", "kind": "server"}
    token = token_in(admin.post(f"{OFFICE}/keys/new", fields).text)
    with watching(stack.evaluator_url, token, FLAG) as found:
        yield found


def set_policy(page: Page) -> None:
    """Production wants two people with the two roles from now on."""
    page.goto(f"{OFFICE}/policy/production")
    page.get_by_label("How many people have to approve").fill("2")
    roles = page.get_by_role("group", name="Roles and groups they must cover together")
    for role in ("senior developer", "DevOps lead"):
        roles.get_by_label(role, exact=True).check()
    button(page, "Review").click()
    dialog_of(page).get_by_role("button", name=re.compile("^(Save|Set)")).click()
    expect(notices_of(page)).to_contain_text("The policy of Production is in force.")


def ask(page: Page) -> str:
    """Paula asks by the switch; the address of her request."""
    page.goto(f"{OFFICE}/flags/")
    switch = page.get_by_role("switch", name=f"{TITLE}, Production", exact=True)
    switch.click()
    dialog = dialog_of(page)
    expect(dialog).to_contain_text(
        "Production requires 2 approvals, together covering senior developer and DevOps lead"
    )
    dialog.get_by_label("Reason").fill("The trees will thank us")
    dialog.get_by_role("button", name="Send for approval").click()
    expect(notices_of(page)).to_contain_text("Nothing has changed yet.")
    expect(switch).to_have_attribute("aria-checked", "false")
    notices_of(page).get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", name=CHANGE)).to_be_visible()
    return page.url


def approve(page: Page) -> None:
    """Find what waits for oneself, and agree."""
    page.goto(f"{OFFICE}/changes/")
    page.get_by_role("link", name=CHANGE).first.click()
    button(page, "Approve").click()
    dialog_of(page).get_by_role("button", name="Approve").click()
    expect(notices_of(page)).not_to_be_empty()


def test_two_people_agree_it_goes_live_and_an_auditor_proves_it(
    open_window: OpenWindow,
    page: Page,
    office: dict[str, Visitor],
    witness: Witness,
    tmp_path: Path,
) -> None:
    set_policy(page)
    paula, erin, frank = (open_window(office[name]) for name in ("paula", "erin", "frank"))
    ask(paula)
    expect(button(paula, "Approve")).to_be_disabled()
    expect(button(paula, "Approve")).to_have_accessible_description(
        re.compile("You asked for this change")
    )
    approve(erin)
    witness.wait_for_answers(50)
    assert witness.value is False
    approve(frank)
    witness.wait_for(True)
    expect(paula.get_by_text("applied", exact=True).first).to_be_visible()

    audrey = open_window(office["audrey"])
    audrey.goto(f"{OFFICE}/history/")
    audrey.get_by_label("Carried out by").select_option("frank")
    audrey.get_by_label("From", exact=True).fill(datetime.now(UTC).date().isoformat())
    button(audrey, "Filter").click()
    rows = audrey.get_by_role("article")
    expect(rows.filter(has_text=f"turned on {FLAG}")).to_have_count(1)
    expect(rows.filter(has_text="The trees will thank us").first).to_be_visible()

    with audrey.expect_download() as started:
        button(audrey, "JSON Lines").click()
    packed = tmp_path / "history.zip"
    started.value.save_as(packed)
    file = unpacked(packed)
    verify(file, 0)
    exported = [json.loads(line) for line in file.read_text().splitlines()][:-1]
    assert {line["actor"] for line in exported} == {"frank"}
    (applied,) = (line for line in exported if line["event"] == "change_request.applied")
    agreed = json.loads(applied["after"])["approved_by"]
    assert [(one["person"], one["roles"]) for one in agreed] == [
        ("erin", ["senior_developer"]),
        ("frank", ["devops_lead"]),
    ]
    file.write_text(file.read_text().replace("frank", "paula", 1))
    verify(file, 1)
