"""Every page and dialog there is, each reached the way a person reaches it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from playwright.sync_api import Page, expect

from portal.lib import clock
from tests.browser import bank
from tests.browser.finding import choose, settle
from tests.browser.visitors import PROJECT

FLAGS = f"/p/{PROJECT}/flags/"
FREEZES = f"/p/{PROJECT}/freezes/"
FLAG = f"/p/{PROJECT}/flag"
TARGETING = f"{FLAG}/targeting/production"
HISTORY = f"/p/{PROJECT}/history/"
DIALOG: Final = "dialog"


@dataclass(frozen=True)
class Scene:
    """Who sees it, and how they get there. ``refused`` is the status that it is answered with."""

    reach: Callable[[Page], None]
    who: str = "admin"
    refused: int = 0


def at(path: str) -> Callable[[Page], None]:
    """A page that is opened by its address."""

    def reach(page: Page) -> None:
        page.goto(path)

    return reach


def dialog(path: str, button: str) -> Callable[[Page], None]:
    """A dialog that a button of a page opens."""

    def reach(page: Page) -> None:
        page.goto(path)
        page.get_by_role("button", name=button, exact=True).first.click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return reach


def switch(title: str) -> Callable[[Page], None]:
    """The dialog behind a switch of the list in production."""

    def reach(page: Page) -> None:
        page.goto(FLAGS)
        page.get_by_role("switch", name=f"{title}, Production", exact=True).click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return reach


def keys_to_add(page: Page) -> None:
    """The dialog that says what the keys would change."""
    page.goto(f"/p/{bank.PROJECT}/segment/open/testers")
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
    page.goto("/sign-in")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def wrong_address(page: Page) -> None:
    page.goto("/account/")
    page.get_by_label("E-mail address").fill("me@nowhere")
    page.locator("form[action='/account/email']").get_by_role("button").click()
    expect(page.get_by_text("This is not an e-mail address.")).to_be_visible()


def wrong_code(page: Page) -> None:
    page.goto("/account/two-factor")
    page.get_by_label("Code", exact=True).fill("no")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Incorrect code")).to_be_visible()


def editor_with_errors(page: Page) -> None:
    page.goto(f"{TARGETING}/new-checkout")
    page.get_by_label("Let in").first.fill("101")
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_label("Name of rule 3")).to_be_visible()
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role("alert")).to_be_visible()


def review(page: Page) -> None:
    page.goto(f"{TARGETING}/new-checkout")
    page.get_by_label("Name of rule 1").fill("Everybody who works here")
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role(DIALOG)).to_be_visible()


def every_condition(page: Page) -> None:
    """The editor with a condition of each kind, and a flag that it depends on."""
    page.goto(f"{TARGETING}/new-checkout")
    for part in ("Segment", "Other flag", "Group", "JsonLogic"):
        page.get_by_role("button", name=part, exact=True).first.click()
        settle(page)
    choose(page.get_by_label("Operator").first, "is before")
    page.get_by_role("button", name="Add flag").click()
    expect(page.get_by_label("flag", exact=True).first).to_be_focused()


def explained(page: Page) -> None:
    page.goto(f"{TARGETING}/new-checkout")
    page.locator("#sample").get_by_label("country").fill("DE")
    expect(page.locator("#tried")).to_contain_text('(it is "DE")')


def conflict(page: Page) -> None:
    """Saving from a version that is no longer the newest."""
    page.goto(f"{FLAG}/targeting/development/new-checkout")
    choose(page.get_by_label("What they get").last, "off")
    page.locator("#targeting-version").evaluate("input => input.value = '0'")
    page.get_by_role("button", name="Review and save").click()
    page.get_by_role("button", name="Save in Development").click()
    expect(page.get_by_text("Two people edited this at once")).to_be_visible()


def flag_with_errors(page: Page) -> None:
    page.goto(f"{FLAGS}new")
    page.get_by_label("Value of variant 1").fill("maybe")
    page.get_by_role("button", name="Create flag").click()
    expect(page.get_by_role("alert")).to_be_visible()


def notice(page: Page) -> None:
    page.goto(FLAGS)
    page.get_by_role("switch", name="Search ranking, Development", exact=True).click()
    expect(page.get_by_text("Search ranking is")).to_be_visible()


def usage(page: Page) -> None:
    """The chart with its table unfolded."""
    page.goto(f"{FLAG}/usage/new-checkout")
    expect(page.locator("#usage canvas")).to_be_visible()
    page.get_by_text("The numbers as a table").click()


def explained_everywhere(page: Page) -> None:
    page.goto(f"{FLAG}/explain/new-checkout")
    page.get_by_label("Targeting key").fill("user-42")
    page.get_by_label("Attributes").fill("country = DE")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#answers section").first).to_be_visible()


def looked_up(page: Page) -> None:
    """By its address, as somebody passed it on."""
    asked = [
        ["flag", "new-checkout"],
        ["unit", "user-42"],
        ["at", f"{clock.now():%Y-%m-%dT%H:%M:%S}"],
    ]
    page.goto(f"/p/{PROJECT}/past/#ask={quote(json.dumps(asked))}")
    expect(page.get_by_text("Who made it so")).to_be_visible()


def unknown(page: Page) -> None:
    page.goto(FLAGS)
    page.get_by_role("link", name="Unknown flags").click()
    expect(page.get_by_role("heading", name="Unknown flags")).to_be_visible()


def more_filters(page: Page) -> None:
    page.goto(FLAGS)
    page.locator("summary", has_text="More").click()


def many(page: Page) -> None:
    page.goto(FLAGS)
    page.get_by_label("Tick Search ranking").check()
    page.get_by_label("Tick Home page banner").check()
    page.get_by_label("What to do with the ticked flags").select_option("turn_on:production")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role(DIALOG)).to_be_visible()


def open_record(page: Page) -> None:
    page.goto(f"{HISTORY}?event=flag.enabled")
    page.locator("article time").first.click()
    page.get_by_text("Both documents").click()


def new_key(page: Page) -> None:
    dialog(f"/p/{PROJECT}/keys/", "New key")(page)
    page.get_by_label("Name").fill("Web shop")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("textbox", name="Token")).to_be_visible()


def change(flag: str) -> Callable[[Page], None]:
    """The request to turn on a flag of the bank, with everything unfolded."""

    def reach(page: Page) -> None:
        page.goto(f"{bank.CHANGES}?subject={flag.replace(' ', '-').lower()}")
        page.get_by_role("link", name=f"Turn on {flag} in Production").last.click()
        expect(page.get_by_role("heading", name="What happened", exact=True)).to_be_visible()
        for summary in page.locator("summary").all():
            summary.click()

    return reach


def edit_change(flag: str) -> Callable[[Page], None]:
    """The form that edits such a request."""

    def reach(page: Page) -> None:
        change(flag)(page)
        page.get_by_role("link", name="Edit", exact=True).click()
        expect(page.get_by_text("You are editing change request")).to_be_visible()

    return reach


def step(flag: str, button: str) -> Callable[[Page], None]:
    """The dialog of a step of such a request."""

    def reach(page: Page) -> None:
        change(flag)(page)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return reach


def fill_freeze(page: Page, name: str, starts: str, ends: str) -> None:
    """The dialog of a weekly freeze of staging, with its preview."""
    dialog(FREEZES, "New freeze")(page)
    page.get_by_label("Name").fill(name)
    page.get_by_role("checkbox", name="Staging").check()
    page.get_by_label("Starts").fill(starts)
    page.get_by_label("Ends").fill(ends)
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Repeats").select_option(label="Every week")
    expect(page.get_by_text("When it will be in force, Europe/Berlin")).to_be_visible()


def preview(page: Page) -> None:
    fill_freeze(page, "Weekend", "2090-06-02T16:00", "2090-06-05T08:00")


def freezes(page: Page) -> None:
    """The calendar of a month with freezes in it."""
    page.goto(FREEZES)
    if not page.get_by_role("button", name="Edit Summer").count():
        fill_freeze(page, "Summer", "2090-06-02T16:00", "2090-06-05T08:00")
        page.get_by_role("button", name="Create freeze").click()
        expect(page.get_by_role("button", name="Edit Summer")).to_be_visible()
    page.goto(f"{FREEZES}?month=2090-06")


def freeze_with_errors(page: Page) -> None:
    fill_freeze(page, "Never", "2090-06-02T16:00", "2090-06-05T08:00")
    page.get_by_label("Ends").fill("2090-06-01T08:00")
    page.get_by_role("button", name="Create freeze").click()
    expect(page.get_by_role("alert")).to_be_visible()


def freeze_dialog(button: str) -> Callable[[Page], None]:
    def reach(page: Page) -> None:
        freezes(page)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_role(DIALOG)).to_be_visible()

    return reach


def ask_for_approval(page: Page) -> None:
    """The dialog that sends a change for approval; for who may, with breaking glass beside it."""
    page.goto(f"/p/{bank.PROJECT}/flags/")
    page.get_by_role("switch", name="Teller window, Production", exact=True).click()
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()


def introduce(page: Page) -> None:
    """The dialog that introduces a flag: the switch of a row that says that it is not there yet."""
    page.goto(f"/p/{bank.PROJECT}/flags/")
    expect(page.get_by_text("Not in Production yet")).to_be_visible()
    page.get_by_role("switch", name="Coin counter, Production. Introduce it").click()
    expect(page.get_by_role("button", name="Send for approval")).to_be_visible()


def rejection_without_a_word(page: Page) -> None:
    step("Teller window", "Reject")(page)
    page.get_by_role(DIALOG).get_by_role("button", name="Reject").click()
    expect(page.get_by_text("Say why, so that it can be mended.")).to_be_visible()


def empty_comment(page: Page) -> None:
    change("Teller window")(page)
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("Write something first.")).to_be_visible()


def policy_review(approvals: str) -> Callable[[Page], None]:
    """The dialog, or the form with its errors, for another number of approvals."""

    def reach(page: Page) -> None:
        page.goto(bank.POLICY)
        page.get_by_label("How many people").fill(approvals)
        page.get_by_role("button", name="Review").click()
        outcome = page.get_by_role(DIALOG).or_(page.locator("#policy-form [role=alert]"))
        expect(outcome).to_be_visible()

    return reach


def plan_preview(page: Page) -> None:
    """The dialog of a recurring schedule, with its next five times."""
    dialog(f"{FLAG}/timeline/production/new-checkout", "Schedule a change")(page)
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
    dialog(f"{FLAG}/timeline/production/new-checkout", "Ramp up")(page)
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()


SCENES = {
    "sign-in": Scene(at("/sign-in"), who="nobody"),
    "sign-in refused": Scene(wrong_password, who="nobody"),
    "nothing here": Scene(at("/p/none/flags/"), refused=404),
    "projects": Scene(at("/projects")),
    "new project": Scene(dialog("/projects", "New project")),
    "account": Scene(at("/account/")),
    "account with an error": Scene(wrong_address, refused=422),
    "password": Scene(at("/account/password")),
    "two-factor": Scene(at("/account/two-factor"), who="bob"),
    "two-factor, wrong code": Scene(wrong_code, who="bob"),
    "people": Scene(at("/people/")),
    "person": Scene(at("/people/bob/")),
    "flags": Scene(at(FLAGS)),
    "flags, notice": Scene(notice),
    "flags, more filters": Scene(more_filters),
    "flags, many": Scene(many),
    "flags, saved view": Scene(dialog(FLAGS, "Save view")),
    "environments compared": Scene(at(f"{FLAGS}compare?every=1")),
    "export": Scene(at(f"{FLAGS}files?environment=production&format=flagd")),
    "copy from another environment": Scene(
        dialog(f"{TARGETING}/new-checkout", "Copy from another environment")
    ),
    "clone": Scene(dialog(f"{TARGETING}/new-checkout", "Clone")),
    "naming": Scene(at(f"{FLAGS}naming")),
    "context sampling": Scene(at(f"{FLAGS}sampling")),
    "flags, none found": Scene(at(f"{FLAGS}?search=nothing-like-it")),
    "flags, archived": Scene(at(f"{FLAGS}?archived=1")),
    "flags of a viewer": Scene(at(FLAGS), who="bob"),
    "turn on": Scene(switch("Recommendation weight")),
    "turn on, wrong name": Scene(wrong_name, refused=422),
    "turn off": Scene(switch("New checkout")),
    "new flag": Scene(at(f"{FLAGS}new")),
    "new flag with errors": Scene(flag_with_errors, refused=422),
    "targeting with rules": Scene(at(f"{TARGETING}/new-checkout")),
    "targeting with shares": Scene(at(f"{TARGETING}/search-ranking")),
    "targeting of a viewer": Scene(at(f"{TARGETING}/new-checkout"), who="bob"),
    "editor with errors": Scene(editor_with_errors, refused=422),
    "review": Scene(review),
    "editor with every condition": Scene(every_condition),
    "sample user": Scene(explained),
    "deal out anew": Scene(dialog(f"{TARGETING}/new-checkout", "Deal out anew…")),
    "conflict": Scene(conflict, refused=409),
    "usage of a flag": Scene(usage),
    "explained everywhere": Scene(explained_everywhere),
    "looked up": Scene(looked_up, who="bob"),
    "unknown flags": Scene(unknown),
    "timeline": Scene(timeline),
    "new schedule": Scene(plan_preview),
    "new ramp": Scene(ramp_dialog),
    "history of a flag": Scene(at(f"{FLAG}/history/new-checkout")),
    "history": Scene(at(HISTORY)),
    "history of a viewer": Scene(at(HISTORY), who="bob"),
    "history, none found": Scene(at(f"{HISTORY}?text=nothing-like-it")),
    "history, bad filters": Scene(at(f"{HISTORY}?from=never&text=%21"), refused=400),
    "history of the site": Scene(at("/history/?period=30d")),
    "record": Scene(open_record),
    "settings": Scene(at(f"{FLAG}/settings/home-banner")),
    "settings of a viewer": Scene(at(f"{FLAG}/settings/home-banner"), who="bob"),
    "archive": Scene(dialog(f"{TARGETING}/home-banner", "Archive")),
    "keys": Scene(at(f"/p/{PROJECT}/keys/")),
    "keys of a viewer": Scene(at(f"/p/{PROJECT}/keys/"), who="bob"),
    "new key": Scene(dialog(f"/p/{PROJECT}/keys/", "New key")),
    "token": Scene(new_key),
    "edit key": Scene(dialog(f"/p/{PROJECT}/keys/", "Edit Demo application")),
    "revoke": Scene(dialog(f"/p/{PROJECT}/keys/", "Revoke Demo application")),
    "environments": Scene(at(f"/p/{PROJECT}/environments/")),
    "environments of a viewer": Scene(at(f"/p/{PROJECT}/environments/"), who="bob"),
    "new environment": Scene(dialog(f"/p/{PROJECT}/environments/", "Add environment")),
    "freezes": Scene(freezes),
    "freezes of a viewer": Scene(at(FREEZES), who="bob"),
    "new freeze": Scene(dialog(FREEZES, "New freeze")),
    "new freeze with a preview": Scene(preview),
    "new freeze with errors": Scene(freeze_with_errors, refused=422),
    "edit freeze": Scene(freeze_dialog("Edit Summer")),
    "cancel freeze": Scene(freeze_dialog("Cancel Summer")),
    "members": Scene(at(f"/p/{PROJECT}/members/")),
    "members of a viewer": Scene(at(f"/p/{PROJECT}/members/"), who="bob"),
    "new member": Scene(dialog(f"/p/{PROJECT}/members/", "Add member")),
    "groups": Scene(at(f"/p/{PROJECT}/groups/")),
    "new group": Scene(dialog(f"/p/{PROJECT}/groups/", "New group")),
    "roles": Scene(at(f"/p/{PROJECT}/roles/")),
    "new role": Scene(dialog(f"/p/{PROJECT}/roles/", "New role")),
    "invitations": Scene(at(f"/p/{PROJECT}/invitations/")),
    "new invitation": Scene(dialog(f"/p/{PROJECT}/invitations/", "Invite someone")),
    "access": Scene(at(f"/p/{PROJECT}/access/")),
    "access of a viewer": Scene(at(f"/p/{PROJECT}/access/"), who="bob"),
    "access by person": Scene(at(f"/p/{PROJECT}/access/person?person=bob")),
    "reserve": Scene(
        dialog(f"/p/{PROJECT}/access/", "Change who may deploy releases in Production")
    ),
    "segments": Scene(at(f"/p/{bank.PROJECT}/segments/")),
    "new segment": Scene(at(f"/p/{bank.PROJECT}/segments/new")),
    "segment": Scene(at(f"/p/{bank.PROJECT}/segment/open/testers")),
    "segment, conditions": Scene(at(f"/p/{bank.PROJECT}/segment/edit/testers")),
    "segment, change of keys": Scene(keys_to_add),
    "delete segment": Scene(dialog(f"/p/{bank.PROJECT}/segment/open/testers", "Delete")),
    "exclusion groups": Scene(at(f"/p/{bank.PROJECT}/exclusion-groups/")),
    "new exclusion group": Scene(at(f"/p/{bank.PROJECT}/exclusion-groups/new")),
    "exclusion group": Scene(at(f"/p/{bank.PROJECT}/exclusion-group/open/experiments")),
    "reports": Scene(at(f"/p/{PROJECT}/reports/")),
    "report": Scene(at(f"/p/{PROJECT}/reports/production-alone/")),
    "report of a viewer": Scene(at(f"/p/{PROJECT}/reports/keys/"), who="bob"),
    "recertification": Scene(at(f"/p/{PROJECT}/reports/recertification/")),
    "ask for approval": Scene(ask_for_approval, who="dora"),
    "ask for approval or break glass": Scene(ask_for_approval, who="otto"),
    "flags with a policy": Scene(at(f"/p/{bank.PROJECT}/flags/"), who="dora"),
    "introduce": Scene(introduce, who="dora"),
    "flag, not introduced": Scene(
        at(f"/p/{bank.PROJECT}/flag/targeting/production/coin-counter"), who="dora"
    ),
    "changes": Scene(at(bank.CHANGES), who="emil"),
    "changes of a viewer": Scene(at(bank.CHANGES), who="vera"),
    "changes, none found": Scene(at(f"{bank.CHANGES}?search=nothing-like-it"), who="vera"),
    "changes, none yet": Scene(at(f"/p/{PROJECT}/changes/?state=withdrawn")),
    "change with a vote": Scene(change("Vault door"), who="fritz"),
    "change with a vote that does not count": Scene(change("Strong room"), who="emil"),
    "change that nobody answers for": Scene(change("Petty cash"), who="dora"),
    "adopt": Scene(step("Petty cash", "Adopt"), who="dora"),
    "approver to confirm": Scene(at(f"/p/{bank.PROJECT}/members/"), who="emil"),
    "key to confirm": Scene(at(f"/p/{bank.PROJECT}/keys/"), who="emil"),
    "evidence of a key": Scene(
        dialog(f"/p/{bank.PROJECT}/keys/", "Evidence of Scanner"), who="anton"
    ),
    "report of the bank": Scene(at(f"/p/{bank.PROJECT}/reports/production-alone/"), who="anton"),
    "change of its author": Scene(change("Vault door"), who="dora"),
    "change to decide on": Scene(change("Teller window"), who="emil"),
    "change of a viewer": Scene(change("Teller window"), who="vera"),
    "change, rejected": Scene(change("Night safe"), who="dora"),
    "change on another base": Scene(change("Cash machine"), who="dora"),
    "change against others": Scene(change("Deposit box"), who="fritz"),
    "change against others, edited": Scene(edit_change("Deposit box"), who="dora"),
    "bring up to date against others": Scene(step("Deposit box", "Bring up to date"), who="dora"),
    "change, emergency": Scene(change("Alarm"), who="emil"),
    "change, emergency of its maker": Scene(change("Alarm"), who="otto"),
    "change, emergency reverted": Scene(change("Sprinkler"), who="vera"),
    "change, empty comment": Scene(empty_comment, who="vera", refused=422),
    "approve": Scene(step("Teller window", "Approve"), who="emil"),
    "reject": Scene(rejection_without_a_word, who="emil", refused=422),
    "withdraw": Scene(step("Teller window", "Withdraw"), who="dora"),
    "bring up to date": Scene(step("Cash machine", "Bring up to date"), who="dora"),
    "confirm an emergency": Scene(step("Alarm", "Confirm"), who="emil"),
    "review an emergency": Scene(step("Alarm", "Review"), who="emil"),
    "emergencies": Scene(at(f"/p/{bank.PROJECT}/emergencies/"), who="vera"),
    "emergencies, none": Scene(at(f"/p/{PROJECT}/emergencies/")),
    "policy": Scene(at(bank.POLICY)),
    "policy of a viewer": Scene(at(bank.POLICY), who="vera"),
    "no policy": Scene(at(f"/p/{bank.PROJECT}/policy/staging")),
    "policy lowered": Scene(policy_review("1")),
    "policy raised": Scene(policy_review("3")),
    "policy with errors": Scene(policy_review("0"), refused=422),
    "environments with policies": Scene(at(f"/p/{bank.PROJECT}/environments/"), who="vera"),
}
