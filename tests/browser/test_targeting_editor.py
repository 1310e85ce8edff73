"""Who gets what: building rules, reviewing them in words, saving them."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.finding import (
    button,
    choose,
    dialog_of,
    flag_page,
    hold,
    new_name,
    notices_of,
    settle,
    switch_of,
    wait_in,
)
from tests.browser.troubles import Troubles
from tests.browser.visitors import PROJECT, Application, Visitor
from tests.support import inside
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def key(stack: Stack) -> str:
    """A boolean flag of the test's own, on in development and production."""
    key = new_name("targeted").replace(" ", "-")
    stack.inside(
        inside.create_flag,
        project=PROJECT,
        key=key,
        on=["development", "production"],
    )
    return key


@pytest.fixture
def editor(page: Page, key: str) -> Page:
    page.goto(flag_page(key))
    return page


def review(page: Page) -> Locator:
    button(page, "Review and save").click()
    expect(dialog_of(page)).to_be_visible()
    return dialog_of(page)


def save(page: Page, environment: str = "Development") -> None:
    dialog_of(page).get_by_role("button", name=f"Save in {environment}").click()
    expect(notices_of(page)).to_contain_text(f"Saved in {environment}.")


def add_rule_for_country(page: Page, countries: str) -> None:
    button(page, "Add rule").click()
    attribute = page.get_by_label("Attribute", exact=True)
    expect(attribute).to_be_focused()
    attribute.fill("country")
    page.get_by_label("Values").fill(countries)


def test_a_rule_is_built_reviewed_saved_and_in_force(
    editor: Page, key: str, applications: dict[str, Application]
) -> None:
    add_rule_for_country(editor, "DE, AT")
    editor.get_by_label("Name of rule 1").fill("Neighbours")
    button(editor, "Condition").click()
    expect(editor.get_by_label("Attribute", exact=True).nth(1)).to_be_focused()
    editor.get_by_label("Attribute", exact=True).nth(1).fill("age")
    choose(editor.get_by_label("Operator").nth(1), "is at least")
    editor.get_by_label("Values").nth(1).fill("18")
    choose(editor.get_by_label("What they get").first, "off")
    changes = review(editor)
    expect(changes).to_contain_text(
        "New rule: “Neighbours”, all users where country is one of DE, AT and age is at least 18 "
        "get “off”."
    )
    editor.get_by_label("Reason").fill("Their law says so")
    save(editor)

    development = applications["development"]
    wait_until(lambda: development.value_of(key, country="AT", age=18) is False)
    assert development.value_of(key, country="AT", age=17) is True
    assert development.value_of(key, country="FR", age=40) is True

    editor.goto(flag_page(key, "history"))
    line = editor.get_by_role("article").first
    expect(line).to_contain_text("admin changed the targeting")
    expect(line).to_contain_text("New rule: “Neighbours”")
    expect(line).to_contain_text("Reason: Their law says so")


def test_a_group_inside_a_rule(
    editor: Page, key: str, applications: dict[str, Application]
) -> None:
    add_rule_for_country(editor, "DE")
    button(editor, "Group").click()
    inner = editor.get_by_label("Attribute", exact=True).nth(1)
    expect(inner).to_be_focused()
    inner.fill("plan")
    editor.get_by_label("Values").nth(1).fill("gold")
    editor.get_by_label("How many of these conditions must hold").nth(1).select_option("none")
    choose(editor.get_by_label("What they get").first, "off")
    expect(review(editor)).to_contain_text("country is one of DE and not (plan is one of gold)")
    save(editor)
    development = applications["development"]
    wait_until(lambda: development.value_of(key, country="DE", plan="silver") is False)
    assert development.value_of(key, country="DE", plan="gold") is True


def test_an_operator_without_values_asks_for_none(editor: Page) -> None:
    add_rule_for_country(editor, "DE")
    choose(editor.get_by_label("Operator"), "is given")
    expect(editor.get_by_label("Values")).to_have_count(0)
    expect(editor.get_by_label("Attribute", exact=True)).to_have_value("country")
    expect(editor.get_by_label("Operator")).to_be_focused()
    expect(review(editor)).to_contain_text("all users where country is given get “on”")


