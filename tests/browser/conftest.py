"""The people of the browser tests, and a window for each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.bank import PASSWORD, PEOPLE, fill
from tests.browser.troubles import Troubles
from tests.browser.visitors import (
    ENVIRONMENTS,
    Application,
    Visitor,
    running_application,
    visiting,
)
from tests.support import chromium, seeded_releases
from tests.support.stack import Stack

OpenWindow = Callable[..., Page]
# How long is waited for what must come: on a busy machine a page may take longer than the five
# seconds that Playwright gives it, and how fast pages are is measured elsewhere.
expect.set_options(timeout=30_000)


# Not for the whole session: as long as Playwright runs, its event loop counts as this thread's,
# and neither asyncio.run nor Django's ORM wants to be called.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium.find(),
            args=chromium.arguments(),
            env=chromium.environment(),
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Iterator[Visitor]:
    """The site administrator of the first start."""
    with visiting(stack, "admin", stack.admin_password) as visitor:
        yield visitor


@pytest.fixture(scope="session")
def bob(stack: Stack, admin: Visitor) -> Iterator[Visitor]:
    """In the team of the demo project, but may only look."""
    with visiting(stack, "bob", admin.add_member("bob", "viewer")) as visitor:
        yield visitor


@pytest.fixture(scope="session")
def dana(stack: Stack, admin: Visitor) -> Iterator[Visitor]:
    """Edits the flags of the demo project."""
    with visiting(stack, "dana", admin.add_member("dana", "developer")) as visitor:
        yield visitor


@pytest.fixture(scope="session")
def bank(stack: Stack) -> Iterator[dict[str, Visitor]]:
    """The project where people have to agree, and those people."""
    stack.inside(fill)
    with ExitStack() as doors:
        yield {
            name: doors.enter_context(visiting(stack, name, PASSWORD)) for name in sorted(PEOPLE)
        }


@pytest.fixture(scope="session")
def harbour(stack: Stack) -> None:
    """The project with a release in every state."""
    stack.inside(seeded_releases.fill)


@pytest.fixture(scope="session")
def tokens(admin: Visitor) -> dict[str, str]:
    """A server key's token for each environment."""
    return {environment: admin.create_key(environment) for environment in ENVIRONMENTS}


@pytest.fixture(scope="session")
def applications(stack: Stack, tokens: dict[str, str]) -> Iterator[dict[str, Application]]:
    """A program in each environment."""
    with ExitStack() as all_of_them:
        yield {
            environment: all_of_them.enter_context(running_application(stack, token))
            for environment, token in tokens.items()
        }


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    """What goes wrong in the windows. A test that provokes some says so; any other one fails."""
    found = Troubles()
    yield found
    assert not found.unexpected, found.unexpected


def new_profile(browser: Browser, stack: Stack, **options: Any) -> BrowserContext:
    """As if somebody had just installed the browser; addresses are relative to the portal."""
    context = browser.new_context(base_url=stack.portal_url, locale="en-GB", **options)
    context.set_default_timeout(15_000)
    return context


@pytest.fixture(scope="package")
def profiles(browser: Browser) -> Iterator[dict[tuple[Visitor | None, str], BrowserContext]]:
    """One for each person, for all tests: it has the scripts and stylesheets by then."""
    found: dict[tuple[Visitor | None, str], BrowserContext] = {}
    yield found
    for profile in found.values():
        profile.close()


@pytest.fixture
def open_window(
    browser: Browser,
    stack: Stack,
    troubles: Troubles,
    profiles: dict[tuple[Visitor | None, str], BrowserContext],
) -> Iterator[OpenWindow]:
    """Opens windows: in a visitor's profile, or in a new one for nobody in particular."""
    new: list[BrowserContext] = []
    windows: list[Page] = []

    def open_window(visitor: Visitor | None = None, **options: Any) -> Page:
        key = (visitor, repr(options))
        profile = profiles.get(key) or new_profile(browser, stack, **options)
        if visitor:
            profiles[key] = profile
            _begin_anew(profile, visitor)
        else:
            new.append(profile)
        windows.append(profile.new_page())
        troubles.watch(windows[-1], stack.portal_url)
        return windows[-1]

    yield open_window
    for window in windows:
        window.close()
    for profile in new:
        profile.close()


def _begin_anew(profile: BrowserContext, visitor: Visitor) -> None:
    """Signed in, online, and with nothing of what earlier tests left but the cache."""
    if not profile.pages:
        # A window that stays, and with it the process of all others.
        profile.new_page().goto("/static/aviary.svg")
    profile.set_offline(False)
    profile.clear_cookies()
    visitor.lend_session(profile)
    profile.pages[0].evaluate("localStorage.clear()")


@pytest.fixture
def page(open_window: OpenWindow, admin: Visitor) -> Page:
    """A window in which the administrator is signed in."""
    return open_window(admin)
