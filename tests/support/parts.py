"""The real parts that tests work with: databases, Redis, the whole product, a browser."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from tests.support import append_only, chromium, postgres, settings_env
from tests.support.redis_server import RedisServer
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis of ``settings.REDIS_URL``. Who breaks it takes one of their own instead."""
    server = RedisServer(Path(os.environ["AVIARY_VAR"]))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, redis_server: RedisServer
) -> None:
    """SQLite in a file, as it is in use: in memory it knows neither WAL nor two writers."""
    append_only.let_flush_pass()
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        name = str(Path(os.environ["AVIARY_VAR"]) / "test.sqlite3")
        database.setdefault("TEST", {})["NAME"] = name


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole product with its demo data, for all tests that leave it working."""
    folder = settings_env.temporary_folder() / "var"
    with ExitStack() as parts:
        server = os.environ.get(settings_env.DATABASE_SETTING)
        chosen = {}
        if server:
            name = f"stack_{secrets.token_hex(4)}"
            chosen["DATABASE_URL"] = parts.enter_context(postgres.database(server, name))
        whole = Stack(folder, settings=chosen)
        try:
            whole.start()
            yield whole
            whole.stop()
        finally:
            whole.kill()


# Not for the whole session: as long as Playwright runs, its event loop counts as this thread's,
# and neither asyncio.run nor Django's ORM wants to be called.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The machine's Chromium."""
    # Not above: importing it takes a second, and most processes drive no browser.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium.find(),
            args=chromium.arguments(),
            env=chromium.environment(),
        )
        yield started
        started.close()


@pytest.fixture
def browser_page(browser: "Browser", stack: Stack) -> "Iterator[Page]":
    """An empty page in a profile of its own, addressed relative to the portal.

    Fails in the end when the page had errors: scripts that threw, resources that did not load or
    that the content security policy kept out, anything asked of another host.
    """
    context = browser.new_context(base_url=stack.portal_url, locale="en-GB")
    context.set_default_timeout(10_000)
    page = context.new_page()
    troubles: list[str] = []

    def hear(said: "ConsoleMessage") -> None:
        if said.type == "error":
            troubles.append(said.text)

    def look(asked: "Request") -> None:
        if not asked.url.startswith((f"{stack.portal_url}/", "data:", "blob:", "about:")):
            troubles.append(f"asked another host: {asked.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", look)
    yield page
    context.close()
    assert not troubles, troubles
