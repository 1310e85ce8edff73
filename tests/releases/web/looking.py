"""Pages as tests look at them."""

import re
from html import unescape
from typing import Any

from django.test import Client

HTMX = {"HX-Request": "true"}


def text(client: Client, address: str, status: int = 200) -> str:
    """A page without its tags, each run of blanks one."""
    return plain(client.get(address), status)


def plain(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()
    return words(response.content.decode())


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def send(client: Client, address: str, **fields: Any) -> Any:
    """A form as htmx sends it; ``__`` in a name stands for nothing that Python takes in one."""
    return client.post(address, fields, headers=HTMX)


def seen_of(html: str) -> str:
    """What the live part of a page asks with."""
    found = re.search(r"[?;]seen=([^\"&]+)", html)
    assert found, html
    return found[1]
