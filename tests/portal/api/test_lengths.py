"""Bodies of which nobody said how long they are, over a real connection."""

import http.client
import json
import socket

from tests.support import inside
from tests.support.stack import Stack

_REQUEST = (
    "POST /api/v1/projects/lengths/flags HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    'Transfer-Encoding: chunked\r\n\r\n8\r\n{{"key": \r\n4\r\n"a"}}\r\n0\r\n\r\n'
)


def test_a_body_in_parts__is_411_and_says_what_to_send(stack: Stack) -> None:
    """Django takes such a body for none at all. It is refused by its head, so that all is sent at
    once: who sends the parts later may find the connection closed."""
    token = stack.inside(inside.create_admin_key, project="lengths")
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        connection.sendall(_REQUEST.format(token=token).encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        document = json.loads(response.read())
    assert (response.status, document["status"]) == (411, 411)
    assert "Content-Length" in document["detail"]
