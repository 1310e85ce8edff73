"""Addresses spelled in other ways open nothing that the plain ones keep shut.

Through the running web server, for it and not Django's test client decides what a path is.
"""

import http.client
from urllib.parse import urlsplit

import pytest

from tests.support.stack import Stack

SECRET = b"Card payments"  # a flag of the demo project
PATHS = [
    "/p/demo/flags/",
    "//p/demo/flags/",
    "/p//demo/flags/",
    "/sign-in/../p/demo/flags/",
    "/sign-in/%2e%2e/p/demo/flags/",
    "/sign-in/..%2fp/demo/flags/",
    "/health/../p/demo/flags/",
    "/health;/../p/demo/flags/",
    "/static/../p/demo/flags/",
    "/static/%2e%2e/p/demo/flags/",
    "/api/docs/../../p/demo/flags/",
    "/p/demo/flags/;.css",
    "/p/demo/flags/%00",
    "/P/demo/flags/",
    "/p/demo/./flags/",
    "/p/demo%2fflags/",
    "/api/schema/../v1/projects/demo/flags",
    "/api/docs/%2e%2e/v1/projects/demo/flags",
    "/api//v1/projects/demo/flags",
    "/api/v1/projects/demo/flags/../flags",
]


def ask(stack: Stack, path: str) -> tuple[int, bytes]:
    """The answer to exactly this path, with no session and no key."""
    place = urlsplit(stack.portal_url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", PATHS)
def test_path_normalisation__opens_nothing_to_a_stranger(stack: Stack, path: str) -> None:
    status, body = ask(stack, path)
    assert status in (301, 302, 400, 401, 404), body[:200]
    assert SECRET not in body
