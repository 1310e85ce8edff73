"""Bodies of which nobody said how long they are, over a real connection."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

from tests.support import inside
from tests.support.stack import Stack


def test_a_body_in_parts__is_411_and_says_what_to_send(stack: Stack) -> None:
    """Django takes such a body for none at all."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    token = stack.inside(inside.create_admin_key, project="lengths")

    def parts() -> Iterator[bytes]:
        yield b'{"key": '
        yield b'"a"}'

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with closing(connection):
        connection.request("POST", "/api/v1/projects/lengths/flags", parts(), headers)
        response = connection.getresponse()
        document = json.loads(response.read())
    assert (response.status, document["status"]) == (411, 411)
    assert "Content-Length" in document["detail"]
