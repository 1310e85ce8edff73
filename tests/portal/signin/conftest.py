"""The product with a provider beside it, and a browser's manners towards both."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support import oidc_provider, settings_env
from tests.support.oidc_provider import OidcProvider
from tests.support.stack import Stack

_LEAVE = re.compile(r'id="leave" href="([^"]+)"')
CALLBACK = "/sign-in/provider/callback"


class Visitor:
    """A browser without a screen: keeps cookies, shows the CSRF token, follows when told."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"User-Agent": "Firefox of a test"})
        self.client.get("/sign-in").raise_for_status()

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, **fields: str) -> httpx.Response:
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"]}
        return self.client.post(path, data=fields, headers=headers)

    def sign_in(self, name: str, password: str) -> httpx.Response:
        return self.post("/sign-in", username=name, password=password)

    def is_in(self) -> bool:
        return self.get("/account/").status_code == 200

    def leave(self, path: str = "/sign-in/provider", **fields: str) -> str:
        """The address at the provider that a button leads to."""
        page = self.post(path, **fields)
        assert page.status_code == 200, page.text
        found = _LEAVE.search(page.text)
        assert found, page.text
        return html.unescape(found[1])

    def come_back(self, address: str) -> str:
        """Ask the provider; where it sends the browser to."""
        answer = httpx.get(address)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def go_round(self, path: str = "/sign-in/provider", **fields: str) -> httpx.Response:
        """Over to the provider and back."""
        return self.get(self.come_back(self.leave(path, **fields)))


@pytest.fixture(scope="session")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider.running() as started:
        yield started


@pytest.fixture(scope="session")
def nest(provider: OidcProvider) -> Iterator[Stack]:
    """A whole product whose people may come through the provider."""
    chosen = provider.settings | {"AVIARY_REAUTHENTICATION_MINUTES": "15"}
    whole = Stack(settings_env.temporary_folder() / "var", demo=False, settings=chosen)
    try:
        whole.start()
        yield whole
        whole.stop()
    finally:
        whole.kill()


@pytest.fixture
def visit(nest: Stack, provider: OidcProvider) -> Iterator[Callable[..., Visitor]]:
    """Opens browsers in which nobody is signed in yet."""
    provider.next({})
    opened: list[Visitor] = []

    def visit(**options: Any) -> Visitor:
        opened.append(Visitor(nest.portal_url))
        return opened[-1]

    yield visit
    for visitor in opened:
        visitor.client.close()