def test_a_pattern_may_hold_commas(
    editor: Page, key: str, applications: dict[str, Application]
) -> None:
    add_rule_for_country(editor, "^D[EK]{1,2}$")
    choose(editor.get_by_label("Operator"), "matches")
    expect(editor.get_by_label("Values")).to_have_value("^D[EK]{1,2}$")
    expect(editor.get_by_label("Compare as")).to_have_count(0)
    choose(editor.get_by_label("What they get").first, "off")
    expect(review(editor)).to_contain_text("country matches ^D[EK]{1,2}$")
    save(editor)
    development = applications["development"]
    wait_until(lambda: development.value_of(key, country="DK") is False)
    assert development.value_of(key, country="AT") is True


def test_shares_that_do_not_add_up_are_named_and_kept(
    editor: Page, key: str, troubles: Troubles, applications: dict[str, Application]
) -> None:
    troubles.expect("status of 422")
    choose(editor.get_by_label("What they get"), "shares of several variants")
    editor.get_by_label("on", exact=True).fill("30")
    editor.get_by_label("off", exact=True).fill("60")
    button(editor, "Review and save").click()
    expect(editor.get_by_role("alert")).to_contain_text("add up to 90 %; make it 100 %.")
    expect(editor.get_by_label("on", exact=True)).to_have_value("30")
    editor.get_by_label("off", exact=True).fill("70")
    expect(review(editor)).to_contain_text(
        "Everyone else gets “on” to 30 %, “off” to 70 % of users instead of “on”."
    )
    save(editor)
    development = applications["development"]
    wait_until(lambda: development.ask(key).json()["reason"] == "SPLIT")
    users = [f"user-{number}" for number in range(200)]
    lucky = [user for user in users if development.value_of(key, targetingKey=user)]
    assert 20 <= len(lucky) <= 100  # 60 are expected, give or take 6 sigma


def test_single_users_come_first(
    editor: Page, key: str, applications: dict[str, Application]
) -> None:
    button(editor, "Add users").click()
    keys = editor.get_by_label("Targeting keys, one per line")
    expect(keys).to_be_focused()
    keys.fill("alice@shop.example\nbob@shop.example")
    editor.get_by_label("Variant").first.select_option("off")
    expect(review(editor)).to_contain_text("User bob@shop.example always gets “off”.")
    save(editor)
    development = applications["development"]
    wait_until(lambda: development.value_of(key, targetingKey="bob@shop.example") is False)
    assert development.value_of(key, targetingKey="charlie@shop.example") is True


