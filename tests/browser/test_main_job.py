"""The main job, by its real parts: a person clicks in a browser, an application gets the value.

The whole product runs as ``make up`` starts it; the application uses the stock OpenFeature
client. The times between the click and the value are printed, not judged: a test that fails on a
slow machine says nothing about the product.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser.conftest import OpenWindow
from tests.browser.visitors import ENVIRONMENTS, PROJECT, Visitor
from tests.browser.witness import Witness, watching
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

FLAG = "payments-kill-switch"
TITLE = "Card payments"
# Notices of earlier clicks lie in the corner; they cover nothing here.
LARGE: ViewportSize = {"width": 1440, "height": 1000}

# The instant of the click itself, not of Playwright's preparations for it.
_NOTE_CLICKS = """
document.addEventListener(
  "click",
  () => { window.clickedAt = Date.now() / 1000; },
  true,
);
"""

Report = Callable[[str, float], None]


@pytest.fixture
def report(
    capfd: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> Iterator[Report]:
    """Collects times, and prints them past pytest's capturing when the test is over."""
    times: list[tuple[str, float]] = []
    yield lambda what, seconds: times.append((what, seconds))
    with capfd.disabled():
        for what, seconds in times:
            print(f"\nclick to value: {seconds * 1000:.0f} ms ({what})", end="", file=sys.stderr)
            record_property(f"click to value, {what}", round(seconds, 4))
        print(file=sys.stderr)


@pytest.fixture
def witness(stack: Stack, tokens: dict[str, str]) -> Iterator[Witness]:
    """An application in staging, which asks all the time."""
    with watching(stack.evaluator_url, tokens["staging"], FLAG) as found:
        yield found


@pytest.fixture
def flags_page(page: Page) -> Page:
    page.set_viewport_size(LARGE)
    page.add_init_script(_NOTE_CLICKS)
    page.goto(f"/p/{PROJECT}/flags/")
    return page


def redis_pid(stack: Stack) -> int | None:
    """The process id of the Redis that answers now, told by itself; None while none does."""
    with redis.Redis(unix_socket_path=str(stack.var / "redis.sock"), socket_timeout=1) as client:
        try:
            return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None


def switch_of(page: Page, environment: str) -> Locator:
    return page.get_by_role("switch", name=f"{TITLE}, {environment.capitalize()}", exact=True)


def click_to_value(page: Page, witness: Witness, value: bool) -> float:
    """Seconds from the last click on the page until the application was told ``value``."""
    seen = witness.wait_for(value)
    # The browser's clock may be another one than ours: it is asked how long ago that was.
    ago_s = page.evaluate("Date.now() / 1000 - window.clickedAt")
    return float(seen.at - (time.time() - ago_s))


def toggle(page: Page, environment: str) -> bool:
    """Click the switch, and confirm where it is asked for; returns what it is now."""
    switch = switch_of(page, environment)
    wanted = switch.get_attribute("aria-checked") == "false"
    switch.click()
    if environment == "production":
        confirm(page, on=wanted)
    expect(switch).to_have_attribute("aria-checked", str(wanted).lower())
    return wanted


def confirm(page: Page, *, on: bool) -> None:
    dialog = page.get_by_role("dialog")
    if on:
        dialog.get_by_label("Type production to confirm").fill("production")
    dialog.get_by_role("button", name=re.compile("Turn (on|off) in Production")).click()


def test_alice_signs_in_toggles_and_the_application_gets_each_value(
    open_window: OpenWindow, stack: Stack, tokens: dict[str, str], report: Report
) -> None:
    page = open_window(viewport=LARGE)
    page.add_init_script(_NOTE_CLICKS)
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(stack.admin_password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=re.compile("Flags|Projects"))).to_be_visible()
    page.goto(f"/p/{PROJECT}/flags/")

    for environment in ENVIRONMENTS:
        with watching(stack.evaluator_url, tokens[environment], FLAG) as witness:
            for _time in range(2):
                value = toggle(page, environment)
                what = f"{environment} turned {'on' if value else 'off'}"
                report(what, click_to_value(page, witness, value))


def test_redis_is_killed_and_the_application_never_notices(
    flags_page: Page, stack: Stack, witness: Witness, report: Report
) -> None:
    before = witness.value
    killed = redis_pid(stack)
    assert killed
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: redis_pid(stack) not in (None, killed), what="another Redis")
    witness.wait_for_answers(100)
    assert witness.value is before
    assert len(witness.changes) == 1, "it was told another value meanwhile"

    value = toggle(flags_page, "staging")
    report("after Redis came back empty", click_to_value(flags_page, witness, value))
    value = toggle(flags_page, "staging")
    report("once more", click_to_value(flags_page, witness, value))


def test_a_toggle_made_while_redis_is_away_arrives_once_it_is_back(
    flags_page: Page, stack: Stack, witness: Witness, report: Report
) -> None:
    before = witness.value
    frozen = redis_pid(stack)
    assert frozen
    os.kill(frozen, signal.SIGSTOP)
    try:
        value = toggle(flags_page, "staging")
        witness.wait_for_answers(100)
        assert witness.value is before, "told without Redis?"
    finally:
        os.kill(frozen, signal.SIGCONT)
    report("with Redis frozen meanwhile", click_to_value(flags_page, witness, value))
    assert toggle(flags_page, "staging") is before
    report("after Redis was frozen", click_to_value(flags_page, witness, before))


def test_nobody_but_the_clicked_environment_is_told(
    flags_page: Page, stack: Stack, witness: Witness, tokens: dict[str, str], admin: Visitor
) -> None:
    with watching(stack.evaluator_url, tokens["production"], FLAG) as production:
        value = toggle(flags_page, "staging")
        witness.wait_for(value)
        admin.switch(FLAG, "staging", on=not value)
        witness.wait_for(not value)
        assert len(production.changes) == 1
