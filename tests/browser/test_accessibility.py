"""Every page and dialog, for people who see, hear, point or hold their screen differently."""

import traceback
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from zlib import crc32

import pytest
from playwright.sync_api import Error as PlaywrightError, Page, ViewportSize, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.scenes import SCENES, Scene
from tests.browser.troubles import Troubles
from tests.browser.visitors import Visitor
from tests.support import chromium

pytestmark = pytest.mark.browser

Theme: TypeAlias = Literal["light", "dark"]

DESKTOP: ViewportSize = {"width": 1280, "height": 720}
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

# Nobody reaches what lies behind a dialog, and it has a scene of its own.
_DIALOG: Final = "dialog[open]"
_SHOW_WHAT_IS_BEHIND = """shown => {
  const page = document.querySelector(".page");
  page.style.display = shown ? "" : "none";
}"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Scenes of one place are looked at in one visit, which has the name of the first of them."""
    if "visit" not in metafunc.fixturenames:
        return
    visits: dict[tuple[str, object], list[str]] = defaultdict(list)
    for name, scene in SCENES.items():
        if metafunc.config.getoption("--whole") or not scene.repeats:
            visits[scene.who, scene.place].append(name)
    metafunc.parametrize("visit", visits.values(), ids=[names[0] for names in visits.values()])


@pytest.fixture
def window(visit: list[str], open_window: OpenWindow, people: dict[str, Visitor | None]) -> Page:
    """Of whom the scenes of a visit are for."""
    who = people[SCENES[visit[0]].who]
    return open_window(who, color_scheme="light", reduced_motion="reduce")


@pytest.fixture
def people(
    admin: Visitor, bob: Visitor, bank: dict[str, Visitor], harbour: None
) -> dict[str, Visitor | None]:
    return {"nobody": None, "admin": admin, "bob": bob, **bank}


def test_every_page_and_dialog_is_accessible_in_its_theme_and_fits_a_phone(
    visit: list[str], window: Page, troubles: Troubles, whole: bool
) -> None:
    """Themes go by turns; each scene is seen in both where the run is ``make test-all``."""
    looking = _Looking(window, *_themes_of(visit[0]), whole)
    wrong: list[str] = []
    for name in visit:
        try:
            looking.go_to(SCENES[name], troubles)
            looking.check()
            assert not troubles.unexpected
        except (AssertionError, PlaywrightError):
            wrong.append(f"{name}:\n{traceback.format_exc()}")
            looking.is_there = False
        troubles.forget()
    # Of a group of exceptions pytest shows the first alone.
    assert not wrong, "\n".join(wrong)


@dataclass
class _Looking:
    """A visit to a place, which is opened again when what was done there left something."""

    page: Page
    theme: Theme
    other: Theme
    whole: bool
    is_there: bool = False

    def go_to(self, scene: Scene, troubles: Troubles) -> None:
        if scene.refused:
            troubles.expect(f"the server responded with a status of {scene.refused}")
        if self.is_there:
            self._close_dialog()
        else:
            self.page.set_viewport_size(DESKTOP)
            self.page.emulate_media(color_scheme=self.theme)
            scene.place(self.page)
        if scene.act:
            scene.act(self.page)
        self.has_dialog = self.page.locator(_DIALOG).count() > 0
        self.is_there = self.has_dialog or not scene.act

    def check(self) -> None:
        self._expect_theme(self.theme)
        assert self._violations() == []
        if self.has_dialog:
            self.page.evaluate(_SHOW_WHAT_IS_BEHIND, False)
        if self.whole:
            self.page.emulate_media(color_scheme=self.other)
            self._expect_theme(self.other)
            assert self._violations(axe.OF_THE_THEME) == []
            self.page.emulate_media(color_scheme=self.theme)
        self.page.set_viewport_size(PHONE)
        # What has scrolled halfway behind the bar at the top would count as too small.
        self.page.evaluate("scrollTo(0, 0)")
        _expect_to_fit(self.page)
        assert self._violations(axe.OF_THE_SIZE) == []
        self.page.evaluate(_WITH_FONT, chromium.WIDE_FONT)
        _expect_to_fit(self.page)
        if self.whole:
            assert self._violations(axe.OF_THE_SIZE) == []

    def _close_dialog(self) -> None:
        """Make it what it was before it was checked."""
        self.page.evaluate(_WITH_FONT, None)
        self.page.set_viewport_size(DESKTOP)
        if self.has_dialog:
            self.page.evaluate(_SHOW_WHAT_IS_BEHIND, True)
            self.page.keyboard.press("Escape")
            expect(self.page.locator(_DIALOG)).to_have_count(0)

    def _violations(self, rules: tuple[str, ...] = ()) -> list[str]:
        return axe.violations(self.page, rules, _DIALOG if self.has_dialog else "")

    def _expect_theme(self, theme: Theme) -> None:
        expect(self.page.locator("html")).to_have_attribute("data-bs-theme", theme)


def _themes_of(name: str) -> tuple[Theme, Theme]:
    return ("light", "dark") if crc32(name.encode()) % 2 else ("dark", "light")


def _expect_to_fit(page: Page) -> None:
    assert page.evaluate(_STICKING_OUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