def test_a_bad_percentage_is_named_and_nothing_typed_is_lost(
    editor: Page, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    add_rule_for_country(editor, "DE")
    editor.get_by_label("Roll out to", exact=True).fill("120 people")
    button(editor, "Review and save").click()
    alert = editor.get_by_role("alert")
    expect(alert).to_contain_text("Give a percentage from 0 to 100, with at most 3 decimals.")
    expect(editor.get_by_label("Roll out to", exact=True)).to_have_value("120 people")
    expect(editor.get_by_label("Attribute", exact=True)).to_have_value("country")
    expect(editor.get_by_label("Values")).to_have_value("DE")


def test_what_is_typed_while_the_form_is_drawn_anew_is_kept(editor: Page) -> None:
    add_rule_for_country(editor, "DE")
    held = hold(editor, "**/flag/editor/**")
    editor.get_by_label("Operator").focus()
    editor.get_by_label("Operator").select_option(label="is none of")
    editor.get_by_label("Name of rule 1").press_sequentially("Elsewhere")
    wait_in(editor, lambda: held, "the request")
    held.pop().continue_()
    settle(editor)
    expect(editor.get_by_label("Name of rule 1")).to_have_value("Elsewhere")
    expect(editor.get_by_label("Name of rule 1")).to_be_focused()
    expect(editor.get_by_label("Values")).to_have_value("DE")


def test_a_review_is_answered_although_the_form_is_being_drawn_anew(editor: Page) -> None:
    add_rule_for_country(editor, "DE")
    drawings, reviews = (hold(editor, f"**/flag/{what}/**") for what in ("editor", "review"))
    editor.get_by_label("Operator").focus()
    editor.get_by_label("Operator").select_option(label="is none of")
    button(editor, "Review and save").click()
    wait_in(editor, lambda: drawings and reviews, "both requests")
    with editor.expect_response("**/flag/editor/**"):
        drawings.pop().continue_()
    reviews.pop().continue_()
    expect(dialog_of(editor)).to_contain_text("where country is none of DE get “on”")


def drag_rule(page: Page, number: int, *, onto: int) -> None:
    """By its handle to the name of another rule, with rules smaller than the window."""
    page.set_viewport_size({"width": 1280, "height": 2400})
    handle = page.locator("[data-drag]").nth(number - 1).bounding_box()
    target = page.get_by_label(f"Name of rule {onto}").bounding_box()
    assert handle
    assert target
    page.mouse.move(handle["x"] + 5, handle["y"] + 5)
    page.mouse.down()
    page.mouse.move(handle["x"] + 5, target["y"] + 30, steps=4)
    page.mouse.up()


def test_rules_are_moved_and_removed(editor: Page) -> None:
    for name in ("first", "second"):
        button(editor, "Add rule").click()
        settle(editor)
        editor.get_by_label("Name of rule").last.fill(name)
    button(editor, "Move rule 2 up").click()
    expect(editor.get_by_label("Name of rule 1")).to_have_value("second")
    expect(editor.get_by_label("Name of rule 2")).to_have_value("first")
    expect(button(editor, "Move rule 1 down")).to_be_focused()
    expect(editor.locator("#said")).to_have_text("It is rule 1 now.")
    drag_rule(editor, 1, onto=2)
    expect(editor.get_by_label("Name of rule 1")).to_have_value("first")
    expect(button(editor, "Move rule 2 up")).to_be_focused()
    drag_rule(editor, 2, onto=1)
    expect(editor.get_by_label("Name of rule 1")).to_have_value("second")
    button(editor, "Remove rule 1").click()
    expect(editor.get_by_label("Name of rule 1")).to_have_value("first")
    expect(editor.get_by_label("Name of rule 2")).to_have_count(0)


def test_production_takes_its_name(
    editor: Page, key: str, troubles: Troubles, applications: dict[str, Application]
) -> None:
    troubles.expect("status of 422")
    editor.goto(flag_page(key, "targeting/production"))
    choose(editor.get_by_label("What they get"), "off")
    review(editor)
    editor.get_by_label("Type production to confirm").fill("prod")
    button(editor, "Save in Production").click()
    expect(dialog_of(editor)).to_contain_text("That is not production. Nothing was changed.")
    assert applications["production"].value_of(key) is True
    editor.get_by_label("Type production to confirm").fill("production")
    save(editor, "Production")
    wait_until(lambda: applications["production"].value_of(key) is False)


def test_two_people_edit_at_once_and_see_both_sides(
    editor: Page, key: str, dana: Visitor, troubles: Troubles
) -> None:
    troubles.expect("status of 409")
    add_rule_for_country(editor, "DE")
    dana.save_targeting(key, "development", fallthrough={"variant": "off"})
    expect(editor.get_by_text("dana has changed this flag here.")).to_be_visible()
    expect(review(editor).get_by_role("alert")).to_contain_text("Someone has changed this flag")
    button(editor, "Save in Development").click()
    both = dialog_of(editor)
    expect(both).to_contain_text("dana saved another version in Development meanwhile.")
    sides = both.get_by_role("heading", level=3)
    expect(sides).to_have_text(["What they changed", "What you changed"])
    expect(both).to_contain_text("New rule: all users where country is one of DE get “on”.")
    expect(both).to_contain_text("Everyone else gets “off” instead of “on”.")
    button(editor, "Merge mine into theirs").click()
    expect(both).to_have_count(0)
    expect(editor.get_by_text("dana has changed this flag here.")).to_have_count(0)
    expect(editor.get_by_label("Values")).to_have_value("DE")
    changes = review(editor)
    expect(changes).to_contain_text("New rule: all users where country is one of DE get “on”.")
    expect(changes).not_to_contain_text("Everyone else")
    save(editor)


def test_turning_on_beside_the_form_keeps_what_is_being_edited(
    page: Page, key: str, admin: Visitor, applications: dict[str, Application]
) -> None:
    page.goto(flag_page(key))
    add_rule_for_country(page, "DE")
    choose(page.get_by_label("What they get").first, "off")
    switch_of(page, key).click()
    expect(switch_of(page, key)).to_have_attribute("aria-checked", "false")
    expect(page.get_by_label("Values")).to_have_value("DE")
    switch_of(page, key).click()
    expect(switch_of(page, key)).to_have_attribute("aria-checked", "true")
    review(page)
    save(page)
    wait_until(lambda: applications["development"].value_of(key, country="DE") is False)


def test_other_flags__are_picked_and_what_is_not_there_is_named(
    editor: Page, troubles: Troubles
) -> None:
    troubles.expect("status of 422")
    button(editor, "Add flag").click()
    asked = editor.get_by_label("flag", exact=True)
    expect(asked).to_be_focused()
    asked.fill("search-ranking")
    asked.press("Tab")
    editor.get_by_role("checkbox", name="semantic").check()
    button(editor, "Add rule").click()
    expect(editor.get_by_label("Attribute", exact=True)).to_be_focused()
    button(editor, "Remove condition").last.click()
    expect(editor.get_by_label("Attribute", exact=True)).to_have_count(0)
    button(editor, "Segment").click()
    editor.get_by_label("in segment").fill("nobody-home")
    button(editor, "Review and save").click()
    expect(editor.get_by_role("alert")).to_contain_text("There is no segment “nobody-home”")
    button(editor, "Remove condition").last.click()
    expect(editor.get_by_label("in segment")).to_have_count(0)
    settle(editor)
    changes = review(editor)
    expect(changes).to_contain_text("On only where flag “search-ranking” serves “semantic”.")
    expect(changes).to_contain_text("New rule: all users get “on”.")


def test_a_sample_user__is_asked_about_the_form_as_it_stands(editor: Page) -> None:
    tried = editor.locator("#tried")
    expect(tried).to_contain_text("Everyone gets the same.")
    add_rule_for_country(editor, "DE")
    choose(editor.get_by_label("What they get").first, "off")
    expect(tried).to_contain_text("country is one of DE (it is not given)")
    editor.locator("#sample").get_by_label("country").fill("DE")
    expect(tried).to_contain_text("Rule 1 Serves “off”.")
    expect(tried).to_contain_text('(it is "DE")')
    editor.get_by_text("More attributes, as JSON").click()
    more = editor.locator("#sample").get_by_label("More attributes, as JSON")
    more.fill('{"country"')
    expect(tried).to_contain_text("This is not JSON")
    more.fill('{"country": "FR"}')
    expect(tried).to_contain_text("Does not match.")
    expect(editor.locator("#gets")).to_contain_text("Rule 1 of those who match")


def test_the_sample__is_still_there_after_a_reload(editor: Page) -> None:
    editor.get_by_label("Targeting key", exact=True).fill("user-7")
    settle(editor)
    editor.reload()
    expect(editor.get_by_label("Targeting key", exact=True)).to_have_value("user-7")


def test_a_moment__is_picked_in_the_readers_zone_and_written_in_utc(editor: Page) -> None:
    add_rule_for_country(editor, "")
    choose(editor.get_by_label("Operator"), "is before")
    editor.get_by_label("Pick the moment, in your time zone").fill("2026-11-20T10:00:00")
    expect(editor.get_by_label("Values")).to_have_value(re.compile(r"^2026-11-\d\dT\d\d:\d\d:00Z$"))


def test_dealing_out_anew__is_asked_twice(editor: Page) -> None:
    button(editor, "Reshuffle users…").click()
    expect(dialog_of(editor)).to_contain_text("gets other users")
    button(editor, "Reshuffle users").click()
    expect(editor.get_by_text("will be reshuffled when you save")).to_be_visible()
    expect(button(editor, "Reshuffle users…")).to_be_focused()
    expect(review(editor)).to_contain_text("Users are reshuffled")


def test_nothing_different_is_nothing_to_save(editor: Page) -> None:
    expect(review(editor)).to_contain_text("Nothing is different from what is saved.")
    button(editor, "Back").click()
    expect(dialog_of(editor)).to_have_count(0)
    expect(button(editor, "Review and save")).to_be_focused()
