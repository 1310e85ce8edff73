"""Where things are on the pages."""

import itertools
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route

from tests.browser.visitors import PROJECT
from tests.support.waiting import wait_until

FLAGS = f"/p/{PROJECT}/flags/"
KEYS = f"/p/{PROJECT}/keys/"
MEMBERS = f"/p/{PROJECT}/members/"
_numbers = itertools.count(1)


def new_name(what: str) -> str:
    """A name that nothing else in the project has."""
    return f"{what} {next(_numbers)}"


def flag_page(key: str, page: str = "targeting/development") -> str:
    return f"/p/{PROJECT}/flag/{page}/{key}"


def switch_of(page: Page, title: str, environment: str = "Development") -> Locator:
    return page.get_by_role("switch", name=f"{title}, {environment}", exact=True)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def dialog_of(page: Page) -> Locator:
    return page.get_by_role("dialog")


def notices_of(page: Page) -> Locator:
    return page.locator("#notices [data-notice]")


def hold(page: Page, pattern: str) -> list[Route]:
    """Keep the requests to these addresses from going out; returns where they gather."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))
    return held


def settle(page: Page) -> None:
    """Wait until what was clicked or chosen last has been answered and drawn."""
    busy = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
    page.wait_for_function("busy => !document.querySelector(busy)", arg=busy)


def choose(select: Locator, label: str) -> None:
    """Choose from a list as a person does, who is at it; the form is drawn anew."""
    select.focus()
    select.select_option(label=label)
    settle(select.page)


def wait_in(page: Page, probe: Callable[[], object], what: str) -> None:
    """Wait for something that events of the page bring about."""

    def look() -> object:
        page.wait_for_timeout(20)
        return probe()

    wait_until(look, what=what)
