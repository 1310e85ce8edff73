"""Every page and dialog, for people who see, hear, point or hold their screen differently."""

from collections.abc import Iterator
from typing import Literal, TypeAlias
from zlib import crc32

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser import axe
from tests.browser.conftest import new_profile
from tests.browser.scenes import SCENES
from tests.browser.troubles import Troubles
from tests.browser.visitors import Visitor
from tests.support import chromium
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

Theme: TypeAlias = Literal["light", "dark"]

PHONE: ViewportSize = {"width": 390, "height": 844}
# Elements that stick out of the page, except inside what scrolls by itself.
_STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const clips = (e) => ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX);
  const scrolls = (e) => e && (clips(e) || scrolls(e.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement))
    .filter((e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .map((e) => e.outerHTML.slice(0, 120));
}"""

# The portal takes the reader's own font, and some are wider than ours.
_WITH_FONT = """font => {
  document.documentElement.style.setProperty("--tblr-font-sans-serif", font);
}"""

# Nobody reaches what lies behind a dialog, and it has a scene of its own: drawing it in another
# theme and size takes most of the time.
_HIDE_WHAT_IS_BEHIND = """() => {
  const page = document.querySelector(".page");
  if (document.querySelector("dialog[open]")) page.style.display = "none";
}"""


@pytest.fixture(scope="module")
def profiles(browser: Browser, stack: Stack) -> Iterator[dict[str, BrowserContext]]:
    """One for each person and all that they look at: it has the stylesheets and scripts by then."""
    found: dict[str, BrowserContext] = {}
    yield found
    for profile in found.values():
        profile.close()


@pytest.fixture(params=SCENES)
def scene(
    request: pytest.FixtureRequest,
    browser: Browser,
    stack: Stack,
    profiles: dict[str, BrowserContext],
    people: dict[str, Visitor | None],
    troubles: Troubles,
) -> Iterator[Page]:
    """A window with the page or dialog; fails when anything went wrong on the way."""
    scene = SCENES[request.param]
    if scene.refused:
        troubles.expect(f"the server responded with a status of {scene.refused}")
    if scene.who not in profiles:
        profiles[scene.who] = _new_profile(browser, stack)
    page = _come_in(profiles[scene.who], people[scene.who])
    troubles.watch(page, stack.portal_url)
    scene.reach(page)
    yield page
    page.evaluate("localStorage.clear()")
    page.close()


@pytest.fixture
def people(admin: Visitor, bob: Visitor, bank: dict[str, Visitor]) -> dict[str, Visitor | None]:
    return {"nobody": None, "admin": admin, "bob": bob, **bank}


def _new_profile(browser: Browser, stack: Stack) -> BrowserContext:
    """With a window that stays, and with it the process of all others."""
    profile = new_profile(browser, stack, color_scheme="light", reduced_motion="reduce")
    profile.new_page().goto("/static/aviary.svg")
    return profile


def _come_in(profile: BrowserContext, visitor: Visitor | None) -> Page:
    """A new window, with nothing of what earlier ones left but the cache."""
    profile.clear_cookies()
    if visitor:
        visitor.lend_session(profile)
    return profile.new_page()


def test_every_page_is_accessible_in_its_theme_and_fits_a_phone(
    scene: Page, whole: bool, request: pytest.FixtureRequest
) -> None:
    """Themes go by turns; each page is seen in both where the run is ``make test-all``."""
    first, other = _themes_of(request.node.name)
    _choose(scene, first)
    assert axe.violations(scene) == []
    scene.evaluate(_HIDE_WHAT_IS_BEHIND)
    if whole:
        _choose(scene, other)
        assert axe.violations(scene, axe.OF_THE_THEME) == []
    scene.set_viewport_size(PHONE)
    _expect_to_fit(scene)
    assert axe.violations(scene, axe.OF_THE_SIZE) == []
    scene.evaluate(_WITH_FONT, chromium.WIDE_FONT)
    _expect_to_fit(scene)
    if whole:
        assert axe.violations(scene, axe.OF_THE_SIZE) == []


def _themes_of(name: str) -> tuple[Theme, Theme]:
    return ("light", "dark") if crc32(name.encode()) % 2 else ("dark", "light")


def _choose(scene: Page, theme: Theme) -> None:
    scene.emulate_media(color_scheme=theme)
    expect(scene.locator("html")).to_have_attribute("data-bs-theme", theme)


def _expect_to_fit(scene: Page) -> None:
    assert scene.evaluate(_STICKING_OUT) == []
    assert scene.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
